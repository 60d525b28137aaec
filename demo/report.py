"""What the demonstration's commands wrote, in a few lines each."""

import json
import re
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

METRICS_FILE = "metrics.json"
_LAYER_WEIGHT = re.compile(r"layer_(\d+)_weight$")


def perplexities(path: Path) -> str:
    metrics = _read(path)
    return (
        f"perplexity {metrics['perplexity']:,.1f} "
        f"(forward {metrics['forward_perplexity']:,.1f}, backward {metrics['backward_perplexity']:,.1f})"
    )


def files(folder: Path) -> str:
    return "\n".join(f"{path.stat().st_size:>12,} bytes  {path.name}" for path in sorted(folder.iterdir()))


def tagger(folder: Path) -> str:
    metrics = _read(folder / METRICS_FILE)
    lines = [
        f"F1 {metrics['test_f1']:.3f} on the test sentences, {metrics['best_validation_f1']:.3f} on the development "
        f"sentences (best of {metrics['epoch'] + 1} epochs)"
    ]
    weights = layer_weights(metrics)
    if weights:
        lines.append("ELMo's layers: " + ", ".join(f"{name} {value:.3f}" for name, value in weights))
    return "\n".join(lines)


def layer_weights(metrics: Dict[str, Any]) -> List[Tuple[str, float]]:
    """What the tagger learned to take of each layer, in the best epoch."""
    found = [(name, value) for name, value in metrics.items() if name.startswith("best_validation_elmo/")]
    return [(name[len("best_validation_elmo/") :], value) for name, value in sorted(found)]


def tagged_sentences(path: Path) -> str:
    """Each sentence with its names marked: `[Ada Lovelace PER] was born in [London LOC].`"""
    with path.open(encoding="utf-8") as lines:
        return "\n".join(marked(json.loads(line)) for line in lines)


def marked(prediction: Dict[str, Any]) -> str:
    text, parts, end = prediction["sentence"], [], 0
    for entity in prediction["entities"]:
        parts += [text[end : entity["start"]], f"[{entity['text']} {entity['type']}]"]
        end = entity["end"]
    return "".join([*parts, text[end:]])


def summary(folder: Path) -> str:
    """The results side by side."""
    before, after = _read(folder / "before.json"), _read(folder / "after.json")
    baseline, elmo = (_read(folder / name / METRICS_FILE) for name in ("tagger-baseline", "tagger-elmo"))
    rows = [
        ("held-out perplexity", "before training", f"{before['perplexity']:,.1f}"),
        ("", "after training", f"{after['perplexity']:,.1f}"),
        ("F1 of names, test", "without ELMo", f"{baseline['test_f1']:.3f}"),
        ("", "with ELMo", f"{elmo['test_f1']:.3f}"),
        *(("" if i else "layer weights", name, f"{value:.3f}") for i, (name, value) in enumerate(layer_weights(elmo))),
    ]
    return table(rows)


def times(seconds: Sequence[Tuple[str, float]]) -> str:
    rows = [(f"{i}.", title, clock(spent)) for i, (title, spent) in enumerate(seconds, start=1)]
    return table([*rows, ("", "in all", clock(sum(spent for _, spent in seconds)))])


def clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d} min"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they need to be, the last one set to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row[:-1], widths)), row[-1].rjust(widths[-1])]).rstrip()
        for row in rows
    )


def _read(path: Path) -> Dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))
