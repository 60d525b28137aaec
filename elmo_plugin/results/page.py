"""A summary as Markdown, set into a page between two marks, and as a picture."""

from pathlib import Path
from typing import Any, Dict, List, Optional

from elmo_plugin.bilm.whole_file import write_whole
from elmo_plugin.results.machines import told
from elmo_plugin.results.row import Row
from elmo_plugin.results.summary import ArmSummary, Spread

_BEGIN, _END = "<!-- elmo-results {name} begins -->", "<!-- elmo-results {name} ends -->"


def section(row: Row, summaries: List[ArmSummary], machines: List[Dict[str, Any]], picture: Optional[Path]) -> str:
    """Markdown of a row, from heading to picture; `machines` as they are `gathered`."""
    seeds = summaries[0].seeds
    titles = [metric.title for metric in row.metrics]
    lines = [
        f"## {row.task}: {row.data}",
        "",
        f"| | {' | '.join(titles)} | gain in {titles[0]} | p | a training |",
        f"|---|{'---|' * (len(titles) + 3)}",
        *(_line(row, summary) for summary in summaries),
        "",
        f"Mean ± standard deviation over {len(seeds)} seed{'s' if len(seeds) > 1 else ''} "
        f"({', '.join(map(str, seeds))}), each seed's value in brackets. p: paired t-test over seeds, two-sided.",
    ]
    for summary in summaries:
        if summary.mix:
            mix = ", ".join(f"{name} {_number(spread)}" for name, spread in summary.mix.items())
            lines += ["", f"What {summary.name} learned to mix: {mix}."]
    lines += ["", told(machines)]
    if picture is not None:
        lines += ["", f"![{row.task}, with ELMo and without]({picture.as_posix()})"]
    return "\n".join(lines) + "\n"


def _line(row: Row, summary: ArmSummary) -> str:
    cells = [summary.name]
    for metric in row.metrics:
        spread = summary.metrics[metric.key]
        cells.append(f"{_number(spread)} ({', '.join(f'{value:.2f}' for value in spread.values)})")
    cells.append("" if summary.gain is None else _number(summary.gain, sign="+"))
    cells.append("" if summary.p_value is None else f"{summary.p_value:.3f}")
    cells.append(f"{summary.seconds.mean / 60:.1f} min")
    return f"| {' | '.join(cells)} |"


def _number(spread: Spread, sign: str = "") -> str:
    mean = format(spread.mean, f"{sign}.2f")
    return mean if spread.deviation is None else f"{mean} ± {spread.deviation:.2f}"


def set_into(page: Path, row: Row, text: str) -> None:
    """Puts a row's section in the place that the page has for it, or at its end."""
    begin, end = (mark.format(name=row.name) for mark in (_BEGIN, _END))
    content = page.read_text(encoding="utf-8") if page.is_file() else "# What was measured\n"
    if (begin in content) != (end in content):
        raise ValueError(f"{page} has one of the marks {begin} and {end} without the other. Put the other back.")
    if begin in content:
        before, rest = content.split(begin, 1)
        after = rest.split(end, 1)[1]
    else:
        before, after = content.rstrip("\n") + "\n\n", "\n"
    page.parent.mkdir(parents=True, exist_ok=True)
    write_whole(page, f"{before}{begin}\n{text}{end}{after}")


def draw(path: Path, row: Row, summaries: List[ArmSummary]) -> None:
    """
    The first metric of every arm: a bar for the mean, a dot for each seed.

    # Raises

    `ImportError` where matplotlib is not installed.
    """
    from matplotlib.figure import Figure

    metric = row.metrics[0]
    figure = Figure(figsize=(1.6 + 1.3 * len(summaries), 3.2), layout="constrained")
    axes = figure.add_subplot()
    for place, summary in enumerate(summaries):
        spread = summary.metrics[metric.key]
        axes.bar(place, spread.mean, width=0.6, color="#9db4c8" if place == 0 else "#3a6ea5")
        axes.plot([place] * len(spread.values), spread.values, "o", color="black", markersize=4)
        axes.annotate(_number(spread), (place, 0), (0, 4), textcoords="offset points", ha="center", color="white")
    axes.set_xticks(range(len(summaries)), [summary.name for summary in summaries])
    axes.set_ylabel(metric.title)
    axes.set_title(row.task)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
