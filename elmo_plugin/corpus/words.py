"""
Sentences to numbered or counted words: the loop that every token goes through.

`number_sentences` is the definition. For tokenised text `number_text` and `count_text` do the same on the bytes,
several times as fast where pyarrow is installed; wherever they cannot tell the same result apart, they leave the work
to the definition.
"""

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from elmo_plugin.corpus.word_lists import NEWLINE, array_of_lines, import_pyarrow, number_array, numbering, to_lines

if TYPE_CHECKING:
    import pyarrow

# Code points above ASCII that `str.split` takes for white space, in UTF-8; and the ASCII ones that `_words_of_lines`
# does not.
_WIDE_SPACES = np.array(
    [int.from_bytes(chr(code).encode("utf-8"), "big") for code in range(0x80, 0x3001) if chr(code).isspace()]
)
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
    type_lines : `bytes`
        The distinct words, one a line, in order of first occurrence.
    """

    ids: np.ndarray
    lengths: np.ndarray
    type_lines: bytes

    def count_of(self, number: int) -> int:
        """How often one of the types occurs."""
        return int(np.count_nonzero(self.ids == number))


@dataclass(frozen=True)
class CountedWords:
    """
    # Parameters

    counts : `np.ndarray`
        Shape `(num_types,)`, int64: how often each of the types occurs.
    lengths : `np.ndarray`
        Shape `(num_sentences,)`, int64; no sentence is empty.
    type_lines : `bytes`
        The distinct words, one a line, in order of first occurrence.
    """

    counts: np.ndarray
    lengths: np.ndarray
    type_lines: bytes

    def count_of(self, number: int) -> int:
        """How often one of the types occurs."""
        return int(self.counts[number])


def number_sentences(sentences: Sequence[List[str]]) -> NumberedWords:
    """Numbers the words of sentences that are not empty."""
    lengths = np.fromiter(map(len, sentences), np.int64, len(sentences))
    table: Dict[str, int] = numbering()
    words = chain.from_iterable(sentences)
    ids = np.fromiter(map(table.__getitem__, words), np.int32, int(lengths.sum()))
    return NumberedWords(ids, lengths, to_lines(table))


def count_sentences(sentences: Sequence[List[str]]) -> CountedWords:
    """Counts the words of sentences that are not empty."""
    numbered = number_sentences(sentences)
    return CountedWords(np.bincount(numbered.ids), numbered.lengths, numbered.type_lines)


def number_text(data: bytes) -> Optional[NumberedWords]:
    """
    The same for the lines of tokenised text: `number_sentences([words for words in map(str.split, lines) if words])`.

    # Parameters

    data : `bytes`

    # Returns

    `NumberedWords`, or `None` where pyarrow is not installed or the text is not UTF-8 or holds white space beyond
    ASCII's.
    """
    split = _split(data)
    if split is None:
        return None
    words, lengths = split
    ids, type_lines = number_array(words)
    return NumberedWords(ids, lengths, type_lines)


def count_text(data: bytes) -> Optional[CountedWords]:
    """As `number_text`, but counts: `count_sentences`."""
    split = _split(data)
    if split is None:
        return None
    words, lengths = split
    distinct, counts = words.value_counts().flatten()
    return CountedWords(counts.to_numpy(), lengths, b"".join(distinct.to_pylist()))


def _split(data: bytes) -> Optional[Tuple["pyarrow.ChunkedArray", np.ndarray]]:
    """The words of tokenised text, each with a newline behind it, and how many of them each line has that has any."""
    pyarrow = import_pyarrow()
    if pyarrow is None:
        return None
    words, lengths = [], [np.zeros(0, np.int64)]
    for chunk in _chunks(data):
        if not _is_utf8(chunk) or has_rare_spaces(chunk):
            return None
        offsets, lines, of_lines = _words_of_lines(chunk)
        words.append(array_of_lines(pyarrow.binary(), offsets, lines))
        lengths.append(of_lines)
    return pyarrow.chunked_array(words, pyarrow.binary()), np.concatenate(lengths)


def _chunks(data: bytes) -> Iterator[bytes]:
    """Whole lines, about as many as a processor's cache holds together with what is made of them."""
    begin = 0
    while begin < len(data):
        end = data.find(b"\n", begin + _CHUNK_BYTES) + 1 or len(data)
        chunk = data[begin:end]
        yield chunk if chunk.endswith(b"\n") else chunk + b"\n"
        begin = end


def _words_of_lines(data: bytes) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    What an Arrow array of the words is made of, offsets and then bytes, where each word has a newline behind it; and
    the number of words in each line that has any.
    """
    characters = np.frombuffer(data, np.uint8)
    # Shape: (number of white spaces,)
    ends = np.flatnonzero((characters == 32) | ((characters >= 9) & (characters <= 13)))
    # Shape: (number of white spaces,); the bytes from the one before, itself counted: of a word 2 or more
    sizes = np.diff(ends, prepend=-1)
    is_word = sizes > 1
    # Shape: (number of lines,), words up to the end of each line
    up_to = np.cumsum(is_word)[characters[ends] == NEWLINE]
    lengths = np.diff(up_to, prepend=0)
    lines = characters.copy()
    lines[ends] = NEWLINE
    if not is_word.all():
        lines, sizes = np.delete(lines, ends[~is_word]), sizes[is_word]
    offsets = np.zeros(len(sizes) + 1, np.int32)
    np.cumsum(sizes, out=offsets[1:])
    return offsets, lines, lengths[lengths > 0]


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
