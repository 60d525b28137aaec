"""
bilm-tf itself, run on TensorFlow, beside this project:

    git clone https://github.com/allenai/bilm-tf
    python3.11 -m venv tf && tf/bin/pip install 'tensorflow-cpu==2.15.*'
    python benchmarks/beside_bilm_tf.py bilm-tf --tensorflow tf/bin/python

bilm-tf trains small biLMs on the text of `fixtures/` and writes of each its checkpoint, HDF5 files and perplexity. This
project imports the checkpoints, computes the same, and exports files for bilm-tf to read. The table that is printed has
the largest differences, each as a share of the largest number. At last both train one model on, window by window.
"""

import argparse
import contextlib
import copy
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, Tuple

import h5py
import numpy

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from allennlp.commands import main as run_command_line  # noqa: E402

import elmo_plugin  # noqa: E402, F401  (registers the commands)
from elmo_plugin.bilm.importing.bilm_tf import name_in_hdf5  # noqa: E402

Arrays = Dict[str, numpy.ndarray]

WIDTH, NUM_STEPS, LEARNING_RATE = 20, 10, 0.5
OPTIONS: Dict[str, Any] = {
    "bidirectional": True,
    "char_cnn": {
        "activation": "relu",
        "embedding": {"dim": 4},
        "filters": [[1, 4], [2, 8], [3, 16]],
        "max_characters_per_token": WIDTH,
        "n_characters": 261,
        "n_highway": 2,
    },
    "dropout": 0.1,
    "lstm": {
        "cell_clip": 3,
        "dim": 32,
        "n_layers": 2,
        "proj_clip": 3,
        "projection_dim": 16,
        "use_skip_connections": True,
    },
    "all_clip_norm_val": 10.0,
    "n_epochs": 1,
    "batch_size": 8,
    "unroll_steps": NUM_STEPS,
    "n_train_tokens": 60 * 8 * NUM_STEPS,
    "n_negative_samples_batch": 64,
    "learning_rate": LEARNING_RATE,
}
EXACT = {"sample_softmax": False, "dropout": 0.0}
MODELS: Dict[str, Dict[str, Any]] = {
    "as published": {},
    "full softmax with tanh and low clips": {
        **EXACT,
        "char_cnn__activation": "tanh",
        "lstm__cell_clip": 0.3,
        "lstm__proj_clip": 0.1,
    },
    "one layer": {"lstm__n_layers": 1},
    "three layers without clips": {"lstm__n_layers": 3, "lstm__cell_clip": None, "lstm__proj_clip": None},
    "neither skip connections nor highways": {"lstm__use_skip_connections": False, "char_cnn__n_highway": 0},
    "filters as wide as the output": {"char_cnn__filters": [[1, 4], [2, 12]]},
    "memory as wide as the output": {"lstm__dim": 16},
    "word ids": {"char_cnn": None},
    "word ids with embedding as softmax": {"char_cnn": None, "share_embedding_softmax": True},
}
# What both go on training, and what bilm-tf makes of it.
START, END = "start of training", "end of training"


def changed(options: Dict[str, Any], changes: Dict[str, Any]) -> Dict[str, Any]:
    """Options with others for some keys, `section__key`; a section that is `None` is left out."""
    result = copy.deepcopy(options)
    for path, value in changes.items():
        *sections, key = path.split("__")
        (result[sections[0]] if sections else result)[key] = value
    return {key: value for key, value in result.items() if value is not None}


def whole_windows(text: str) -> Tuple[str, int]:
    """The first 60 lines or so that fill windows of `NUM_STEPS` exactly, and how many windows."""
    lines, num_steps = [], 0
    for line in text.splitlines(keepends=True):
        lines.append(line)
        num_steps += len(line.split()) + 1
        if len(lines) >= 60 and num_steps % NUM_STEPS == 0:
            return "".join(lines), num_steps // NUM_STEPS
    raise ValueError(f"No number of lines of this text fills windows of {NUM_STEPS} steps.")


def write_jobs(folder: Path) -> None:
    """What the other half reads."""
    corpus = ROOT / "fixtures" / "corpus"
    for name, source in (("vocab", "vocabulary"), ("train", "train"), ("heldout", "heldout")):
        shutil.copy(corpus / f"{source}.txt", folder / f"{name}.txt")
    text, num_windows = whole_windows((folder / "train.txt").read_text(encoding="utf-8"))
    (folder / "windows.txt").write_text(text, encoding="utf-8")
    num_words = len((folder / "vocab.txt").read_text(encoding="utf-8").splitlines())
    jobs = {name: {"options": changed(OPTIONS, changes), "text": "train.txt"} for name, changes in MODELS.items()}
    for name, rate, count in ((START, 0.0, 1), (END, LEARNING_RATE, num_windows)):
        sizes = {"batch_size": 1, "learning_rate": rate, "n_train_tokens": count * NUM_STEPS}
        jobs[name] = {"options": changed(OPTIONS, {**EXACT, **sizes}), "text": "windows.txt"}
    for name, job in jobs.items():
        job["options"]["n_tokens_vocab"] = num_words
        job["shuffle"] = name in MODELS
        (folder / name).mkdir()
        (folder / name / "training.json").write_text(json.dumps(job))


def run_other_half(python: str, bilm_tf: Path, task: str, folder: Path) -> None:
    half = [python, str(Path(__file__).with_name("bilm_tf_half.py")), str(bilm_tf), task, str(folder)]
    if subprocess.run(half, stdout=subprocess.DEVNULL).returncode != 0:
        sys.exit("bilm-tf could not be run; see above.")


