import sys
import zlib

import numpy as np
import pytest

from elmo_plugin.corpus.word_lists import (
    as_lines,
    encoded_words,
    from_lines,
    line_offsets,
    number_words,
    to_lines,
    word_hashes,
)

WORDS = ["a", "bcd", "字", "x\u2028y", "\x85", "é" * 40]


@pytest.mark.parametrize("words", [[], WORDS])
def test_words_survive_as_lines(words):
    assert from_lines(to_lines(words)) == words
    assert to_lines(words).count(b"\n") == len(words)


@pytest.mark.parametrize("words", [[], WORDS])
def test_encoded_words_make_the_same_lines(words):
    assert encoded_words(to_lines(words)) == [word.encode() for word in words]
    assert as_lines(encoded_words(to_lines(words))) == to_lines(words)


@pytest.mark.parametrize("words", [[], WORDS])
def test_hashes_and_lengths_are_those_of_the_words_bytes(words):
    encoded = [word.encode() for word in words]
    assert word_hashes(encoded).tolist() == [zlib.crc32(word) for word in encoded]
    assert word_hashes(encoded).dtype == np.uint32
    assert (np.diff(line_offsets(to_lines(words))) - 1).tolist() == [len(word) for word in encoded]


@pytest.fixture(params=["with pyarrow", "without pyarrow"])
def hash_table(request, monkeypatch):
    if request.param == "without pyarrow":
        monkeypatch.setitem(sys.modules, "pyarrow", None)
    else:
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")


@pytest.mark.parametrize("lists", [[[]], [["a"]], [["b", "a"], [], ["c", "a", "b"], WORDS, WORDS[::-1]]])
def test_words_of_several_lists_are_numbered_in_order_of_first_occurrence(hash_table, lists):
    expected = list(dict.fromkeys(word for words in lists for word in words))
    numbers, distinct = number_words([to_lines(words) for words in lists])
    assert from_lines(distinct) == expected
    assert [of_list.tolist() for of_list in numbers] == [[expected.index(word) for word in words] for words in lists]
    assert all(of_list.dtype == np.int32 for of_list in numbers)
