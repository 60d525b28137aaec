"""The input arguments of a preparation as a list of files that can be read, whatever their compression."""

import glob
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, Optional, Sequence

from elmo_plugin.corpus.compression import COMPRESSIONS
from elmo_plugin.corpus.prepared import DESCRIPTION, TYPES

logger = logging.getLogger(__name__)

TEXT_ENDINGS = (".txt", ".text")
JSON_ENDINGS = (".jsonl", ".ndjson", ".json")
STANDARD_INPUT = "-"
# Names of files that are left out, in a warning.
SHOWN_NAMES = 5


@dataclass(frozen=True)
class Source:
    """
    One input stream of bytes.

    # Parameters

    name : `str`
        As it was found, for messages and `corpus.json`.
    path : `Path`, optional
        `None` for standard input.
    """

    name: str
    path: Optional[Path]

    def size(self) -> Optional[int]:
        """Bytes on disk; `None` if that is unknown, as of a pipe."""
        return self.path.stat().st_size if self.path is not None and self.path.is_file() else None


def find_sources(inputs: Sequence[str], endings: Sequence[str] = TEXT_ENDINGS) -> List[Source]:
    """
    The files that `inputs` name, in the order of `inputs`; within a directory or a glob sorted by path.

    A directory gives the files below it that have one of the `endings`, compressed or not, hidden ones left out; a
    warning counts the others. A file, also one that a glob matches, is taken whatever its ending; directories that a
    glob matches are not read, and a warning counts them. `-` is standard input.

    # Raises

    `ValueError` if an input is missing or matches nothing, if a file is named twice, or if a directory has a prepared
    corpus in it, whose lists of words would be read as text.
    """
    sources = [source for argument in inputs for source in _find(argument, endings)]
    seen = set()
    for source in sources:
        identity = None if source.path is None else source.path.resolve()
        if identity in seen:
            raise ValueError(f"{source.name}: named twice among the inputs; name each file once.")
        seen.add(identity)
    return sources


def _find(argument: str, endings: Sequence[str]) -> Iterator[Source]:
    path = Path(argument)
    if argument == STANDARD_INPUT:
        yield Source("<standard input>", None)
    elif path.is_dir():
        yield from _from_directory(path, endings)
    elif path.exists():
        yield Source(argument, path)
    else:
        yield from _from_glob(argument)


def _from_directory(directory: Path, endings: Sequence[str]) -> List[Source]:
    names = tuple(ending + packed for ending in endings for packed in ("", *COMPRESSIONS))
    found, others = [], []
    for path in _files_below(directory):
        if path.is_file() and path.name.lower().endswith(names):
            found.append(Source(str(path), path))
        else:
            others.append(str(path))
    if not found:
        raise ValueError(
            f"{directory}: no file below this directory ends in {', '.join(endings)} (or these with "
            f"{', '.join(COMPRESSIONS)}); name the files themselves or give a glob such as '{directory}/*'."
        )
    _tell_what_is_not_read(f"{directory}: what is below it that are no files ending in {', '.join(endings)}", others)
    return found


def _tell_what_is_not_read(what: str, names: Sequence[str]) -> None:
    if names:
        shown = ", ".join(names[:SHOWN_NAMES]) + (", …" if len(names) > SHOWN_NAMES else "")
        logger.warning("%s is not read, %d in all: %s", what, len(names), shown)


def _files_below(directory: Path) -> List[Path]:
    """All that is not hidden, sorted; links to directories among them, which are not followed."""
    files = []
    for path in sorted(directory.rglob("*")):
        if any(part.startswith(".") for part in path.relative_to(directory).parts):
            continue
        if path.name == DESCRIPTION and path.with_name(TYPES).is_file():
            raise ValueError(
                f"{path.parent}: is a prepared corpus, whose lists of words are no text; name what to read, such as "
                f"'{path.parent}/train/*.txt', or put it elsewhere."
            )
        if path.is_symlink() or not path.is_dir():
            files.append(path)
    return files


def _from_glob(argument: str) -> List[Source]:
    if not glob.has_magic(argument):
        raise ValueError(f"{argument}: no such file or directory; give a file, a directory, a glob or - .")
    names = sorted(glob.glob(argument, recursive=True))
    found = [Source(name, Path(name)) for name in names if Path(name).is_file()]
    if not found:
        raise ValueError(f"{argument}: no file matches this pattern; check it with `ls {argument}`.")
    # With `**`, a directory is matched as well as the files in it.
    read = {place for source in found for place in (source.path, *source.path.parents)}
    _tell_what_is_not_read(f"{argument}: what matches that is no file", [n for n in names if Path(n) not in read])
    return found
