import numpy
import pytest

from elmo_plugin.bilm.characters import words_to_characters
from elmo_plugin.bilm.type_table import TypeTable

WORDS = ["<S>", "</S>", "<UNK>", "<s>", "", "a", "café", "中文", "🙂", "\x00", "a b", "a\nb", "x" * 10000]
WORDS += ["中" * count for count in (15, 16, 17)] + ["ab\udc80c", "\udfff" * 60, "end"]


@pytest.fixture
def table():
    return TypeTable.from_words(WORDS)


@pytest.mark.parametrize("max_characters", [3, 4, 5, 12, 50, 100])
def test_characters_are_those_of_the_words_in_any_order(table, max_characters):
    assert len(table) == len(WORDS)
    types = numpy.random.default_rng(0).permutation(len(WORDS)).astype(numpy.int32)
    found = table.characters(types, max_characters)
    expected = words_to_characters([WORDS[number] for number in types], max_characters)
    assert numpy.array_equal(found, expected) and found.dtype == numpy.int64


def test_no_types_have_no_characters(table):
    assert table.characters(numpy.zeros(0, dtype=numpy.int32), 7).shape == (0, 7)


def test_only_what_utf_8_cannot_hold_is_lost(table):
    expected = [word.encode("utf-8", "ignore").decode("utf-8") for word in WORDS]
    assert table.words(range(len(WORDS))) == expected


@pytest.mark.parametrize("max_characters", [3, 5, 50])
def test_words_that_are_cut_are_counted(table, max_characters):
    lengths = [len(word.encode("utf-8", "ignore")) for word in WORDS]
    assert table.count_cut(max_characters) == sum(length > max_characters - 2 for length in lengths) > 0


def test_a_file_of_lines_is_such_a_table():
    data = numpy.frombuffer(b"<S>\n</S>\nword\n", dtype=numpy.uint8)
    table = TypeTable(data, numpy.array([0, 4, 9, 14]))
    assert numpy.array_equal(table.characters(numpy.array([2, 0]), 8), words_to_characters(["word", "<S>"], 8))
