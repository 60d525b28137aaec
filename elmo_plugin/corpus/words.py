"""
Sentences to numbered words: the loop that every token goes through.

`number_sentences` is the definition. For tokenised text `number_text` does the same on the bytes, several times as
fast where pyarrow is installed; wherever it cannot tell the same result apart, it leaves the work to the definition.
"""

from collections import defaultdict
from dataclasses import dataclass
from itertools import chain
from types import ModuleType
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

# Code points above ASCII that `str.split` takes for white space, in UTF-8; and the ASCII ones that `bytes.split` does
# not.
_WIDE_SPACES = np.array(
    [int.from_bytes(chr(code).encode("utf-8"), "big") for code in range(0x80, 0x3001) if chr(code).isspace()]
)
_SPACES = b" \t\n\r\x0b\x0c"
_RARE_SPACES = (b"\x1c", b"\x1d", b"\x1e", b"\x1f")
_CHUNK_BYTES = 1 << 18


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

    # Returns

    `NumberedWords`, or `None` where pyarrow is not installed or the text is not UTF-8 or holds white space beyond
    ASCII's.
    """
    pyarrow = import_pyarrow()
    if pyarrow is None:
        return None
    words, lengths = [], []
    for begin, end in _chunks(data):
        chunk = data[begin:end]
        if not _is_utf8(chunk) or has_rare_spaces(chunk):
            return None
        of_chunk, of_lines = _words_of_lines(chunk)
        words.append(pyarrow.StringArray.from_buffers(len(of_chunk[0]) - 1, *map(pyarrow.py_buffer, of_chunk)))
        lengths.append(of_lines)
    encoded = pyarrow.chunked_array(words, pyarrow.string()).dictionary_encode()
    ids = [chunk.indices.to_numpy() for chunk in encoded.chunks]
    types = encoded.chunk(encoded.num_chunks - 1).dictionary.to_pylist() if ids else []
    return NumberedWords(
        np.concatenate([np.zeros(0, np.int32), *ids]), np.concatenate([np.zeros(0, np.int64), *lengths]), types
    )


def import_pyarrow() -> Optional[ModuleType]:
    """Takes a while the first time; processes that are forked later have it at once."""
    try:
        import pyarrow
    except ImportError:
        return None
    return pyarrow


def _chunks(data: bytes) -> Iterator[Tuple[int, int]]:
    """Whole lines, about as many as a processor's cache holds together with what is made of them."""
    begin = 0
    while begin < len(data):
        end = data.find(b"\n", begin + _CHUNK_BYTES) + 1 or len(data)
        yield begin, end
        begin = end


def _words_of_lines(data: bytes) -> Tuple[Tuple[np.ndarray, np.ndarray], np.ndarray]:
    """
    What an Arrow array of the words is made of, offsets and then bytes with nothing between words; and the number of
    words in each line that has any.
    """
    # Shape: (bytes of data + 2,); white space in front and behind, so that each word has both its ends
    characters = np.frombuffer(b"\n" + data + b"\n", np.uint8)
    is_space = (characters == 32) | ((characters >= 9) & (characters <= 13))
    changes = np.flatnonzero(is_space[1:] != is_space[:-1])
    starts, ends = changes[::2], changes[1::2]
    offsets = np.zeros(len(starts) + 1, np.int32)
    np.cumsum(ends - starts, out=offsets[1:])
    # Shape: (number of lines,), words up to the end of each line
    up_to = np.searchsorted(ends, np.flatnonzero(characters[1:] == 10), side="right")
    lengths = np.diff(up_to, prepend=0)
    words = np.frombuffer(data.translate(None, _SPACES), np.uint8)
    return (offsets, words), lengths[lengths > 0]


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


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
