import pytest

from elmo_plugin.training.metrics.answer_texts import (
    chinese_exact_match,
    chinese_f1,
    chinese_words,
    english_exact_match,
    english_f1,
    normalised_english,
    rouge_l,
)


@pytest.mark.parametrize(
    "text, normalised",
    [
        ("The  Denver Broncos!", "denver broncos"),
        ("an Apple, a day", "apple day"),
        ("theory", "theory"),
        ("state-of-the-art", "stateoftheart"),
        ("24–10", "24–10"),
        ("The", ""),
    ],
)
def test_case_articles_and_ascii_punctuation_do_not_count_in_english(text, normalised):
    assert normalised_english(text) == normalised


@pytest.mark.parametrize(
    "prediction, answer, exact, f1",
    [
        ("the Broncos", "Broncos", 1, 1),
        # One of one predicted word, one of two correct ones: 2 * 1 * 0.5 / 1.5.
        ("Broncos", "Denver Broncos", 0, 2 / 3),
        # Repeated words count as often as both have them: common 2, predicted 3, correct 4.
        ("no no no", "no yes no maybe", 0, 4 / 7),
        ("Lions", "Broncos", 0, 0),
        ("", "Broncos", 0, 0),
        # Nothing but articles: the published script gives exact match 1 and F1 0.
        ("the", "a", 1, 0),
    ],
)
def test_english_scores_are_those_counted_by_hand(prediction, answer, exact, f1):
    assert english_exact_match(prediction, answer) == exact
    assert english_f1(prediction, answer) == pytest.approx(f1)


def test_chinese_words_are_characters_and_what_stands_between():
    assert chinese_words("《IBM公司》在1998年 has 5 people。") == [
        *("ibm", "公", "司", "在", "1998", "年", "has", "5", "people")
    ]


@pytest.mark.parametrize(
    "prediction, answer, exact, f1, rouge",
    [
        ("“踢爆”", "踢爆", 1, 1, 1),
        ("踢", "踢爆", 0, 2 / 3, None),
        # Longest run in common: 甲乙 (2 of 4 and 2 of 5). Longest subsequence: 甲乙丁 (3).
        ("甲乙丁戊", "甲乙丙丁己", 0, 2 * 2 / 9, 2.44 * 0.75 * 0.6 / (0.6 + 1.44 * 0.75)),
        ("甲", "乙", 0, 0, 0),
        ("", "乙", 0, 0, 0),
        ("IBM Corp", "ibm corp", 1, 1, 1),
        ("1998年", "1988年", 0, 0.5, 0.5),
    ],
)
def test_chinese_scores_are_those_counted_by_hand(prediction, answer, exact, f1, rouge):
    assert chinese_exact_match(prediction, answer) == exact
    assert chinese_f1(prediction, answer) == pytest.approx(f1)
    if rouge is not None:
        assert rouge_l(prediction, answer) == pytest.approx(rouge)
