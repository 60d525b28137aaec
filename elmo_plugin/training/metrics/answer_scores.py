"""
Scores of answers to questions.
"""

from typing import Dict, Sequence

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.nn.util import dist_reduce_sum
from allennlp.training.metrics import Metric

from elmo_plugin.training.metrics.answer_texts import (
    chinese_exact_match,
    chinese_f1,
    english_exact_match,
    english_f1,
    rouge_l,
)

SCORES = {
    "en": {"em": english_exact_match, "f1": english_f1},
    "zh": {"em": chinese_exact_match, "f1": chinese_f1, "rouge_l": rouge_l},
}


@Metric.register("elmo_answer_scores")
class AnswerScores(Metric):
    """
    Means over questions, from 0 to 1, of the best score that a prediction has against one of the correct answers:

    - `"en"`: `em` and `f1` of SQuAD 1.1 (Rajpurkar et al. 2016, section 6.1);
    - `"zh"`: `em` and `f1` of CMRC 2018 (Cui et al. 2019, section 4), and `rouge_l`.

    `answer_texts.py` defines them. 0 before the first question, so never NaN.

    Registered as a `Metric` with name "elmo_answer_scores".

    ```jsonnet
    { "type": "elmo_answer_scores", "language": "zh" }
    ```

    # Parameters

    language : `str`, optional (default = `"en"`)
    """

    def __init__(self, language: str = "en") -> None:
        if language not in SCORES:
            raise ConfigurationError(f"language: answers can be compared in {sorted(SCORES)}, but it is {language!r}.")
        self._functions = SCORES[language]
        self.reset()

    def __call__(self, predictions: Sequence[str], answers: Sequence[Sequence[str]]) -> None:
        """
        # Parameters

        predictions : the answer to each question; empty for none.
        answers : the correct ones of each question; a question that has none is not counted.
        """
        totals = torch.zeros_like(self._totals)
        for prediction, correct in zip(predictions, answers, strict=True):
            if correct:
                best = [max(score(prediction, answer) for answer in correct) for score in self._functions.values()]
                totals += torch.tensor([*best, 1.0], dtype=totals.dtype)
        self._totals += dist_reduce_sum(totals).cpu()

    def get_metric(self, reset: bool = False) -> Dict[str, float]:
        """The means so far."""
        *totals, count = self._totals.tolist()
        metrics = {name: total / count if count > 0 else 0.0 for name, total in zip(self._functions, totals)}
        if reset:
            self.reset()
        return metrics

    def reset(self) -> None:
        # Sums of the scores, and the number of questions.
        self._totals = torch.zeros(len(self._functions) + 1, dtype=torch.float64)
