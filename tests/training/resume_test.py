"""A training that was killed goes on as if it had not been."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.common.params import Params
from allennlp.training import Checkpointer
from allennlp.training.trainer import TrainerCheckpoint

from elmo_plugin.training import checkpointer as checkpointer_module

NUM_KILLS = 20


def run(folder: Path, num_kills: int, project_root: Path) -> list:
    script = project_root / "tests" / "training" / "killed_training.py"
    command = [sys.executable, str(script), str(folder), str(num_kills), "1"]
    done = subprocess.run(command, cwd=project_root, capture_output=True, text=True, env=_environment(project_root))
    log = folder / "log.txt"
    assert done.returncode == 0, done.stdout + done.stderr + (log.read_text()[-3000:] if log.exists() else "")
    assert f"{num_kills} kills" in done.stdout
    return [tuple(line.split()) for line in (folder / "losses.txt").read_text().splitlines()]


def _environment(project_root: Path) -> dict:
    return {**os.environ, "PYTHONPATH": str(project_root), "OMP_NUM_THREADS": "1"}


def test_a_training_killed_twenty_times_takes_the_same_steps_bit_for_bit(tmp_path, project_root):
    undisturbed = run(tmp_path / "undisturbed", 0, project_root)
    killed = run(tmp_path / "killed", NUM_KILLS, project_root)
    losses = {(epoch, step): loss for epoch, step, loss in undisturbed}
    assert len(losses) == len(undisturbed) > 300
    assert {(epoch, step) for epoch, step, _ in killed} == set(losses)
    differing = [line for line in killed if losses[line[:2]] != line[2]]
    assert differing == []
    # It was interrupted in the middle of training indeed: steps behind the last checkpoint were taken again.
    assert sum(count - 1 for count in Counter(line[:2] for line in killed).values()) > 5


class FakeTrainer:
    def __init__(self, weight: float) -> None:
        self.weight = weight

    def get_checkpoint_state(self) -> TrainerCheckpoint:
        return TrainerCheckpoint(
            {"weight": torch.tensor([self.weight])}, {"epochs_completed": 0, "batches_in_epoch_completed": int(self.weight)}
        )


@pytest.fixture
def checkpointer(tmp_path):
    return Checkpointer.from_params(Params({"type": "elmo_whole"}), serialization_dir=str(tmp_path))


def test_a_checkpoint_that_can_not_be_written_leaves_the_last_good_one(checkpointer, tmp_path, monkeypatch):
    checkpointer.save_checkpoint(FakeTrainer(1.0))
    save = torch.save

    def fail_on_model(content, file):
        if "weight" in content:
            file.write(b"half a fi")
            raise OSError(28, "No space left on device")
        save(content, file)

    monkeypatch.setattr(checkpointer_module.torch, "save", fail_on_model)
    with pytest.raises(ConfigurationError, match=r"model_state_e0_b2\.th can't be written .*No space left.*--recover"):
        checkpointer.save_checkpoint(FakeTrainer(2.0))
    assert not list(tmp_path.glob("*.partial"))
    assert checkpointer.load_checkpoint().model_state["weight"].item() == 1.0


def test_half_a_file_left_by_a_kill_is_never_picked_up_and_is_written_over(checkpointer, tmp_path):
    checkpointer.save_checkpoint(FakeTrainer(1.0))
    (tmp_path / "model_state_e0_b2.th.partial").write_bytes(b"half a fi")
    assert checkpointer.load_checkpoint().model_state["weight"].item() == 1.0
    checkpointer.save_checkpoint(FakeTrainer(2.0))
    assert checkpointer.load_checkpoint().model_state["weight"].item() == 2.0
    assert not list(tmp_path.glob("*.partial"))


def test_a_checkpoint_of_the_same_step_is_replaced_not_kept(checkpointer):
    checkpointer.save_checkpoint(FakeTrainer(1.0))
    trainer = FakeTrainer(1.0)
    trainer.get_checkpoint_state = lambda: TrainerCheckpoint(
        {"weight": torch.tensor([5.0])}, {"epochs_completed": 0, "batches_in_epoch_completed": 1}
    )
    checkpointer.save_checkpoint(trainer)
    assert checkpointer.load_checkpoint().model_state["weight"].item() == 5.0
