"""Words in the order of vocabularies."""

from dataclasses import dataclass
from typing import Optional

import numpy as np

from elmo_plugin.corpus import compiled_words
from elmo_plugin.corpus.word_lists import encoded_words, line_offsets, lines_in_order


def rank(lines: bytes, counts: np.ndarray) -> np.ndarray:
    """
    The order of words by descending count, ties by code point.

    # Parameters

    lines : `bytes`
        The words, whose bytes sort as code points do.
    counts : `np.ndarray`
        Shape: (words,), int64

    # Returns

    `np.ndarray`
        Shape: (words,), int64
    """
    if compiled_words.why_not() is None:
        return compiled_words.ranked(lines, line_offsets(lines), counts)
    words = encoded_words(lines)
    by_word = np.array(sorted(range(len(words)), key=words.__getitem__), np.int64)
    return by_word[np.argsort(-counts[by_word], kind="stable")]


@dataclass(frozen=True)
class RankedWords:
    """
    Words by descending count, ties by code point.

    # Parameters

    lines : `bytes`
        The words, one a line.
    counts, numbers : `np.ndarray`
        Shape `(num_words,)`, int64: how often each occurs, and which of all types it is.
    """

    lines: bytes
    counts: np.ndarray
    numbers: np.ndarray

    @classmethod
    def of(cls, lines: bytes, counts: np.ndarray, numbers: np.ndarray, size: Optional[int] = None) -> "RankedWords":
        """Of words in any order: the first `size` of them, or all."""
        order = rank(lines, counts)[:size]
        return cls(lines_in_order(lines, order), counts[order], numbers[order])

    @classmethod
    def none(cls) -> "RankedWords":
        return cls(b"", np.zeros(0, np.int64), np.zeros(0, np.int64))

    def and_others(
        self, lines: bytes, counts: np.ndarray, numbers: np.ndarray, size: Optional[int]
    ) -> "RankedWords":
        """These together with others in any order: the first `size` of them, or all."""
        all_counts, all_numbers = np.concatenate([self.counts, counts]), np.concatenate([self.numbers, numbers])
        return RankedWords.of(self.lines + lines, all_counts, all_numbers, size)
