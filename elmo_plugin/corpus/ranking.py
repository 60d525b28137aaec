"""Words in the order of vocabularies."""

from dataclasses import dataclass
from typing import List, Optional

import numpy as np


@dataclass(frozen=True)
class RankedWords:
    """
    Words by descending count, ties by code point.

    # Parameters

    words : `List[bytes]`
        In UTF-8, whose bytes sort as code points do.
    counts, numbers : `np.ndarray`
        Shape `(num_words,)`, int64: how often each occurs, and which of all types it is.
    """

    words: List[bytes]
    counts: np.ndarray
    numbers: np.ndarray

    @classmethod
    def of(
        cls, words: List[bytes], counts: np.ndarray, numbers: np.ndarray, size: Optional[int] = None
    ) -> "RankedWords":
        """Of words in any order: the first `size` of them, or all."""
        by_word = np.array(sorted(range(len(words)), key=words.__getitem__), np.int64)
        order = by_word[np.argsort(-counts[by_word], kind="stable")][:size]
        return cls([words[i] for i in order.tolist()], counts[order], numbers[order])

    @classmethod
    def none(cls) -> "RankedWords":
        return cls([], np.zeros(0, np.int64), np.zeros(0, np.int64))

    def and_others(
        self, words: List[bytes], counts: np.ndarray, numbers: np.ndarray, size: Optional[int]
    ) -> "RankedWords":
        """These together with others in any order: the first `size` of them, or all."""
        all_counts, all_numbers = np.concatenate([self.counts, counts]), np.concatenate([self.numbers, numbers])
        return RankedWords.of(self.words + words, all_counts, all_numbers, size)
