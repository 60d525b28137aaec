"""
Mean and spread of a metric over repeated trainings, as a line of a Markdown table.

    python -m tools.summarise_runs --metric test_f1 --metric best_validation_f1 baseline=runs/base-* elmo=runs/elmo-*

A group is `name=DIR` or `name=GLOB`; each directory is what `allennlp train -s` wrote. The spread is the sample
standard deviation.
"""

import argparse
import glob
import json
import statistics
import sys
from pathlib import Path
from typing import List


def values(pattern: str, metric: str) -> List[float]:
    """The metric of every run that the pattern names, in the order of their names."""
    folders = sorted(glob.glob(pattern))
    if not folders:
        sys.exit(f"No folder matches {pattern}.")
    found = []
    for folder in folders:
        path = Path(folder) / "metrics.json"
        if not path.is_file():
            sys.exit(f"{path} is missing: expected the directory of a finished training.")
        metrics = json.loads(path.read_text(encoding="utf-8"))
        if metric not in metrics:
            sys.exit(f"{path} has no {metric!r}; it has {', '.join(sorted(metrics))}.")
        found.append(float(metrics[metric]))
    return found


def line(name: str, pattern: str, metrics: List[str], scale: float) -> str:
    cells = [name]
    for metric in metrics:
        numbers = [scale * value for value in values(pattern, metric)]
        spread = f" ± {statistics.stdev(numbers):.2f}" if len(numbers) > 1 else ""
        cells.append(f"{statistics.mean(numbers):.2f}{spread} ({', '.join(f'{n:.2f}' for n in numbers)})")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Mean and spread of a metric over repeated trainings.")
    parser.add_argument("groups", metavar="NAME=GLOB", nargs="+")
    parser.add_argument("--metric", action="append", required=True, help="a key of metrics.json; may be repeated")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on every value: 100 for per cent")
    arguments = parser.parse_args()
    print(f"| | {' | '.join(arguments.metric)} |\n|---|{'---|' * len(arguments.metric)}")
    for group in arguments.groups:
        name, _, pattern = group.partition("=")
        if not pattern:
            sys.exit(f"{group}: expected NAME=GLOB.")
        print(line(name, pattern, arguments.metric, arguments.scale))


if __name__ == "__main__":
    main()