def command(*words: object) -> None:
    """A command of this project."""
    sys.argv = ["allennlp-elmo", *map(str, words)]
    with contextlib.redirect_stdout(sys.stderr):
        run_command_line("allennlp-elmo")


def compute(folder: Path, name: str) -> float:
    """This project's files of a model, beside bilm-tf's, and its perplexity."""
    here, heldout = folder / name, folder / "heldout.txt"
    archive, exported = here / "imported.tar.gz", here / "exported"
    command("elmo-import", here, archive)
    command("elmo-export", archive, exported)
    state = ["--state", "stateful", "--batch-size", 1]
    command("elmo", heldout, here / "vectors.hdf5", "--archive", archive, "--all", "--forget-sentences", *state)
    if "char_cnn" in json.loads((exported / "options.json").read_text()):
        files = ["--options-file", exported / "options.json", "--weight-file", exported / "weights.hdf5"]
        command("elmo", folder / "vocab.txt", here / "words.hdf5", "--token-embeddings", *files)
    metrics = here / "metrics.json"
    command("evaluate", archive, heldout, "-o", '{"data_loader.batch_size": 1}', "--output-file", metrics)
    return json.loads(metrics.read_text())["perplexity"]


def train_on(folder: Path) -> Path:
    """Goes on training what bilm-tf began with, as it does. Returns the folder of the exported files."""
    archive, output, exported = (folder / START / name for name in ("imported.tar.gz", "trained", "exported"))
    command("elmo-import", folder / START, archive)
    loader = {"batch_size": 1, "num_steps": NUM_STEPS, "max_characters": WIDTH, "shuffle": False}
    overrides = {
        "train_data_path": str(folder / "windows.txt"),
        "validation_data_path": str(folder / "windows.txt"),
        "vocabulary.file": str(folder / "vocab.txt"),
        **{f"data_loader.{key}": value for key, value in loader.items()},
        "validation_data_loader.max_characters": WIDTH,
        "model.options": None,
        "model.initializer": {"archive_file": str(archive)},
        "model.num_samples": None,
        "model.dropout": 0.0,
        "model.state_reset": 0.0,
        "model.loss_scale": NUM_STEPS,
        "trainer.num_epochs": 1,
        "trainer.optimizer.lr": LEARNING_RATE,
        "trainer.cuda_device": -1,
    }
    configuration = ROOT / "training_configs" / "bilm_original.jsonnet"
    command("train", configuration, "-s", output, "-o", json.dumps(overrides))
    command("elmo-export", output / "model.tar.gz", exported)
    return exported


def arrays_in(path: Path) -> Arrays:
    """All datasets of an HDF5 file, those of a single layer under the names that several have."""
    result: Arrays = {}
    with h5py.File(path, "r") as file:
        file.visititems(lambda name, item: result.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return {name_in_hdf5(name) or name: array for name, array in result.items()}


def difference(theirs: Arrays, ours: Arrays) -> float:
    """
    The largest, as a share of the largest number.

    # Raises

    `ValueError` where ours has not what theirs has, in the same shape and type.
    """
    for name, array in theirs.items():
        if name not in ours or (ours[name].shape, ours[name].dtype) != (array.shape, array.dtype):
            raise ValueError(f"{name}: bilm-tf has {array.dtype} {array.shape}, but here is no such dataset.")
    largest = max(numpy.abs(array).max(initial=0.0) for array in theirs.values())
    return float(max(numpy.abs(array - ours[name]).max(initial=0.0) for name, array in theirs.items()) / largest)


def row(here: Path, perplexity: float) -> str:
    """The line of the table for a model."""
    pairs = [
        ("weights.hdf5", "exported/weights.hdf5"),
        ("trained_vectors.hdf5", "vectors.hdf5"),
        ("trained_words.hdf5", "words.hdf5"),
        ("exported_vectors.hdf5", "vectors.hdf5"),
    ]
    cells = []
    for theirs, ours in pairs:
        is_there = (here / theirs).is_file()
        cells.append(f"{difference(arrays_in(here / theirs), arrays_in(here / ours)):.1e}" if is_there else "–")
    cells += [f"{json.loads((here / 'perplexity.json').read_text()):.4f}", f"{perplexity:.4f}"]
    return " | ".join(["", here.name, *cells, ""]).strip().replace("0.0e+00", "0")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bilm_tf", type=Path, metavar="BILM_TF", help="folder with bilm-tf's source")
    parser.add_argument("--tensorflow", metavar="PYTHON", default=sys.executable, help="a Python with TensorFlow 2.15")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_jobs(folder)
        run_other_half(args.tensorflow, args.bilm_tf, "train", folder)
        perplexities = {model: compute(folder, model) for model in MODELS}
        after = train_on(folder)
        run_other_half(args.tensorflow, args.bilm_tf, "read", folder)
        print("| model | weights | vectors | words | vectors by bilm-tf of our files | its perplexity | ours |")
        print("|---|---|---|---|---|---|---|")
        for model, perplexity in perplexities.items():
            print(row(folder / model, perplexity))
        before, theirs = (arrays_in(folder / model / "weights.hdf5") for model in (START, END))
        print(f"\nTrained on, weights moved by {difference(theirs, before):.2f} of the largest, and", end=" ")
        print(f"the two trainings ended {difference(theirs, arrays_in(after / 'weights.hdf5')):.1e} apart.")


if __name__ == "__main__":
    main()
