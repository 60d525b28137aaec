import zlib

import numpy as np
import pytest

from elmo_plugin.corpus.word_lists import byte_lengths, from_lines, to_lines, word_hashes

WORDS = ["a", "bcd", "字", "x\u2028y", "\x85", "é" * 40]


@pytest.mark.parametrize("words", [[], WORDS])
def test_words_survive_as_lines(words):
    assert from_lines(to_lines(words)) == words
    assert to_lines(words).count(b"\n") == len(words)


@pytest.mark.parametrize("words", [[], WORDS])
def test_hashes_and_lengths_are_those_of_the_words_bytes(words):
    assert word_hashes(words).tolist() == [zlib.crc32(word.encode()) for word in words]
    assert byte_lengths(words).tolist() == [len(word.encode()) for word in words]
    assert word_hashes(words).dtype == np.uint32
