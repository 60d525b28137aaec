"""A prepared corpus opened for training: all that can be checked without reading it whole is checked."""

import os
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

import numpy as np

from elmo_plugin.corpus.prepared import DESCRIPTION, HELD_OUT, TRAIN, PreparedCorpus, PreparedShard
from elmo_plugin.corpus.shards import TypeWords
from elmo_plugin.corpus.word_lists import from_lines, to_lines


def find_split(path: str) -> Optional[Tuple[PreparedCorpus, str]]:
    """
    The prepared corpus that a path names, and which split of it: `corpus/train`, `corpus/heldout`; `corpus` is its
    training part. `None` for a path that is no directory.

    # Raises

    `ValueError` for another directory.
    """
    if not os.path.isdir(path):
        return None
    folder = Path(os.path.abspath(path))
    if (folder / DESCRIPTION).is_file():
        return PreparedCorpus.open(folder), TRAIN
    if folder.name in (TRAIN, HELD_OUT) and (folder.parent / DESCRIPTION).is_file():
        return PreparedCorpus.open(folder.parent), folder.name
    raise ValueError(
        f"{path} is a folder, but not of a prepared corpus: there is no {DESCRIPTION} in it, nor is it the {TRAIN} or "
        f"{HELD_OUT} beside one. Name the files, for example {os.path.join(path, '*.txt')}, or make a corpus of them "
        f"with `elmo-prepare {path} OUTDIR`."
    )


def open_shards(corpus: PreparedCorpus, split: str) -> List[PreparedShard]:
    """
    # Raises

    `ValueError` where the corpus has no such split, or its files are not what `corpus.json` says.
    """
    described = corpus.description["splits"].get(split, {"shards": 0})
    if described["shards"] == 0:
        raise ValueError(
            f"{corpus.directory} has no part {split!r}; prepare it with --held-out above 0 and without "
            "--vocabulary-only."
        )
    shards = [_open_shard(path) for path in corpus.shard_paths(split)]
    for name, count in (
        ("sentences", sum(len(shard.offsets) - 1 for shard in shards)),
        ("tokens", sum(len(shard.ids) for shard in shards)),
    ):
        if count != described[name]:
            raise ValueError(
                f"{corpus.directory / split}: expected {described[name]:,} {name}, as {DESCRIPTION} says, but its "
                f"files hold {count:,}. They are not of one preparation; copy the folder anew or prepare it again."
            )
    return shards


def _open_shard(path: str) -> PreparedShard:
    """`path` lacks the endings of the shard's files."""
    ids, offsets = _mapped(f"{path}.ids.npy", np.int32), _mapped(f"{path}.offsets.npy", np.int64)
    if not (len(offsets) > 0 and offsets[0] == 0 and offsets[-1] == len(ids) and (np.diff(offsets) >= 0).all()):
        raise ValueError(
            f"{path}.offsets.npy: expected numbers that ascend from 0 to {len(ids)}, the length of the ids beside it, "
            "but they do not; copy both files anew or prepare the corpus again."
        )
    return PreparedShard(ids, offsets, Path(f"{path}.txt"))


def _mapped(path: str, dtype: type) -> np.ndarray:
    try:
        array = np.load(path, mmap_mode="r")
    except (OSError, EOFError, ValueError) as error:
        raise ValueError(
            f"{path}: expected a whole .npy file of the prepared corpus, but it can't be read ({error}); copy it anew "
            "or prepare the corpus again."
        ) from error
    if array.dtype != dtype or array.ndim != 1:
        raise ValueError(
            f"{path}: expected a row of {np.dtype(dtype).name}, found {array.dtype.name} of shape {array.shape}; "
            f"prepare the corpus again."
        )
    return array


def open_types(corpus: PreparedCorpus) -> TypeWords:
    """
    # Raises

    `ValueError` where `types.txt` is missing or not what `corpus.json` says.
    """
    path, expected = corpus.types_path(), corpus.description["types"]
    if not path.is_file():
        raise ValueError(f"{path} is missing. Copy the prepared corpus whole, or prepare it again.")
    types = TypeWords(path) if path.stat().st_size > 0 else None
    num_lines = 0 if types is None else len(types)
    if types is None or num_lines != expected:
        raise ValueError(
            f"{path}: expected {expected:,} lines, as {DESCRIPTION} says, found {num_lines:,}. The file is not whole "
            "or not of this corpus; copy it anew or prepare the corpus again."
        )
    return types


def check_vocabulary(corpus: PreparedCorpus, types: TypeWords, words: Sequence[str]) -> None:
    """
    # Raises

    `ValueError` where `words` are not the corpus's own vocabulary, to whose line numbers its ids refer.
    """
    size = corpus.description["vocabulary_size"]
    found = types.data[: types.begins[size]]
    if to_lines(words) == found:
        return
    own = from_lines(found)
    line = next((i for i, (a, b) in enumerate(zip(own, words)) if a != b), min(len(own), len(words)))
    here, there = (repr(lines[line]) if line < len(lines) else "not there" for lines in (words, own))
    raise ValueError(
        f"{corpus.directory} was prepared with another vocabulary than the model's: {size:,} words and {len(words):,}; "
        f"line {line + 1} is {there} in the corpus and {here} in the model's. Give the corpus's own, "
        f"{corpus.directory / 'vocabulary.txt'}; or read its sentences as text, which can be read with any vocabulary: "
        f"{corpus.directory / TRAIN / '*.txt'}."
    )
