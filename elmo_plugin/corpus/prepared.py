"""The prepared form of a corpus, for whoever reads it."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List

import numpy as np

from elmo_plugin.corpus.directories import check_replaceable
from elmo_plugin.corpus.word_lists import from_lines
from elmo_plugin.corpus.work import Progress

FORMAT_VERSION = 1
TRAIN, HELD_OUT = "train", "heldout"
DESCRIPTION = "corpus.json"
TYPES = "types.txt"
SKIPPED = "skipped.txt"


@dataclass(frozen=True)
class PreparedShard:
    """
    Sentences as type ids, memory-mapped.

    # Parameters

    ids : `np.ndarray`
        Shape `(num_tokens,)`, int32: line numbers of `types.txt`; no sentence marks.
    offsets : `np.ndarray`
        Shape `(num_sentences + 1,)`, int64: sentence `i` is `ids[offsets[i] : offsets[i + 1]]`.
    text : `Path`
        The same sentences as text, one a line.
    """

    ids: np.ndarray
    offsets: np.ndarray
    text: Path


@dataclass(frozen=True)
class PreparedCorpus:
    """
    A directory that `elmo-prepare` wrote:

    - `vocabulary.txt`: `<S>`, `</S>`, `<UNK>`, then words by descending count, ties by code point; id = line number.
    - `vocabulary.counts.tsv`: the same words with their counts in the training sentences.
    - `types.txt`: `vocabulary.txt` and then every other distinct word of the corpus; type id = line number, so that a
      type id below the vocabulary's size is the word's id.
    - `types.counts.npy`, shape (number of splits, number of types), int64: how often each type occurs in each split, in
      the order of the splits in `corpus.json`.
    - `train/`, `heldout/`: shards `NNNNN.ids.npy`, `NNNNN.offsets.npy`, `NNNNN.txt`; see `PreparedShard`.
    - `corpus.json`: counts, settings, and SHA-256 of the inputs and of the files above.
    - `skipped.txt`, where there are any: file and line of each line that could not be used, and the byte that is not
      UTF-8.

    With `--vocabulary-only` there are no shards.

    # Parameters

    directory : `Path`
    description : `Dict[str, Any]`
        What `corpus.json` says.
    """

    directory: Path
    description: Dict[str, Any]

    @classmethod
    def open(cls, directory: Path) -> "PreparedCorpus":
        """
        # Raises

        `ValueError` if the directory was not written by `elmo-prepare`, or by another version of the form.
        """
        path = Path(directory) / DESCRIPTION
        if not path.is_file():
            raise ValueError(
                f"{directory}: expected a prepared corpus, but there is no {DESCRIPTION} in it; make one with "
                "`elmo-prepare INPUT... OUTDIR`."
            )
        try:
            description = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path}: is not whole ({error}); copy the corpus again or prepare it again.") from error
        version = description.get("format_version")
        if version != FORMAT_VERSION:
            raise ValueError(f"{path}: expected format_version {FORMAT_VERSION}, found {version}; prepare it again.")
        return cls(Path(directory), description)

    def types_path(self) -> Path:
        return self.directory / TYPES

    def types(self) -> List[str]:
        return from_lines(self.types_path().read_bytes())

    def shard_paths(self, split: str) -> Iterator[str]:
        """The paths of the shards of `train` or `heldout`, in order, without the endings of their files."""
        for number in range(self.description["splits"].get(split, {"shards": 0})["shards"]):
            yield str(self.directory / split / f"{number:05d}")


def check_output(directory: Path, force: bool) -> None:
    """
    Before any work is done: raises a `ValueError` where the directory exists and `force` is false, and where it holds
    something else than a prepared corpus. Arguments in another order would replace the documents otherwise.
    """
    check_replaceable(directory, force)
    if directory.is_dir() and any(directory.iterdir()) and not (directory / DESCRIPTION).is_file():
        raise ValueError(
            f"{directory}: is not a prepared corpus, for there is no {DESCRIPTION} in it; --force replaces prepared "
            "corpora only. Remove it by hand, or give another name."
        )


def has_shards(description: Dict[str, Any]) -> bool:
    """Whether there are sentences, or `--vocabulary-only` left them out."""
    return description["splits"][TRAIN]["shards"] > 0


def write_description(directory: Path, description: Dict[str, Any], progress: Progress) -> None:
    """Adds the SHA-256 of every file in `directory` to the description, and writes it there."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    progress.begin("hashing", sum(path.stat().st_size for path in files), "B")
    description["sha256"], done = {}, 0
    for path in files:
        description["sha256"][path.relative_to(directory).as_posix()] = file_hash(path)
        done += path.stat().st_size
        progress.reach(done)
    progress.end()
    text = json.dumps(description, indent=2, ensure_ascii=False) + "\n"
    # Names of files may hold bytes that are not UTF-8, which Python has as halves of surrogate pairs.
    (directory / DESCRIPTION).write_bytes(text.encode("utf-8", "backslashreplace"))


def file_hash(path: Path) -> str:
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
