"""
Precision, recall and F1 of spans.
"""

from typing import Dict, List, Sequence

import torch
from allennlp.nn.util import dist_reduce_sum
from allennlp.training.metrics import Metric

from elmo_plugin.data.tag_schemes import Span


class SpanF1(Metric):
    """
    Counts spans whose type, start and end are all right:

        precision = correct / predicted,  recall = correct / gold,  F1 = 2 correct / (predicted + gold)

    summed over all sentences seen, and for each type alone; 0 where a denominator is 0, so never NaN.

    AllenNLP's `SpanBasedF1Measure` takes tags instead of spans. It raises in distributed training and on ill-formed
    BIOUL tags, and it joins spans of a type `C-X` to those of every type that has `X` in its name; this one does none
    of that. Where those cases don't occur the two agree.

    # Parameters

    types : `Sequence[str]`, required
        The types that are reported; spans of others can't be given.
    """

    def __init__(self, types: Sequence[str]) -> None:
        self._row = {span_type: row for row, span_type in enumerate(types)}
        self.reset()

    def __call__(self, predicted_spans: Sequence[Sequence[Span]], gold_spans: Sequence[Sequence[Span]]) -> None:
        """
        # Parameters

        predicted_spans, gold_spans : for each sentence its spans, each of them once.
        """
        counts = torch.zeros_like(self._counts)
        for predicted, gold in zip(predicted_spans, gold_spans, strict=True):
            for column, spans in enumerate((set(predicted) & set(gold), predicted, gold)):
                for span in spans:
                    counts[self._row[span.type], column] += 1
        self._counts += dist_reduce_sum(counts).cpu()

    def get_metric(self, reset: bool = False) -> Dict[str, float]:
        """
        `precision`, `recall` and `f1` over all spans; `_precision/TYPE`, `_recall/TYPE`, `_f1/TYPE` for each type,
        with the underscore that keeps them off AllenNLP's progress bar.
        """
        metrics = _ratios(self._counts.sum(dim=0).tolist(), "{}")
        for span_type, row in self._row.items():
            metrics.update(_ratios(self._counts[row].tolist(), f"_{{}}/{span_type or 'span'}"))
        if reset:
            self.reset()
        return metrics

    def reset(self) -> None:
        # Columns: correct, predicted, gold. Shape: (number of types, 3)
        self._counts = torch.zeros(len(self._row), 3, dtype=torch.long)


def _ratios(counts: List[int], name: str) -> Dict[str, float]:
    correct, predicted, gold = counts
    return {
        name.format("precision"): correct / predicted if predicted > 0 else 0.0,
        name.format("recall"): correct / gold if gold > 0 else 0.0,
        name.format("f1"): 2 * correct / (predicted + gold) if predicted + gold > 0 else 0.0,
    }
