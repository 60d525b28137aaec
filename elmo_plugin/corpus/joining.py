"""
Corpora that were prepared apart, on several machines say, put together without reading their text again.

Shards are independent, and the vocabulary follows from the counts of all types that each part has beside it: the
types are merged as those of blocks are (`TypeMerger`), and the ids in the shards renumbered.
"""

import shutil
from collections import Counter
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence, Tuple

import numpy as np

from elmo_plugin.corpus.block_files import BlockFiles
from elmo_plugin.corpus.description import describe
from elmo_plugin.corpus.directories import whole_directory
from elmo_plugin.corpus.encoding import EncodedBlock
from elmo_plugin.corpus.merging import TypeMerger
from elmo_plugin.corpus.prepared import (
    HELD_OUT,
    SKIPPED,
    TRAIN,
    PreparedCorpus,
    check_output,
    file_hash,
    has_shards,
    write_description,
)
from elmo_plugin.corpus.processes import map_in_order
from elmo_plugin.corpus.settings import Settings
from elmo_plugin.corpus.software import UNICODE, versions
from elmo_plugin.corpus.word_lists import hash_order, line_hashes, lines_in_order
from elmo_plugin.corpus.work import Work

# Types of a part that are in memory as words at once.
TYPES_AT_ONCE = 1 << 20
# What of the settings is decided when corpora are merged; the rest was decided when each was prepared.
MERGE_SETTINGS = ("min_count", "max_size", "max_characters")
# What the description of a merged corpus tells of each part.
PART_FACTS = ("settings", "software", "sentences", "tokens", "types")


def merge_corpora(parts: Sequence[str], output: Path, settings: Settings, work: Work = Work()) -> Dict[str, Any]:
    """
    Writes the directory `output`, a prepared corpus with the sentences of all `parts`, and returns what its
    `corpus.json` says. Vocabulary and counts are those of a preparation of everything in one go, if that has the same
    training sentences, as it has where none are held out; the sentences are shuffled within each part only.

    Of parts that were made with `--vocabulary-only` the vocabulary is merged alone.

    # Parameters

    parts : `Sequence[str]`
        Directories that `prepare_corpus`, `prepare_vocabulary` or `merge_corpora` wrote.
    output : `Path`
        Appears when everything is written, never before.
    settings : `Settings`
        Only `MERGE_SETTINGS` matter.
    work : `Work`

    # Raises

    `ValueError` where a part is missing, named twice, damaged, or the only one with or without sentences.
    """
    # Before the output: where names were given in another order, a corpus would stand where --force replaces it.
    corpora = _open(parts, output)
    check_output(output, work.force)
    _check_files(corpora, work)
    names = [name for name in (TRAIN, HELD_OUT) if any(name in c.description["splits"] for c in corpora)]
    sizes = {name: _total_sizes(corpora, name) for name in names}
    with whole_directory(output, work.force) as unfinished:
        scratch = unfinished / "scratch"
        scratch.mkdir()
        blocks = [_write_blocks(corpus, names, scratch, i) for i, corpus in enumerate(corpora)]
        together = list(chain.from_iterable(blocks))
        merger = TypeMerger(together, len(names), sizes[TRAIN]["sentences"], settings, scratch, unfinished)
        totals = merger.merge(work.progress)
        _write_shards(corpora, blocks, names, unfinished, work)
        decided = {name: getattr(settings, name) for name in MERGE_SETTINGS}
        files = [file for corpus in corpora for file in corpus.description["inputs"]]
        description = describe(decided, files, _total_facts(corpora), totals, sizes)
        description["parts"] = [_of_part(name, corpus) for name, corpus in zip(parts, corpora)]
        description["software"] = versions([UNICODE])
        _write_skipped(corpora, unfinished / SKIPPED)
        shutil.rmtree(scratch)
        write_description(unfinished, description, work.progress)
    return description


def _open(parts: Sequence[str], output: Path) -> List[PreparedCorpus]:
    corpora = [PreparedCorpus.open(Path(part)) for part in parts]
    seen = set()
    for part, corpus in zip(parts, corpora):
        place = corpus.directory.resolve()
        if place in seen:
            raise ValueError(f"{part}: named twice among the corpora to merge; name each once.")
        if output.resolve() in (place, *place.parents):
            raise ValueError(
                f"{part}: a corpus to merge lies in {output}, which is to be replaced; name another output."
            )
        if has_shards(corpus.description) != has_shards(corpora[0].description):
            raise ValueError(
                f"{part}, {parts[0]}: one of them has sentences, the other was made with --vocabulary-only; merge "
                "corpora that are alike."
            )
        seen.add(place)
    return corpora


def _check_files(corpora: Sequence[PreparedCorpus], work: Work) -> None:
    """Files come from other machines: each must be what its `corpus.json` says."""
    files = [(c.directory / name, sha256) for c in corpora for name, sha256 in c.description["sha256"].items()]
    work.progress.follow("checking", len(files), "file", map_in_order(_check_file, files, work.processes))


