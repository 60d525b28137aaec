import random

import numpy as np
import pytest

from elmo_plugin.corpus.ranking import RankedWords
from elmo_plugin.corpus.word_lists import as_lines, from_lines, to_lines
from tests.corpus.programs import WAYS, go


@pytest.mark.parametrize("way", WAYS)
def test_words_are_ranked_by_count_and_then_by_code_point(way, monkeypatch):
    go(way, monkeypatch)
    words = ["b", "字", "a", "é", "a\x01", "\U0001f600", "a b", "\uffff"]
    counts = np.array([2, 1, 1, 1, 1, 1, 1, 1])
    ranked = RankedWords.of(to_lines(words), counts, 100 + np.arange(len(words)))
    expected = ["b", *sorted(words[1:])]
    assert from_lines(ranked.lines) == expected
    assert ranked.counts.tolist() == [2, 1, 1, 1, 1, 1, 1, 1]
    assert ranked.numbers.tolist() == [100 + words.index(word) for word in expected]


@pytest.mark.parametrize("size", [None, 0, 3, 100])
def test_words_that_are_added_part_by_part_are_ranked_as_in_one_go(size):
    generator = random.Random(0)
    words = [f"{i}".encode() for i in generator.sample(range(1000), 40)]
    counts = np.array([generator.randrange(1, 4) for _ in words])
    numbers = np.arange(len(words))
    whole = RankedWords.of(as_lines(words), counts, numbers, size)
    parts = RankedWords.none()
    for begin in range(0, len(words), 15):
        part = slice(begin, begin + 15)
        parts = parts.and_others(as_lines(words[part]), counts[part], numbers[part], size)
    assert parts.lines == whole.lines
    assert parts.counts.tolist() == whole.counts.tolist()
    assert parts.numbers.tolist() == whole.numbers.tolist()
    assert len(from_lines(whole.lines)) == min(len(words), len(words) if size is None else size)
