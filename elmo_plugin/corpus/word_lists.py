"""
Lists of words as bytes, one a line, which are counted, numbered and sorted without being decoded.

Words are looked up in pyarrow's hash table, where that is installed, else in Python's, with the same result: such lines
are what pyarrow's arrays are made of.
"""

import zlib
from collections import defaultdict
from types import ModuleType
from typing import TYPE_CHECKING, Any, DefaultDict, Dict, Iterable, List, Optional, Sequence, Tuple, Union

import numpy as np

if TYPE_CHECKING:
    import pyarrow

NEWLINE = ord("\n")
Buffer = Union[bytes, np.ndarray]


def import_pyarrow() -> Optional[ModuleType]:
    """Takes a while the first time; processes that are forked later have it at once."""
    try:
        import pyarrow
        import pyarrow.compute
    except ImportError:
        return None
    return pyarrow


def to_lines(words: Iterable[str]) -> bytes:
    """Each word followed by a newline, in UTF-8."""
    text = "\n".join(words)
    return (text + "\n").encode("utf-8") if text else b""


def from_lines(data: bytes) -> List[str]:
    """The words of `to_lines`. Lines end at newlines alone: `splitlines` would break words at rarer characters too."""
    return data.decode("utf-8").split("\n")[:-1]


def as_lines(words: Iterable[bytes]) -> bytes:
    """As `to_lines`, of words in UTF-8."""
    text = b"\n".join(words)
    return text + b"\n" if text else b""


def encoded_words(lines: bytes) -> List[bytes]:
    """As `from_lines`, still in UTF-8: such words sort as their code points do."""
    return lines.split(b"\n")[:-1]


def word_hashes(words: Sequence[bytes]) -> np.ndarray:
    """CRC-32 of each word: the same on every machine and in every process, unlike `hash`. Shape: (words,)"""
    return np.fromiter(map(zlib.crc32, words), np.uint32, len(words))


def line_offsets(lines: bytes) -> np.ndarray:
    """Where each line begins, and where the last one ends. Shape: (words + 1,), int64"""
    ends = np.flatnonzero(np.frombuffer(lines, np.uint8) == NEWLINE)
    return np.concatenate([np.zeros(1, np.int64), ends + 1])


def number_words(lists: Sequence[bytes]) -> Tuple[List[np.ndarray], bytes]:
    """
    Numbers the distinct words of several lists in order of first occurrence.

    # Parameters

    lists : `Sequence[bytes]`
        Lines.

    # Returns

    `List[np.ndarray]`
        For each list the numbers of its words. Shape: (words,), int32
    `bytes`
        The distinct words, as lines.
    """
    pyarrow = import_pyarrow()
    if pyarrow is None:
        return _number_in_python(lists)
    arrays = [array_of_lines(pyarrow.large_binary(), line_offsets(lines), lines) for lines in lists]
    numbers, distinct = number_array(pyarrow.chunked_array(arrays, pyarrow.large_binary()))
    return np.split(numbers, np.cumsum([len(array) for array in arrays])[:-1]), distinct


def array_of_lines(kind: "pyarrow.DataType", offsets: np.ndarray, lines: Buffer) -> "pyarrow.Array":
    """
    Lines as an array of pyarrow, which uses this memory.

    # Parameters

    kind : `pyarrow.DataType`
        `binary` for offsets of int32, `large_binary` for those of int64.
    offsets : `np.ndarray`
        As of `line_offsets`.
    lines : `bytes` or `np.ndarray`
    """
    import pyarrow

    buffers = [None, pyarrow.py_buffer(offsets), pyarrow.py_buffer(lines)]
    return pyarrow.Array.from_buffers(kind, len(offsets) - 1, buffers)


def number_array(lines: "pyarrow.ChunkedArray") -> Tuple[np.ndarray, bytes]:
    """As `number_words`, of an array of lines."""
    encoded = lines.dictionary_encode().chunks
    distinct = encoded[-1].dictionary.to_pylist() if encoded else []
    return np.concatenate([np.zeros(0, np.int32), *(chunk.indices.to_numpy() for chunk in encoded)]), b"".join(distinct)


def numbering() -> Dict[Any, int]:
    """A table that gives whatever it does not have the next number, from 0 on."""
    table: DefaultDict[Any, int] = defaultdict()
    table.default_factory = table.__len__
    return table


def _number_in_python(lists: Sequence[bytes]) -> Tuple[List[np.ndarray], bytes]:
    table: Dict[bytes, int] = numbering()
    numbers = []
    for lines in lists:
        words = encoded_words(lines)
        numbers.append(np.fromiter(map(table.__getitem__, words), np.int32, len(words)))
    return numbers, as_lines(table)
