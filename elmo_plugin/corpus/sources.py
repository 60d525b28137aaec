"""The input arguments of a preparation as a list of files that can be opened, whatever their compression."""

import glob
import gzip
import lzma
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Iterator, List, Optional, Sequence

TEXT_ENDINGS = (".txt", ".text")
COMPRESSIONS = (".gz", ".xz")
STANDARD_INPUT = "-"


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

    def open(self) -> BinaryIO:
        """The decompressed bytes."""
        if self.path is None:
            return sys.stdin.buffer
        if self.path.suffix == ".gz":
            return gzip.open(self.path, "rb")
        if self.path.suffix == ".xz":
            return lzma.open(self.path, "rb")
        return self.path.open("rb")


def find_sources(inputs: Sequence[str]) -> List[Source]:
    """
    The files that `inputs` name, in the order of `inputs`; within a directory or a glob sorted by path.

    A directory gives the files below it that end in `.txt` or `.text`, compressed or not, hidden ones left out;
    a file or a glob is taken whatever its ending; `-` is standard input.

    # Raises

    `ValueError` if an input is missing or matches nothing, or if a file is named twice.
    """
    sources = [source for argument in inputs for source in _find(argument)]
    seen = set()
    for source in sources:
        identity = None if source.path is None else source.path.resolve()
        if identity in seen:
            raise ValueError(f"{source.name}: named twice among the inputs; name each file once.")
        seen.add(identity)
    return sources


def _find(argument: str) -> Iterator[Source]:
    path = Path(argument)
    if argument == STANDARD_INPUT:
        yield Source("<standard input>", None)
    elif path.is_dir():
        yield from _from_directory(path)
    elif path.exists():
        yield Source(argument, path)
    else:
        yield from _from_glob(argument)


def _from_directory(directory: Path) -> List[Source]:
    endings = tuple(text + packed for text in TEXT_ENDINGS for packed in ("", *COMPRESSIONS))
    found = [
        Source(str(path), path)
        for path in sorted(directory.rglob("*"))
        if path.is_file()
        and path.name.endswith(endings)
        and not any(part.startswith(".") for part in path.relative_to(directory).parts)
    ]
    if not found:
        raise ValueError(
            f"{directory}: no file below this directory ends in {', '.join(TEXT_ENDINGS)} (or these with "
            f"{', '.join(COMPRESSIONS)}); name the files themselves or give a glob such as '{directory}/*'."
        )
    return found


def _from_glob(argument: str) -> List[Source]:
    if not glob.has_magic(argument):
        raise ValueError(f"{argument}: no such file or directory; give a file, a directory, a glob or - .")
    found = [Source(name, Path(name)) for name in sorted(glob.glob(argument, recursive=True)) if Path(name).is_file()]
    if not found:
        raise ValueError(f"{argument}: no file matches this pattern; check it with `ls {argument}`.")
    return found
