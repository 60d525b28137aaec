"""
Lines of text files, as the dataset readers see them: decoded, numbered, and free of what editors leave behind.
"""

import glob
import gzip
import lzma
import os
import zlib
from typing import Iterable, Iterator, List, Tuple

from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import cached_path

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# What opens a file of a given ending, and what such a file is called.
COMPRESSIONS = {".gz": (gzip.open, "gzip"), ".xz": (lzma.open, "xz")}
NOT_READ = (".zst", ".bz2", ".zip", ".7z", ".tar", ".tgz")


def matching_files(pattern: str) -> List[str]:
    """
    The files of a path, sorted: the path itself, the files that match it as a glob (`*`, `?`, `[...]`, `**`), or
    the local copy of a URL.

    # Raises

    `ConfigurationError` where there is none, or a folder is named.
    """
    if "://" in pattern:
        return [str(cached_path(pattern))]
    if os.path.isdir(pattern):
        raise ConfigurationError(
            f"{pattern} is a folder; expected a file or a pattern of files. Say which, for example "
            f"{os.path.join(pattern, '*.conll')}."
        )
    if os.path.exists(pattern):
        return [pattern]
    files = sorted(path for path in glob.glob(pattern, recursive=True) if os.path.isfile(path))
    if not files:
        raise ConfigurationError(
            f"There is no file {pattern}, nor does it match any as a pattern. Give the path of a file (.gz and .xz "
            f"are allowed) or a pattern such as 'data/*.conll', seen from {os.getcwd()}."
        )
    return files


def numbered_lines(path: str) -> Iterator[Tuple[int, str]]:
    """
    `decoded_lines` of a file, `.gz`, `.xz` or neither.

    # Raises

    `ConfigurationError`, as `decoded_lines`, for a damaged `.gz` or `.xz`, and for other compressed forms.
    """
    ending = os.path.splitext(path)[1]
    if ending in NOT_READ:
        raise ConfigurationError(
            f"{path}: expected text, or text in .gz or .xz; files ending in {ending} are not read here. Unpack it; or "
            "prepare a corpus with elmo-prepare, which reads .zst too."
        )
    opener, kind = COMPRESSIONS.get(ending, (open, "plain"))
    number = 0
    with opener(path, "rb") as file:
        try:
            for number, line in decoded_lines(file, path):
                yield number, line
        except (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError) as error:
            raise ConfigurationError(
                f"{path}, after line {number}: the file is not a whole {kind} file ({error}). Copy or compress it "
                f"anew; if it is plain text, remove {ending} from its name."
            ) from error


def decoded_lines(lines: Iterable[bytes], name: str) -> Iterator[Tuple[int, str]]:
    """
    Lines of UTF-8 with their numbers from 1 and without their ends. A byte order mark in front is dropped and CRLF ends
    a line as LF does; only these do: a separator such as U+2028 is part of the line.

    # Parameters

    lines : as a file that is open for bytes gives them.
    name : of their source, for messages.

    # Raises

    `ConfigurationError`, naming source and line, for bytes that are not UTF-8, a NUL byte, and a carriage return inside
    a line.
    """
    for number, line in enumerate(lines, 1):
        if number == 1:
            line = line.removeprefix(BYTE_ORDER_MARK)
        yield number, _decode(line.removesuffix(b"\n").removesuffix(b"\r"), f"{name}, line {number}")


def _decode(line: bytes, place: str) -> str:
    if b"\0" in line:
        raise ConfigurationError(
            f"{place}: expected text in UTF-8, found a NUL byte. If the file is UTF-16, convert it: "
            f"iconv -f UTF-16 -t UTF-8; else remove the byte."
        )
    if b"\r" in line:
        raise ConfigurationError(
            f"{place}: expected lines that end in LF or CRLF, found a carriage return inside a line. Convert the line "
            f"ends: tr '\\r' '\\n'."
        )
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{place}: expected text in UTF-8, found byte 0x{line[error.start]:02x} at position {error.start} "
            f"({error.reason}). Convert the file, for example: iconv -f LATIN1 -t UTF-8."
        ) from error
