"""Lists of words as bytes, one a line, without a Python step for each word."""

import zlib
from typing import Iterable, List, Sequence

import numpy as np


def to_lines(words: Iterable[str]) -> bytes:
    """Each word followed by a newline, in UTF-8."""
    text = "\n".join(words)
    return (text + "\n").encode("utf-8") if text else b""


def from_lines(data: bytes) -> List[str]:
    """The words of `to_lines`. Lines end at newlines alone: `splitlines` would break words at rarer characters too."""
    return data.decode("utf-8").split("\n")[:-1]


def word_hashes(words: Sequence[str]) -> np.ndarray:
    """CRC-32 of each word in UTF-8: the same on every machine and in every process, unlike `hash`. Shape: (words,)"""
    return np.fromiter(map(zlib.crc32, to_lines(words).split(b"\n")[:-1]), np.uint32, len(words))


def byte_lengths(words: Sequence[str]) -> np.ndarray:
    """Length of each word in UTF-8. Shape: (words,)"""
    ends = np.flatnonzero(np.frombuffer(to_lines(words), np.uint8) == ord("\n"))
    return np.diff(ends, prepend=-1) - 1
