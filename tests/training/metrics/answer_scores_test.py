import pytest
from allennlp.common.checks import ConfigurationError

from elmo_plugin.training.metrics.answer_scores import AnswerScores


def test_the_best_of_several_answers_counts_and_questions_are_averaged():
    scores = AnswerScores("en")
    scores(["Broncos", "Lions"], [["Denver Broncos", "the Broncos"], ["Bears"]])
    scores(["Denver"], [["Denver Broncos"]])
    metrics = scores.get_metric(reset=True)
    assert metrics == {"em": pytest.approx(1 / 3), "f1": pytest.approx((1 + 0 + 2 / 3) / 3)}
    assert scores.get_metric() == {"em": 0.0, "f1": 0.0}


def test_chinese_has_rouge_l_too():
    scores = AnswerScores("zh")
    scores(["踢爆"], [["踢爆"]])
    assert scores.get_metric() == {"em": 1.0, "f1": 1.0, "rouge_l": 1.0}


def test_a_question_without_an_answer_is_not_counted():
    scores = AnswerScores()
    scores(["x", "x"], [[], ["x"]])
    assert scores.get_metric() == {"em": 1.0, "f1": 1.0}


def test_another_language_is_refused():
    with pytest.raises(ConfigurationError, match=r"compared in \['en', 'zh'\], but it is 'de'"):
        AnswerScores("de")
