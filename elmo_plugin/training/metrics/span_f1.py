"""
Precision, recall and F1 of spans, and which types are taken for which.
"""

from typing import Dict, List, Optional, Sequence

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.nn.util import dist_reduce_sum
from allennlp.training.metrics import Metric

from elmo_plugin.data.tag_schemes import Span

MISSED, SPURIOUS, OTHER = "missed", "spurious", "other"


class SpanF1(Metric):
    """
    Counts spans whose type, start and end are all right:

        precision = correct / predicted,  recall = correct / gold,  F1 = 2 correct / (predicted + gold)

    summed over all sentences seen, and for each type alone; 0 where a denominator is 0, so never NaN. All of it comes
    from one table, the confusion: how many gold spans of a type have a predicted one of each type at the very same
    place, how many have none (missed), and how many predicted ones have no gold one there (spurious).

    Where spans cover a text, as words do, `names` are told apart: their own F1, and the segmentation's, for which the
    place alone counts.

    AllenNLP's `SpanBasedF1Measure` takes tags instead of spans. It raises in distributed training and on ill-formed
    BIOUL tags, and it joins spans of a type `C-X` to those of every type that has `X` in its name; this one does none
    of that. Where those cases don't occur the two agree.

    # Parameters

    types : `Sequence[str]`, required
        The types that are reported; spans of others can't be given.
    names : `Sequence[str]`, optional (default = `None`)
        The types of names, where other spans are just words. Types of which no span was ever seen may be among them.
    """

    def __init__(self, types: Sequence[str], names: Optional[Sequence[str]] = None) -> None:
        self._types = list(types)
        self._row = {span_type: row for row, span_type in enumerate(types)}
        self._names = None if names is None else list(names)
        if self._names is not None and not self._row.keys() & set(self._names):
            raise ConfigurationError(
                f"None of the names {self._names} is a type of the tags, which has {self._types}. Give types that "
                f"are, or leave them out."
            )
        self.reset()

    def __call__(self, predicted_spans: Sequence[Sequence[Span]], gold_spans: Sequence[Sequence[Span]]) -> None:
        """
        # Parameters

        predicted_spans, gold_spans : for each sentence its spans, at most one at each place.
        """
        confusion = torch.zeros_like(self._confusion)
        nothing = len(self._types)
        for predicted, gold in zip(predicted_spans, gold_spans, strict=True):
            row_at = {(span.start, span.end): self._row[span.type] for span in gold}
            column_at = {(span.start, span.end): self._row[span.type] for span in predicted}
            for place in row_at.keys() | column_at.keys():
                confusion[row_at.get(place, nothing), column_at.get(place, nothing)] += 1
        self._confusion += dist_reduce_sum(confusion).cpu()

    def get_metric(self, reset: bool = False) -> Dict[str, float]:
        """
        `precision`, `recall` and `f1` over all spans; `_precision/TYPE`, `_recall/TYPE`, `_f1/TYPE` for each type,
        with the underscore that keeps them off AllenNLP's progress bar; with names, the three of `segmentation_` and of
        `name_` too.
        """
        everything = range(len(self._types))
        metrics = _ratios(self._counts(everything), "{}")
        if self._names is not None:
            matched = int(self._confusion[:-1, :-1].sum())
            metrics.update(_ratios([matched, *self._counts(everything)[1:]], "segmentation_{}"))
            names = [self._row[name] for name in self._names if name in self._row]
            metrics.update(_ratios(self._counts(names), "name_{}"))
        for span_type, row in self._row.items():
            metrics.update(_ratios(self._counts([row]), f"_{{}}/{span_type or 'span'}"))
        if reset:
            self.reset()
        return metrics

    def confusion(self) -> Dict[str, int]:
        """
        How many gold spans of a type were taken for which: `_confusion/GOLD/PREDICTED`, where GOLD may be `spurious`
        and PREDICTED `missed`; zeros too, since AllenNLP keeps a metric's last value. Where there are names, all other
        types are `other`.
        """
        labels = [
            span_type or "span" if self._names is None or span_type in self._names else OTHER
            for span_type in self._types
        ]
        counts: Dict[str, int] = {}
        for row, gold in enumerate([*labels, SPURIOUS]):
            for column, predicted in enumerate([*labels, MISSED]):
                if (gold, predicted) != (SPURIOUS, MISSED):
                    key = f"_confusion/{gold}/{predicted}"
                    counts[key] = counts.get(key, 0) + int(self._confusion[row, column])
        return counts

    def reset(self) -> None:
        # Gold types, then spurious; predicted types, then missed. Shape: (number of types + 1, number of types + 1)
        size = len(self._types) + 1
        self._confusion = torch.zeros(size, size, dtype=torch.long)

    def _counts(self, rows: Sequence[int]) -> List[int]:
        """Correct, predicted and gold spans of some types."""
        chosen = list(rows)
        correct = self._confusion.diagonal()[chosen].sum()
        return [int(correct), int(self._confusion[:, chosen].sum()), int(self._confusion[chosen].sum())]


def _ratios(counts: List[int], name: str) -> Dict[str, float]:
    correct, predicted, gold = counts
    return {
        name.format("precision"): correct / predicted if predicted > 0 else 0.0,
        name.format("recall"): correct / gold if gold > 0 else 0.0,
        name.format("f1"): 2 * correct / (predicted + gold) if predicted + gold > 0 else 0.0,
    }
