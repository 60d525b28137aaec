"""
Sentences to numbered or counted words: the loop that every token goes through.

`number_sentences` is the definition. For tokenised text `number_text` and `count_text` do the same on the bytes, many
times as fast where the program in C is compiled; wherever they can't, they leave the work to the definition.
"""

from dataclasses import dataclass
from itertools import chain
from typing import Dict, List, Optional, Sequence

import numpy as np

from elmo_plugin.corpus import compiled_words
from elmo_plugin.corpus.word_lists import numbering, to_lines


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

    `NumberedWords`, or `None` where the program in C can't run or the text is not UTF-8.
    """
    found = compiled_words.split_words(data, count=False) if compiled_words.can_read(data) else None
    return None if found is None else NumberedWords(*found)


def count_text(data: bytes) -> Optional[CountedWords]:
    """As `number_text`, but counts: `count_sentences`."""
    found = compiled_words.split_words(data, count=True) if compiled_words.can_read(data) else None
    return None if found is None else CountedWords(*found)
