"""The trainings of a row, and what is known of each: a record beside its folder, and in it when it is done."""

import json
from pathlib import Path
from typing import Any, Dict, List, NamedTuple

from elmo_plugin.bilm.whole_file import write_whole
from elmo_plugin.results.row import Arm, Row, command_of, folder_name

_RECORD = "elmo_results.json"
_METRICS = "metrics.json"


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

    def log(self) -> Path:
        """The output of all attempts."""
        return self.folder.with_suffix(".log")


class Outcome(NamedTuple):
    """
    metrics : of AllenNLP.
    seconds : that all attempts took together.
    machine : that of the last attempt; see `machines.this_machine`.
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


def outcome_of(training: Training) -> Outcome:
    """What came of a training that is done."""
    metrics = json.loads((training.folder / _METRICS).read_text(encoding="utf-8"))
    record = json.loads((training.folder / _RECORD).read_text(encoding="utf-8"))
    return Outcome(metrics, record["seconds"], record["machine"])


def checked_record(training: Training) -> Dict[str, Any]:
    """
    What is known of a training so far: `settings`, `seconds`, and the `machine` once it was begun.

    # Raises

    `ValueError` where its folder holds one of other settings.
    """
    command = command_of(training.arm, training.seed, "")
    settings = command[:2] + command[4:]  # Without the folder: runs may be moved.
    path = training.folder.with_suffix(".json")
    if not path.is_file():
        return {"settings": settings, "seconds": 0.0}
    record = json.loads(path.read_text(encoding="utf-8"))
    if record["settings"] != settings:
        raise ValueError(
            f"{training.folder} holds a training with other settings than the row has now. Give another --runs, or "
            f"remove that folder and {path} to train anew.\n"
            f"  there: {' '.join(record['settings'])}\n"
            f"  now:   {' '.join(settings)}"
        )
    return record


def write_record(training: Training, record: Dict[str, Any], is_done: bool = False) -> None:
    """Beside the training's folder, and in it where the training is done."""
    for path in (training.folder.with_suffix(".json"), *([training.folder / _RECORD] if is_done else [])):
        write_whole(path, json.dumps(record, indent=2, ensure_ascii=False) + "\n")