def _check_file(file: Tuple[Path, str]) -> None:
    path, sha256 = file
    if not path.is_file():
        raise ValueError(f"{path}: missing, though the corpus.json of its corpus names it; copy the corpus again.")
    if file_hash(path) != sha256:
        raise ValueError(f"{path}: is not what the corpus.json of its corpus says (SHA-256); copy the corpus again.")


def _total_sizes(corpora: Sequence[PreparedCorpus], split: str) -> Dict[str, int]:
    described = [corpus.description["splits"].get(split, {}) for corpus in corpora]
    return {name: sum(of_part.get(name, 0) for of_part in described) for name in ("sentences", "tokens", "shards")}


def _total_facts(corpora: Sequence[PreparedCorpus]) -> Dict[str, Any]:
    described = [corpus.description for corpus in corpora]
    return {
        "num_sentences": sum(of_part["sentences"] for of_part in described),
        "num_tokens": sum(of_part["tokens"] for of_part in described),
        "longest_sentence": max(of_part["longest_sentence"] for of_part in described),
        "oddities": sum((Counter(of_part["oddities"]) for of_part in described), Counter()),
    }


def _of_part(name: str, corpus: PreparedCorpus) -> Dict[str, Any]:
    return {"name": name, **{key: corpus.description[key] for key in PART_FACTS}}


def _write_skipped(corpora: Sequence[PreparedCorpus], path: Path) -> None:
    found = [corpus.directory / SKIPPED for corpus in corpora if SKIPPED in corpus.description["sha256"]]
    if found:
        path.write_bytes(b"".join(of_part.read_bytes() for of_part in found))


def _write_blocks(corpus: PreparedCorpus, names: Sequence[str], scratch: Path, part: int) -> List[BlockFiles]:
    """
    A part's types with their counts, as if they had been met in blocks of text. The array `order` tells the type ids
    of the part that a block's types had.
    """
    counts = np.load(corpus.directory / "types.counts.npy", mmap_mode="r")
    of_part = list(corpus.description["splits"])
    folder = scratch / f"{part:04d}"
    folder.mkdir()
    blocks, begin = [], 0
    for lines in _in_chunks(corpus.types_path()):
        hashes = line_hashes(lines)
        order = hash_order(hashes)
        # Shape: (num_splits, number of words)
        of_chunk = np.zeros((len(names), len(hashes)), np.int64)
        for row, name in enumerate(of_part):
            of_chunk[names.index(name)] = counts[row, begin + order]
        arrays = {"hashes": hashes[order], "counts": of_chunk, "order": begin + order}
        types = lines_in_order(lines, order)
        blocks.append(BlockFiles(folder, len(blocks)))
        blocks[-1].write(EncodedBlock(arrays, types, 0, 0, 0, Counter(), []), "")
        begin += len(hashes)
    return blocks


def _in_chunks(path: Path) -> Iterator[bytes]:
    """The lines of a list of words, some at a time."""
    with path.open("rb") as file:
        while lines := b"".join(islice(file, TYPES_AT_ONCE)):
            yield lines


@dataclass(frozen=True)
class ShardCopy:
    """
    # Parameters

    source, target : `str`
        Paths of shards without the endings of their files.
    type_ids : `Path`
        An array with the new id of each of the old ones.
    """

    source: str
    target: str
    type_ids: Path

    def write(self) -> None:
        ids = np.load(f"{self.source}.ids.npy", mmap_mode="r")
        np.save(f"{self.target}.ids.npy", np.load(self.type_ids, mmap_mode="r")[ids])
        for ending in ("offsets.npy", "txt"):
            shutil.copyfile(f"{self.source}.{ending}", f"{self.target}.{ending}")


def _write_shards(
    corpora: Sequence[PreparedCorpus],
    blocks: Sequence[Sequence[BlockFiles]],
    names: Sequence[str],
    output: Path,
    work: Work,
) -> None:
    copies: List[ShardCopy] = []
    for name in names if has_shards(corpora[0].description) else ():
        (output / name).mkdir()
        number = 0
        for corpus, of_part in zip(corpora, blocks):
            for source in corpus.shard_paths(name):
                copies.append(ShardCopy(source, str(output / name / f"{number:05d}"), _new_ids_path(of_part)))
                number += 1
    for corpus, of_part in zip(corpora, blocks):
        _write_new_ids(corpus.description["types"], of_part)
    work.progress.follow("writing", len(copies), "shard", map_in_order(ShardCopy.write, copies, work.processes))


def _new_ids_path(of_part: Sequence[BlockFiles]) -> Path:
    return of_part[0].directory / "new_ids.npy"


def _write_new_ids(num_types: int, of_part: Sequence[BlockFiles]) -> None:
    new_ids = np.zeros(num_types, np.int32)
    for block in of_part:
        new_ids[block.array("order")] = block.array("numbers")
    np.save(_new_ids_path(of_part), new_ids)
