import pytest

from elmo_plugin.data.dataset_readers.answers import Location, TokenSpan, locate, to_tokens
from elmo_plugin.data.dataset_readers.questions import Answer

PASSAGE = "Ada met Bo, and Bo met Ada."
#          0   4   8   12  16 19  23


def test_an_answer_stands_where_the_file_says():
    assert locate(PASSAGE, Answer("Bo", 16)) == Location(16, 18, False)


@pytest.mark.parametrize("given, found", [(15, 16), (13, 16), (9, 8), (-5, 8), (10_000, 16)])
def test_an_answer_that_stands_elsewhere_is_taken_at_the_nearest_place(given, found):
    assert locate(PASSAGE, Answer("Bo", given)) == Location(found, found + 2, True)


def test_an_answer_without_a_place_is_taken_at_the_first_and_that_is_no_repair():
    assert locate(PASSAGE, Answer("Ada")) == Location(0, 3, False)


def test_white_space_around_an_answer_does_not_count():
    assert locate(PASSAGE, Answer(" met ", 3)) == Location(4, 7, False)


def test_occurrences_may_overlap():
    assert locate("aaab", Answer("aa", 5)) == Location(1, 3, True)


@pytest.mark.parametrize("answer", [Answer("Cy", 3), Answer(""), Answer("  ", 3), Answer("ada", 0)])
def test_an_answer_that_is_nowhere_has_no_place(answer):
    assert locate(PASSAGE, answer) is None


OFFSETS = [(0, 3), (4, 7), (8, 10), (10, 11)]


@pytest.mark.parametrize(
    "start, end, span",
    [
        (0, 3, TokenSpan(0, 0, False)),
        (4, 10, TokenSpan(1, 2, False)),
        (1, 3, TokenSpan(0, 0, True)),
        (0, 5, TokenSpan(0, 1, True)),
        (3, 8, TokenSpan(1, 1, True)),
        (10, 11, TokenSpan(3, 3, False)),
    ],
)
def test_an_answers_tokens_are_those_that_share_a_character_with_it(start, end, span):
    assert to_tokens(start, end, OFFSETS) == span


@pytest.mark.parametrize("start, end", [(3, 4), (11, 14)])
def test_an_answer_between_tokens_has_none(start, end):
    assert to_tokens(start, end, OFFSETS) is None
