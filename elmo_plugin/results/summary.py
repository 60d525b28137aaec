"""Mean, spread and significance of a row's trainings."""

import statistics
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from elmo_plugin.results.row import Metric, Row
from elmo_plugin.results.trainings import Outcome

# AllenNLP's name for the mix of the best epoch; see `ElmoEmbedder.mix_metrics`.
_MIX = "best_validation_"
_MIX_PART = "elmo/"


class Spread(NamedTuple):
    """
    values : one for each seed.
    mean, deviation : arithmetic mean and sample standard deviation (`None` for one seed).
    """

    values: List[float]
    mean: float
    deviation: Optional[float]


class ArmSummary(NamedTuple):
    """
    metrics : by key.
    gain : of the first metric over the baseline's, seed by seed; `None` for the baseline.
    p_value : of a paired t-test, two-sided; `None` with fewer than two seeds, or where all gains are the same.
    mix : learned layer weights and gamma, by name.
    seconds : of a training.
    """

    name: str
    seeds: List[int]
    metrics: Dict[str, Spread]
    gain: Optional[Spread]
    p_value: Optional[float]
    mix: Dict[str, Spread]
    seconds: Spread


def spread_of(values: Sequence[float]) -> Spread:
    return Spread(list(values), statistics.mean(values), statistics.stdev(values) if len(values) > 1 else None)


def paired_p_value(values: Sequence[float], baseline: Sequence[float]) -> Optional[float]:
    """Of a paired t-test, two-sided."""
    from scipy import stats

    differences = [value - base for value, base in zip(values, baseline)]
    if len(differences) < 2 or len(set(differences)) == 1:
        return None
    return float(stats.ttest_rel(values, baseline).pvalue)


def summarise(row: Row, outcomes: Dict[Tuple[str, int], Outcome]) -> List[ArmSummary]:
    """
    Each arm, over the seeds that all arms have.

    # Parameters

    row : which.
    outcomes : of the trainings that are done, by arm and seed.

    # Raises

    `ValueError` where no seed is done in all arms, or `metrics.json` lacks a metric.
    """
    seeds = [seed for seed in row.seeds if all((arm.name, seed) in outcomes for arm in row.arms)]
    if not seeds:
        raise ValueError(f"Row {row.name}: no seed is trained in all arms yet; there is nothing to compare.")
    summaries: List[ArmSummary] = []
    for arm in row.arms:
        done = [outcomes[arm.name, seed] for seed in seeds]
        metrics = {metric.key: spread_of([_value(row, outcome, metric) for outcome in done]) for metric in row.metrics}
        gain = p_value = None
        if summaries:
            ours, base = (spread[row.metrics[0].key].values for spread in (metrics, summaries[0].metrics))
            gain, p_value = spread_of([a - b for a, b in zip(ours, base)]), paired_p_value(ours, base)
        seconds = spread_of([outcome.seconds for outcome in done])
        summaries.append(ArmSummary(arm.name, seeds, metrics, gain, p_value, _mix(done), seconds))
    return summaries


def _value(row: Row, outcome: Outcome, metric: Metric) -> float:
    if metric.key not in outcome.metrics:
        raise ValueError(
            f"Row {row.name}: metrics.json has no {metric.key!r}; it has {', '.join(sorted(outcome.metrics))}."
        )
    return metric.scale * float(outcome.metrics[metric.key])


def _mix(outcomes: List[Outcome]) -> Dict[str, Spread]:
    names = [name for name in outcomes[0].metrics if name.startswith(_MIX) and _MIX_PART in name]
    return {name[len(_MIX) :]: spread_of([outcome.metrics[name] for outcome in outcomes]) for name in names}


def as_json(summaries: List[ArmSummary]) -> List[Dict[str, Any]]:
    """For `json.dump`."""
    return [
        {
            **summary._asdict(),
            "metrics": {key: spread._asdict() for key, spread in summary.metrics.items()},
            "gain": None if summary.gain is None else summary.gain._asdict(),
            "mix": {key: spread._asdict() for key, spread in summary.mix.items()},
            "seconds": summary.seconds._asdict(),
        }
        for summary in summaries
    ]
