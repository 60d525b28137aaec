import zlib

import numpy as np
import pytest

from elmo_plugin.corpus.word_lists import (
    as_lines,
    count_lines,
    encoded_words,
    from_lines,
    hash_order,
    line_hashes,
    line_offsets,
    lines_in_order,
    number_words,
    numbers_of,
    to_lines,
)
from tests.corpus.programs import WAYS, go

WORDS = ["a", "bcd", "字", "x\u2028y", "\x85", "é" * 40]


@pytest.mark.parametrize("words", [[], WORDS])
def test_words_survive_as_lines(words):
    assert from_lines(to_lines(words)) == words
    assert to_lines(words).count(b"\n") == len(words)


@pytest.mark.parametrize("words", [[], WORDS])
def test_encoded_words_make_the_same_lines(words):
    assert encoded_words(to_lines(words)) == [word.encode() for word in words]
    assert as_lines(encoded_words(to_lines(words))) == to_lines(words)


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    go(request.param, monkeypatch)


@pytest.mark.parametrize("words", [[], WORDS])
def test_hashes_and_lengths_are_those_of_the_words_bytes(way, words):
    encoded = [word.encode() for word in words]
    hashes = line_hashes(to_lines(words))
    assert hashes.tolist() == [zlib.crc32(word) for word in encoded]
    assert hashes.dtype == np.uint32
    assert (np.diff(line_offsets(to_lines(words))) - 1).tolist() == [len(word) for word in encoded]
    assert count_lines(to_lines(words)) == len(words)


def test_equal_hashes_stay_in_their_order():
    hashes = np.random.default_rng(0).integers(0, 50, 1000).astype(np.uint32) * np.uint32(85_000_000)
    assert np.array_equal(hash_order(hashes), np.argsort(hashes, kind="stable"))


@pytest.mark.parametrize("order", [[], [3], [5, 0, 0, 2], range(6)])
def test_words_are_put_in_order(way, order):
    lines = lines_in_order(to_lines(WORDS), np.array(order, np.int64))
    assert from_lines(lines) == [WORDS[i] for i in order]


def test_words_are_found_whole():
    assert numbers_of([b"a", b"b", b"bc", "字".encode()], to_lines(["bc", "字a", "字", "a"])) == [3, 0, 2]
    assert numbers_of([b"a"], b"") == []


@pytest.mark.parametrize("lists", [[[]], [["a"]], [["b", "a"], [], ["c", "a", "b"], WORDS, WORDS[::-1]]])
def test_words_of_several_lists_are_numbered_in_order_of_first_occurrence(way, lists):
    expected = list(dict.fromkeys(word for words in lists for word in words))
    numbers, distinct = number_words([to_lines(words) for words in lists])
    assert from_lines(distinct) == expected
    assert [of_list.tolist() for of_list in numbers] == [[expected.index(word) for word in words] for words in lists]
    assert all(of_list.dtype == np.int32 for of_list in numbers)
