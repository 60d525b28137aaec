"""
Lists of words as bytes, one a line, which are numbered, hashed and put in order without being decoded.

What is done for every word is done by the program in C where that is compiled, else by Python, with the same result.
"""

import zlib
from collections import defaultdict
from typing import Any, DefaultDict, Dict, Iterable, List, Sequence, Tuple

import numpy as np

from elmo_plugin.corpus import compiled_words

NEWLINE = ord("\n")


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


def line_hashes(lines: bytes) -> np.ndarray:
    """
    CRC-32 of each word: the same on every machine and in every process, unlike `hash`. Shape: (words,), uint32
    """
    if compiled_words.why_not() is None:
        return compiled_words.line_hashes(lines, count_lines(lines))
    words = encoded_words(lines)
    return np.fromiter(map(zlib.crc32, words), np.uint32, len(words))


def hash_order(hashes: np.ndarray) -> np.ndarray:
    """`np.argsort(hashes, kind="stable")` of uint32, several times as fast. Shape: (words,), int64"""
    # A hash and its place are one number: numbers that are all different need no stable sort.
    keys = hashes.astype(np.uint64) << np.uint64(32) | np.arange(len(hashes), dtype=np.uint64)
    keys.sort()
    return (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)


def count_lines(lines: bytes) -> int:
    """How many newlines there are: `bytes.count`, several times as fast where there are many."""
    return int(np.count_nonzero(np.frombuffer(lines, np.uint8) == NEWLINE))


def line_offsets(lines: bytes) -> np.ndarray:
    """Where each line begins, and where the last one ends. Shape: (words + 1,), int64"""
    ends = np.flatnonzero(np.frombuffer(lines, np.uint8) == NEWLINE)
    return np.concatenate([np.zeros(1, np.int64), ends + 1])


def lines_in_order(lines: bytes, order: np.ndarray) -> bytes:
    """
    Some of the words, or all, in another order.

    # Parameters

    lines : `bytes`
    order : `np.ndarray`
        Which of the words. Shape: (words to be returned,)
    """
    if compiled_words.why_not() is None:
        offsets = line_offsets(lines)
        return compiled_words.gathered(lines, offsets[:-1][order], np.diff(offsets)[order])
    words = encoded_words(lines)
    return as_lines([words[i] for i in order.tolist()])


def numbers_of(words: Sequence[bytes], lines: bytes) -> List[int]:
    """Which of the lines are these words, whose bytes are no newlines, without those that none is."""
    lines = b"\n" + lines
    found = (lines.find(b"\n" + word + b"\n") for word in words)
    return [count_lines(lines[:place]) for place in found if place >= 0]


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
    together = b"".join(lists)
    if not compiled_words.can_read(together):
        return _number_in_python(lists)
    numbers, distinct = compiled_words.number_lines(together)
    return np.split(numbers, np.cumsum([count_lines(lines) for lines in lists]))[:-1], distinct


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
