"""What was measured, as a table and as JSON."""

import statistics
from typing import Any, Dict, List, NamedTuple, Optional

from elmo_plugin.benchmark.contest import Times
from elmo_plugin.benchmark.machine import Machine


class Case(NamedTuple):
    """
    title : what was done, with its shapes.
    tokens : of each round's batch.
    operations : by contender, of the products that each round's batch needs.
    times : by contender.
    baseline : the contender that the others are compared with.
    errors : of contenders that are not exact; see `inference.errors`.
    """

    title: str
    tokens: List[int]
    operations: Dict[str, List[float]]
    times: Dict[str, Times]
    baseline: str
    errors: Dict[str, float] = {}


def rows(case: Case, machine: Machine) -> List[Dict[str, Any]]:
    """One for each contender: medians over the rounds, the ratio round by round against the baseline."""
    found = []
    base = case.times[case.baseline].seconds
    for name, times in case.times.items():
        rates = [tokens / seconds for tokens, seconds in zip(case.tokens, times.seconds)]
        rate = statistics.median(rates)
        found.append(
            {
                "case": case.title,
                "contender": name,
                "tokens_per_second": rate,
                "ratio": statistics.median(other / own for other, own in zip(base, times.seconds)),
                "share_of_peak": _share(case.operations[name], times, machine.peak),
                "peaks": list(times.peaks),
                "spread": _spread(rates),
                "memory_bytes": times.memory,
                "error": case.errors.get(name),
                "seconds": times.seconds,
            }
        )
    return found


def _share(operations: List[float], times: Times, peak: float) -> float:
    peaks = times.peaks or [peak] * len(operations)
    return statistics.median(number / s / own for number, s, own in zip(operations, times.seconds, peaks))


def _spread(rates: List[float]) -> float:
    """Half the distance of the quartiles, as a share of the median."""
    if len(rates) < 2:
        return 0.0
    lower, _, upper = statistics.quantiles(rates, n=4, method="inclusive")
    return (upper - lower) / 2 / statistics.median(rates)


def table(cases: List[Case], machine: Machine) -> str:
    """Markdown."""
    lines = [
        f"{machine.device}, {machine.threads} thread(s): products of float32 up to {machine.peak / 1e9:,.1f} GFLOP/s, "
        f"memory read at {machine.bandwidth / 1e9:,.1f} GB/s.{_program(machine)}",
        "",
        "| | contender | tokens/s | ratio | of the peak | memory | error |",
        "|---|---|---|---|---|---|---|",
    ]
    for case in cases:
        for row in rows(case, machine):
            lines.append(
                f"| {row['case']} | {row['contender']} | {row['tokens_per_second']:,.0f} ± {row['spread']:.0%} "
                f"| {row['ratio']:.2f} | {row['share_of_peak']:.0%} | {_megabytes(row['memory_bytes'])} "
                f"| {'' if row['error'] is None else format(row['error'], '.1e')} |"
            )
    lines += [
        "",
        "Medians over rounds in which the contenders took turns; ±: half the distance of the quartiles. Ratio: to the "
        "case's baseline. Of the peak: the products of the LSTMs and, for each distinct word that is not known, of "
        "highways and projection, so a lower bound; in bulk, of the mean of the peaks just before and after each turn. "
        "Error: root mean square of the vectors' difference to those of float32, relative to the vectors'.",
    ]
    return "\n".join(lines)


def _program(machine: Machine) -> str:
    if not machine.device.startswith("cpu"):
        return ""
    if machine.no_program is None:
        return f" The program in C is compiled, for {machine.compiled_for}."
    return f" All is of torch's products; the program in C would be faster, but {machine.no_program}"


def _megabytes(number: Optional[int]) -> str:
    return "" if number is None else f"{number / 2**20:,.0f} MB"
