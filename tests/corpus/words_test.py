import random
import sys

import numpy as np
import pytest

from elmo_plugin.corpus import words
from elmo_plugin.corpus.word_lists import from_lines
from elmo_plugin.corpus.words import count_sentences, count_text, has_rare_spaces, number_sentences, number_text


def split(text):
    return [words for words in map(str.split, text.split("\n")) if words]


def definition(text):
    return number_sentences(split(text))


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


@pytest.mark.parametrize("chunk_bytes", [1, 4, 1 << 18])
def test_the_fast_path_does_what_the_definition_does(monkeypatch, chunk_bytes):
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    monkeypatch.setattr(words, "_CHUNK_BYTES", chunk_bytes)
    generator = random.Random(0)
    for _ in range(3000):
        text = "".join(generator.choice("ab\n \t\r\x0b\x0c字“é") for _ in range(generator.randrange(14)))
        fast, slow = number_text(text.encode()), definition(text)
        assert fast.ids.tolist() == slow.ids.tolist()
        assert fast.lengths.tolist() == slow.lengths.tolist()
        assert from_lines(fast.type_lines) == from_lines(slow.type_lines)
        assert (fast.ids.dtype, fast.lengths.dtype) == (slow.ids.dtype, slow.lengths.dtype)
        fast, slow = count_text(text.encode()), count_sentences(split(text))
        counts = [dict(zip(c.type_lines.split(b"\n"), c.counts)) for c in (fast, slow)]
        assert counts[0] == counts[1]
        assert fast.lengths.tolist() == slow.lengths.tolist()


def test_every_white_space_that_the_fast_path_does_not_know_is_found():
    for code in range(0x110000):
        if not 0xD800 <= code < 0xE000:
            character = chr(code)
            is_rare = character.isspace() and character not in " \n\t\r\x0b\x0c"
            if is_rare or code < 0x4000:
                assert has_rare_spaces(f"a{character}b".encode()) is is_rare


def test_the_fast_path_leaves_rare_white_space_and_what_is_not_utf_8_to_the_definition():
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    assert number_text("a\u3000b".encode()) is None
    assert number_text(b"a\n\xff") is None
    assert number_text("a b".encode()) is not None
    assert count_text("a\u3000b".encode()) is None
    assert count_text("a b".encode()) is not None


def test_the_fast_path_is_not_taken_without_pyarrow(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert number_text(b"a b") is None
    assert count_text(b"a b") is None
