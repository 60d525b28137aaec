"""
Perplexity over the steps of trainings, from the checkpoints they left: a table and a picture.

    python benchmarks/perplexity_curves.py OUT.png TEXT RUN… [--sentences 300]

Each RUN is the folder of a training that kept all its checkpoints (`"trainer.checkpointer.keep_most_recent_by_count":
null`); its name is what the picture calls it. Every checkpoint is evaluated on the first sentences of TEXT with the
full softmax, as `allennlp-elmo evaluate` does. Results are kept in `curve.json` of the folder, so that the next call
evaluates new checkpoints only.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Dict

import torch
from allennlp.common import Params
from allennlp.data import DataLoader, DatasetReader, Vocabulary
from allennlp.models import Model
from allennlp.training.util import evaluate

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import elmo_plugin  # noqa: E402, F401  registers everything


def curve_of(run: Path, text: str, num_sentences: int) -> Dict[int, float]:
    """Step to perplexity, for every checkpoint."""
    params = Params.from_file(str(run / "config.json"))
    vocab = Vocabulary.from_files(str(run / "vocabulary"))
    model = Model.from_params(params["model"], vocab=vocab)
    reader = DatasetReader.from_params(Params({"type": "elmo_sentences", "max_instances": num_sentences}))
    loader = DataLoader.from_params(params["validation_data_loader"], reader=reader, data_path=text)
    loader.index_with(vocab)
    kept = run / "curve.json"
    points = {int(step): value for step, value in json.loads(kept.read_text()).items()} if kept.exists() else {}
    for step, checkpoint in checkpoints_of(run).items():
        if step not in points:
            model.load_state_dict(torch.load(checkpoint))
            points[step] = evaluate(model, loader)["perplexity"]
            kept.write_text(json.dumps(points))
    return dict(sorted(points.items()))


def checkpoints_of(run: Path) -> Dict[int, Path]:
    """Updates of the weights, as the optimizer counted them, to file."""
    found = {}
    for path in run.glob("model_state_e*_b*.th"):
        training = torch.load(path.with_name(path.name.replace("model", "training", 1)), weights_only=True)
        found[int(next(iter(training["optimizer"]["state"].values()))["step"])] = path
    if not found:
        sys.exit(f"{run} has no checkpoints, model_state_e*_b*.th: give the folder of a training.")
    return dict(sorted(found.items()))


def draw(curves: Dict[str, Dict[int, float]], out: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), dpi=120)
    axes = figure.subplots()
    for name, points in curves.items():
        axes.plot(list(points), list(points.values()), marker="o", markersize=3, label=name)
    axes.set(xlabel="steps", ylabel="held-out perplexity", yscale="log")
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    figure.tight_layout()
    figure.savefig(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("text")
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--sentences", type=int, default=300)
    args = parser.parse_args()
    curves = {run.name: curve_of(run, args.text, args.sentences) for run in args.runs}
    steps = sorted({step for points in curves.values() for step in points})
    print("| steps | " + " | ".join(curves) + " |")
    print("|---" * (len(curves) + 1) + "|")
    for step in steps:
        values = (f"{points[step]:.1f}" if step in points else "" for points in curves.values())
        print(f"| {step:,} | " + " | ".join(values) + " |")
    draw(curves, args.out)


if __name__ == "__main__":
    main()
