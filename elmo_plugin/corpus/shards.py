"""The splits written as shards: sentences in random order, as type ids and as text."""

import mmap
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, Sequence, Tuple

import numpy as np

from elmo_plugin.corpus.block_files import BlockFiles
from elmo_plugin.corpus.encoding import offsets_of, reorder
from elmo_plugin.corpus.splits import Split

# Twenty MB of ids: small enough to shuffle in memory, large enough to be read in long runs.
TOKENS_PER_SHARD = 5_000_000
# Written as text at a time: a Python object for each takes several times the memory of an id.
_TOKENS_PER_TEXT = 500_000


@dataclass(frozen=True)
class Shard:
    """
    # Parameters

    split : `Split`
        With the shard's part of the split's range of keys.
    number : `int`
        Position among the split's shards.
    """

    split: Split
    number: int


def shards_of(split: Split, num_shards: int) -> List[Shard]:
    """The split's range of keys in `num_shards` equal parts."""
    bounds = [split.begin + (split.end - split.begin) * i // num_shards for i in range(num_shards + 1)]
    return [Shard(Split(split.name, *bounds[i : i + 2]), i) for i in range(num_shards)]


@dataclass(frozen=True)
class ShardWriter:
    """
    Writes single shards; can be sent to another process.

    # Parameters

    scratch : `Path`
        Where the blocks' files are.
    num_blocks : `int`
    output : `Path`
        Where `types.txt` is and the splits' directories are.
    fingerprint : `str`
        A shard that was written under the same fingerprint before is not written again.
    """

    scratch: Path
    num_blocks: int
    output: Path
    fingerprint: str

    def __call__(self, shard: Shard) -> None:
        """
        Writes `NNNNN.ids.npy`, `NNNNN.offsets.npy` and `NNNNN.txt`: the sentences of all blocks whose keys lie in the
        shard's range, in the order of their keys.
        """
        done = self.scratch / f"{shard.split.name}.{shard.number:05d}.{self.fingerprint}.done"
        if done.exists():
            return
        ids, lengths, keys = self._gather(shard.split)
        ids, offsets = reorder(ids, offsets_of(lengths), np.argsort(keys, kind="stable"))
        path = self.output / shard.split.name / f"{shard.number:05d}"
        np.save(f"{path}.ids.npy", ids)
        np.save(f"{path}.offsets.npy", offsets)
        with open(f"{path}.txt", "wb") as text_file:
            for text in texts(ids, offsets, TypeWords(self.output / "types.txt")):
                text_file.write(text.encode("utf-8"))
        done.touch()

    def clear_others(self, split_names: Sequence[str]) -> None:
        """Removes the directories of splits that an interrupted preparation left, unless it was this one."""
        for name in split_names:
            if not any(self.scratch.glob(f"{name}.*.{self.fingerprint}.done")):
                shutil.rmtree(self.output / name, ignore_errors=True)

    def _gather(self, split: Split) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Type ids, sentence lengths and keys of the split's sentences, block after block."""
        ids, lengths, keys = [np.zeros(0, np.int32)], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for block in (BlockFiles(self.scratch, index) for index in range(self.num_blocks)):
            begin, end = split.range_in(block)
            offsets = block.array("offsets")[begin : end + 1]
            ids.append(block.array("numbers")[block.array("ids")[offsets[0] : offsets[-1]]])
            lengths.append(np.diff(offsets))
            keys.append(block.array("keys")[begin:end])
        return np.concatenate(ids), np.concatenate(lengths), np.concatenate(keys)


class TypeWords:
    """
    The words of `types.txt`, looked up by id in the mapped file, so that memory holds 8 bytes for each type only.

    # Parameters

    path : `Path`
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        newlines = np.flatnonzero(np.frombuffer(self.data, np.uint8) == ord("\n"))
        self.begins = np.concatenate([np.zeros(1, np.int64), newlines + 1])

    def __len__(self) -> int:
        return len(self.begins) - 1

    def words(self, ids: np.ndarray) -> List[str]:
        begins, ends = self.begins[ids].tolist(), (self.begins[ids + 1] - 1).tolist()
        return [self.data[begin:end].decode("utf-8") for begin, end in zip(begins, ends)]


def texts(ids: np.ndarray, offsets: np.ndarray, words: TypeWords) -> Iterator[str]:
    """The sentences, one a line, some hundred thousand tokens at a time."""
    # Each distinct word is there twice, followed by a space and, for the last of a sentence, by a newline.
    is_used = np.zeros(len(words), bool)
    is_used[ids] = True
    used = words.words(np.flatnonzero(is_used))
    followed = [word + " " for word in used] + [word + "\n" for word in used]
    # Shape: (num_types,): position in `used`
    positions = np.cumsum(is_used, dtype=np.int32) - 1
    begin = 0
    while begin < len(offsets) - 1:
        end = max(begin + 1, int(np.searchsorted(offsets, offsets[begin] + _TOKENS_PER_TEXT, side="right")) - 1)
        codes = positions[ids[offsets[begin] : offsets[end]]]
        codes[offsets[begin + 1 : end + 1] - 1 - offsets[begin]] += len(used)
        yield "".join(map(followed.__getitem__, codes.tolist()))
        begin = end
