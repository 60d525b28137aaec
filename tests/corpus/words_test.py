import numpy as np
import pytest

from elmo_plugin.corpus.word_lists import from_lines
from elmo_plugin.corpus.words import count_sentences, count_text, number_sentences, number_text
from tests.corpus.programs import WAYS, go, runs_here


def test_words_are_numbered_in_order_of_first_occurrence():
    numbered = number_sentences([["a", "b", "a"], ["c", "a"]])
    assert numbered.ids.tolist() == [0, 1, 0, 2, 0]
    assert numbered.lengths.tolist() == [3, 2]
    assert from_lines(numbered.type_lines) == ["a", "b", "c"]
    assert (numbered.ids.dtype, numbered.lengths.dtype) == (np.int32, np.int64)


def test_words_are_counted_in_order_of_first_occurrence():
    counted = count_sentences([["a", "b", "a"], ["c", "a"]])
    assert (counted.counts.tolist(), counted.lengths.tolist(), counted.type_lines) == ([3, 1, 1], [3, 2], b"a\nb\nc\n")
    assert [counted.count_of(number) for number in range(3)] == [3, 1, 1]
    numbered = number_sentences([["a", "b", "a"], ["c", "a"]])
    assert [numbered.count_of(number) for number in range(3)] == [3, 1, 1]


def test_no_sentence_gives_no_words():
    numbered = number_sentences([])
    assert (len(numbered.ids), len(numbered.lengths), from_lines(numbered.type_lines)) == (0, 0, [])


@pytest.mark.parametrize("way", WAYS)
def test_the_fast_way_leaves_to_the_definition_what_is_not_utf_8_and_all_where_it_is_not(way, monkeypatch):
    go(way, monkeypatch)
    assert number_text(b"a\n\xff") is None and count_text(b"a\n\xff") is None
    assert (number_text(b"a b") is None) == (count_text(b"a b") is None) == (way == "in Python")


@runs_here
def test_the_fast_way_does_what_the_definition_does():
    text = "the cat\u3000the\x1fmat \r\n\n\x85 \xa0\n字 “cat”\u2028the"
    sentences = [words for words in map(str.split, text.split("\n")) if words]
    assert sentences == [["the", "cat", "the", "mat"], ["字", "“cat”", "the"]]
    for fast, slow in [(number_text, number_sentences), (count_text, count_sentences)]:
        found, expected = vars(fast(text.encode())), vars(slow(sentences))
        assert {name: list(value) for name, value in found.items()} == {n: list(v) for n, v in expected.items()}
