"""The splits written as shards: sentences in random order, as type ids and as text."""

import mmap
from pathlib import Path
from typing import List, Sequence, Tuple

import numpy as np

from elmo_plugin.corpus.encoding import BlockFiles, offsets_of, reorder
from elmo_plugin.corpus.types import Split

# Twenty MB of ids: small enough to shuffle in memory, large enough to be read in long runs.
TOKENS_PER_SHARD = 5_000_000


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

    def words(self, ids: np.ndarray) -> List[str]:
        begins, ends = self.begins[ids].tolist(), (self.begins[ids + 1] - 1).tolist()
        return [self.data[begin:end].decode("utf-8") for begin, end in zip(begins, ends)]


def shard_splits(split: Split, num_shards: int) -> List[Split]:
    """The split's range of keys in `num_shards` equal parts."""
    bounds = [split.begin + (split.end - split.begin) * i // num_shards for i in range(num_shards + 1)]
    return [Split(split.name, begin, end) for begin, end in zip(bounds, bounds[1:])]


def write_shard(directory: Path, number: int, shard: Split, blocks: Sequence[BlockFiles], words: TypeWords) -> Tuple[int, int]:
    """
    Writes `NNNNN.ids.npy`, `NNNNN.offsets.npy` and `NNNNN.txt`: the sentences of all blocks whose keys lie in the
    shard's range, in the order of their keys.

    # Returns

    `Tuple[int, int]`
        Its numbers of sentences and tokens.
    """
    ids, lengths, keys = _gather(shard, blocks)
    ids, offsets = reorder(ids, offsets_of(lengths), np.argsort(keys, kind="stable"))
    np.save(directory / f"{number:05d}.ids.npy", ids)
    np.save(directory / f"{number:05d}.offsets.npy", offsets)
    (directory / f"{number:05d}.txt").write_bytes(_text(ids, offsets, words).encode("utf-8"))
    return len(offsets) - 1, len(ids)


def _gather(shard: Split, blocks: Sequence[BlockFiles]) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Type ids, sentence lengths and keys of the shard's sentences, block after block."""
    ids, lengths, keys = [np.zeros(0, np.int32)], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for block in blocks:
        begin, end = shard.range_in(block)
        offsets = block.array("offsets")[begin : end + 1]
        ids.append(block.array("numbers")[block.array("ids")[offsets[0] : offsets[-1]]])
        lengths.append(np.diff(offsets))
        keys.append(block.array("keys")[begin:end])
    return np.concatenate(ids), np.concatenate(lengths), np.concatenate(keys)


def _text(ids: np.ndarray, offsets: np.ndarray, words: TypeWords) -> str:
    """One sentence a line. Each distinct word is there twice, followed by a space and, for the last of a line, by \\n."""
    distinct, positions = np.unique(ids, return_inverse=True)
    texts = words.words(distinct)
    followed = [word + " " for word in texts] + [word + "\n" for word in texts]
    positions[offsets[1:] - 1] += len(texts)
    return "".join(map(followed.__getitem__, positions.tolist()))
