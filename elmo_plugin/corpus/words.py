"""
Sentences to numbered words: the loop that every token goes through.

`number_sentences` is the definition. For tokenised text `number_text` does the same on the bytes, several times as
fast where pyarrow is installed; wherever it cannot tell the same result apart, it leaves the work to the definition.
"""

from collections import defaultdict
from dataclasses import dataclass
from itertools import chain
from typing import Dict, List, Optional, Sequence

import numpy as np

# Code points above ASCII that `str.split` takes for white space, in UTF-8; and the ASCII ones that `bytes.split` does
# not.
_WIDE_SPACES = np.array(
    [int.from_bytes(chr(code).encode("utf-8"), "big") for code in range(0x80, 0x3001) if chr(code).isspace()]
)
_RARE_SPACES = (b"\x1c", b"\x1d", b"\x1e", b"\x1f")
_MAX_BYTES = 1 << 31


@dataclass(frozen=True)
class NumberedWords:
    """
    # Parameters

    ids : `np.ndarray`
        Shape `(num_tokens,)`, int32: index into `types`, sentence after sentence.
    lengths : `np.ndarray`
        Shape `(num_sentences,)`, int64; no sentence is empty.
    types : `List[str]`
        The distinct words, in order of first occurrence.
    """

    ids: np.ndarray
    lengths: np.ndarray
    types: List[str]


def number_sentences(sentences: Sequence[List[str]]) -> NumberedWords:
    """Numbers the words of sentences that are not empty."""
    lengths = np.fromiter(map(len, sentences), np.int64, len(sentences))
    table: Dict[str, int] = defaultdict()
    table.default_factory = table.__len__
    words = chain.from_iterable(sentences)
    ids = np.fromiter(map(table.__getitem__, words), np.int32, int(lengths.sum()))
    return NumberedWords(ids, lengths, list(table))


def number_text(data: bytes) -> Optional[NumberedWords]:
    """
    The same for the lines of tokenised text: `number_sentences([words for words in map(str.split, lines) if words])`.

    # Parameters

    data : `bytes`
        Valid UTF-8.

    # Returns

    `NumberedWords`, or `None` where pyarrow is not installed or the text holds white space beyond ASCII's.
    """
    try:
        import pyarrow
    except ImportError:
        return None
    if has_rare_spaces(data) or len(data) >= _MAX_BYTES:
        return None
    # Shape: (bytes of data + 1,); the end counts as a line's end
    characters = np.frombuffer(data + b"\n", np.uint8)
    is_space = (characters == 32) | ((characters >= 9) & (characters <= 13))
    is_end = is_space[1:] & ~is_space[:-1]
    # Shape: (num_tokens,): where each word ends
    ends = np.flatnonzero(is_end) + 1
    words, offsets = _without_spaces(characters, is_space, ends)
    arrays = [pyarrow.py_buffer(offsets), pyarrow.py_buffer(words)]
    encoded = pyarrow.StringArray.from_buffers(len(ends), *arrays).dictionary_encode()
    lengths = np.diff(np.searchsorted(ends, np.flatnonzero(characters == 10), side="right"), prepend=0)
    ids = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
    return NumberedWords(ids, lengths[lengths > 0], encoded.dictionary.to_pylist())


def _without_spaces(characters: np.ndarray, is_space: np.ndarray, ends: np.ndarray) -> "tuple[np.ndarray, np.ndarray]":
    """The words' bytes with nothing between them, and where each begins there: what an Arrow array is made of."""
    # Of the characters up to the end of word i, those that are spaces are missing in front of the end of word i.
    num_spaces = np.cumsum(is_space, dtype=np.int32)
    offsets = np.zeros(len(ends) + 1, np.int32)
    offsets[1:] = ends - num_spaces[ends - 1]
    return characters[~is_space], offsets


def has_rare_spaces(data: bytes) -> bool:
    """Whether UTF-8 text holds characters that `str.split` splits at and `bytes.split` does not."""
    if any(space in data for space in _RARE_SPACES):
        return True
    if data.isascii():
        return False
    # Shape: (bytes of data + 2,)
    characters = np.frombuffer(data + b"\0\0", np.uint8)
    first = np.flatnonzero((characters == 0xC2) | ((characters >= 0xE1) & (characters <= 0xE3)))
    codes = characters[first].astype(np.int64) << 8 | characters[first + 1]
    is_long = characters[first] != 0xC2
    codes[is_long] = codes[is_long] << 8 | characters[first[is_long] + 2]
    return bool(np.isin(codes, _WIDE_SPACES).any())
