"""The trainings of a row: done once each, in processes of their own, gone on with after a stop."""

import json
import os
import platform
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple

from elmo_plugin.corpus.processes import usable_cores
from elmo_plugin.results.row import Arm, Row, command_of, folder_name

_RECORD = "elmo_results.json"
_METRICS = "metrics.json"
_PACKAGES = ("elmo-plugin", "allennlp", "torch", "numpy")


class Training(NamedTuple):
    """
    arm, seed : which.
    folder : AllenNLP's serialization directory.
    """

    arm: Arm
    seed: int
    folder: Path

    def is_done(self) -> bool:
        return (self.folder / _METRICS).is_file() and (self.folder / _RECORD).is_file()


class Outcome(NamedTuple):
    """
    metrics : of AllenNLP.
    seconds : that all attempts took together.
    machine : see `this_machine`.
    """

    metrics: Dict[str, Any]
    seconds: float
    machine: Dict[str, Any]


def trainings_of(row: Row, runs: Path) -> List[Training]:
    """Seed after seed, so that a table stopped half-way compares what it has."""
    folder = runs / folder_name(row.name)
    return [
        Training(arm, seed, folder / f"{folder_name(arm.name)}-{seed}") for seed in row.seeds for arm in row.arms
    ]


def run(training: Training, program: List[str], log: Callable[[str], None]) -> None:
    """
    Trains, unless that is done already; a training that was stopped goes on from its last checkpoint.

    # Parameters

    training : which.
    program : how `allennlp` is called, the arguments of `train` not included.
    log : takes a line to show.

    # Raises

    `ValueError` where the folder holds a training of other settings, or where the training fails.
    """
    command = command_of(training.arm, training.seed, str(training.folder))
    record_path = training.folder.with_suffix(".json")
    record = checked_record(training)
    if training.is_done():
        return
    training.folder.parent.mkdir(parents=True, exist_ok=True)
    _write_record(record_path, record)
    again = _flags_to_go_on(training.folder)
    log(" ".join([*program, *command[:-1], "…", *again]))
    began = time.monotonic()
    with open(training.folder.with_suffix(".log"), "ab") as output:
        code = subprocess.run([*program, *command, *again], stdout=output, stderr=subprocess.STDOUT, check=False).returncode
    record["seconds"] += time.monotonic() - began
    _write_record(record_path, record)
    if code != 0:
        raise ValueError(
            f"The training in {training.folder} failed with exit status {code}. Its output is in "
            f"{training.folder.with_suffix('.log')}; when the cause is gone, give the same command again."
        )
    _write_record(training.folder / _RECORD, record)


def outcome_of(training: Training) -> Outcome:
    """What came of a training that is done."""
    metrics = json.loads((training.folder / _METRICS).read_text(encoding="utf-8"))
    record = json.loads((training.folder / _RECORD).read_text(encoding="utf-8"))
    return Outcome(metrics, record["seconds"], record["machine"])


def this_machine() -> Dict[str, Any]:
    """What numbers depend on: hardware and versions."""
    import torch

    gpus = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return {
        "processor": _processor(),
        "cores": usable_cores(),
        "threads": torch.get_num_threads(),
        "gpus": gpus,
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in _PACKAGES if _is_installed(name)},
        "date": time.strftime("%Y-%m-%d"),
    }


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _flags_to_go_on(folder: Path) -> List[str]:
    if any(folder.glob("training_state_*.th")):
        return ["--recover"]
    return ["--force"] if folder.exists() else []


def checked_record(training: Training) -> Dict[str, Any]:
    """
    What is known of a training so far: `settings`, `seconds` and `machine`.

    # Raises

    `ValueError` where its folder holds one of other settings.
    """
    command = command_of(training.arm, training.seed, "")
    settings = command[:2] + command[4:]  # Without the folder: runs may be moved.
    path = training.folder.with_suffix(".json")
    if not path.is_file():
        return {"settings": settings, "seconds": 0.0, "machine": this_machine()}
    record = json.loads(path.read_text(encoding="utf-8"))
    if record["settings"] != settings:
        raise ValueError(
            f"{training.folder} holds a training with other settings than the row has now. Give another --runs, or remove "
            f"that folder and {path} to train anew.\n  there: {' '.join(record['settings'])}\n  now:   {' '.join(settings)}"
        )
    return record


def _write_record(path: Path, record: Dict[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(partial, path)


def allennlp_program() -> List[str]:
    """This interpreter's `allennlp` with the plugin."""
    return [sys.executable, "-m", "elmo_plugin"]
