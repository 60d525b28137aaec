"""Checkpoints are whole or not there, and `best.th` is what it should be."""

import os
import resource
import time
from pathlib import Path
from typing import Any, Dict, Tuple

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.common.params import Params
from allennlp.training import Checkpointer
from allennlp.training.metric_tracker import MetricTracker
from allennlp.training.trainer import TrainerCheckpoint

from elmo_plugin.training import checkpointer as checkpointer_module
from elmo_plugin.training import whole_files


class FakeTrainer:
    def __init__(self, weight: float, place: Tuple[int, int], size: int = 1, average: float = None) -> None:
        self.weight, self.size, self.average = weight, size, average
        self._epochs_completed, self._batches_in_epoch_completed = place
        self._callbacks: list = []
        self._should_validate_this_epoch = True
        self._metric_tracker = MetricTracker("-loss")

    def get_checkpoint_state(self) -> TrainerCheckpoint:
        training_state: Dict[str, Any] = {
            "epochs_completed": self._epochs_completed,
            "batches_in_epoch_completed": self._batches_in_epoch_completed,
            "best_model_filename": None,
        }
        if self.average is not None:
            training_state["moving_average"] = {"shadows": {"module.weight": torch.full((self.size,), self.average)}}
        return TrainerCheckpoint({"weight": torch.full((self.size,), self.weight)}, training_state)


def make(folder: Path, **settings: Any) -> Checkpointer:
    return Checkpointer.from_params(Params({"type": "elmo_whole", **settings}), serialization_dir=str(folder))


def weight_of(checkpointer: Checkpointer) -> float:
    return checkpointer.load_checkpoint().model_state["weight"][0].item()


def places(folder: Path) -> list:
    return sorted(path.name.removeprefix("model_state_") for path in folder.glob("model_state_*.th"))


def test_a_checkpoint_that_can_not_be_written_leaves_the_last_good_one(tmp_path, monkeypatch):
    checkpointer = make(tmp_path)
    checkpointer.save_checkpoint(FakeTrainer(1.0, (0, 1)))
    save = torch.save

    def fail_on_model(content, file):
        if "weight" in content:
            file.write(b"half a fi")
            raise OSError(28, "No space left on device")
        save(content, file)

    monkeypatch.setattr(whole_files.torch, "save", fail_on_model)
    with pytest.raises(ConfigurationError, match=r"model_state_e0_b2\.th can't be written .*No space left.*--recover"):
        checkpointer.save_checkpoint(FakeTrainer(2.0, (0, 2)))
    assert not list(tmp_path.glob("*.partial"))
    assert weight_of(checkpointer) == 1.0


def test_so_does_a_file_that_outgrows_what_the_system_allows(tmp_path):
    """As a full disk does it, in the middle of torch's own writing."""
    checkpointer = make(tmp_path)
    checkpointer.save_checkpoint(FakeTrainer(1.0, (0, 1)))
    allowed = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, allowed[1]))
        with pytest.raises(ConfigurationError, match=r"model_state_e0_b2\.th can't be written .*--recover"):
            checkpointer.save_checkpoint(FakeTrainer(2.0, (0, 2), size=100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, allowed)
    assert not list(tmp_path.glob("*.partial"))
    assert weight_of(checkpointer) == 1.0


def test_half_a_file_left_by_a_kill_is_never_picked_up_and_goes(tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    def die(file):
        raise Killed

    checkpointer = make(tmp_path)
    checkpointer.save_checkpoint(FakeTrainer(1.0, (0, 1)))
    with monkeypatch.context() as patch:
        patch.setattr(whole_files.os, "fsync", die)
        patch.setattr(Path, "unlink", lambda *args, **kwargs: None)
        with pytest.raises(Killed):
            checkpointer.save_checkpoint(FakeTrainer(2.0, (0, 2)))
    assert len(list(tmp_path.glob("*.partial"))) == 1
    assert weight_of(checkpointer) == 1.0
    assert not list(tmp_path.glob("*.partial"))


def test_a_checkpoint_of_the_same_step_is_replaced_not_kept(tmp_path):
    checkpointer = make(tmp_path)
    for weight in (1.0, 5.0):
        checkpointer.save_checkpoint(FakeTrainer(weight, (0, 1)))
    assert weight_of(checkpointer) == 5.0


def test_old_checkpoints_go_by_their_whole_number(tmp_path):
    """AllenNLP's own removes 12 as `12*`: 120 goes too."""
    checkpointer = make(tmp_path, keep_most_recent_by_count=2)
    for number in (12, 120, 121):
        checkpointer.save_checkpoint(FakeTrainer(1.0, (0, number)))
    assert places(tmp_path) == ["e0_b120.th", "e0_b121.th"]
    # What a removal that was cut short leaves.
    (tmp_path / "training_state_e0_b5.th").touch()
    checkpointer.save_checkpoint(FakeTrainer(1.0, (1, 0)))
    assert sorted(path.name for path in tmp_path.glob("training_state*")) == [
        "training_state_e0_b121.th",
        "training_state_e1_b0.th",
    ]


@pytest.mark.parametrize(
    "settings, kept",
    [
        ({"keep_most_recent_by_count": None}, ["e0_b1.th", "e0_b2.th", "e0_b3.th"]),
        ({"keep_most_recent_by_count": 1, "keep_most_recent_by_age": 5000}, ["e0_b2.th", "e0_b3.th"]),
        ({"keep_most_recent_by_count": None, "keep_most_recent_by_age": 5000}, ["e0_b2.th", "e0_b3.th"]),
    ],
)
def test_checkpoints_are_kept_by_count_by_age_or_all(tmp_path, settings, kept):
    checkpointer = make(tmp_path, **settings)
    for number in (1, 2, 3):
        if number == 3:
            for age, name in ((10_000, "model_state_e0_b1.th"), (10, "model_state_e0_b2.th")):
                os.utime(tmp_path / name, (time.time() - age,) * 2)
        checkpointer.save_checkpoint(FakeTrainer(1.0, (0, number)))
    assert places(tmp_path) == kept


def test_checkpoints_come_by_seconds_and_by_batches(tmp_path, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(checkpointer_module.time, "time", lambda: now[0])
    checkpointer = make(tmp_path, save_every_num_seconds=60, save_every_num_batches=5, keep_most_recent_by_count=None)
    for number, seconds in enumerate([30, 29, 1, 0, 0, 0, 0, 0, 60], start=1):
        now[0] += seconds
        saved = checkpointer.maybe_save_checkpoint(FakeTrainer(1.0, (0, number)), 0, number)
        assert saved == (number in (3, 8, 9)), number
    assert places(tmp_path) == ["e0_b3.th", "e0_b8.th", "e0_b9.th"]


def test_after_a_resume_the_next_checkpoint_is_as_far_as_without(tmp_path):
    make(tmp_path).save_checkpoint(FakeTrainer(1.0, (2, 10)))
    checkpointer = make(tmp_path, save_every_num_batches=5)
    checkpointer.load_checkpoint()
    saved = [checkpointer.maybe_save_checkpoint(FakeTrainer(1.0, (2, n)), 2, n) for n in range(11, 16)]
    assert saved == [False, False, False, False, True]


def test_best_th_is_made_good_from_the_checkpoint_that_it_belongs_to(tmp_path):
    checkpointer, best = make(tmp_path), tmp_path / "best.th"
    checkpointer.save_checkpoint(FakeTrainer(3.0, (1, 0)))
    for broken in (None, b"half a fi", b"that of an epoch before"):
        best.unlink(missing_ok=True)
        if broken is not None:
            best.write_bytes(broken)
        state = checkpointer.load_checkpoint()
        assert torch.load(best)["weight"].item() == 3.0
        assert state.trainer_state["best_model_filename"] == str(best)
    # Once more, where it is right already.
    checkpointer.load_checkpoint()
    assert torch.load(best)["weight"].item() == 3.0
    assert not list(tmp_path.glob("*.partial"))


def test_best_th_is_copied_where_a_file_can_not_have_two_names(tmp_path, monkeypatch):
    def refuse(*args):
        raise OSError(95, "Operation not supported")

    checkpointer = make(tmp_path)
    checkpointer.save_checkpoint(FakeTrainer(3.0, (1, 0)))
    monkeypatch.setattr(whole_files.os, "link", refuse)
    checkpointer.load_checkpoint()
    assert torch.load(tmp_path / "best.th")["weight"].item() == 3.0


def test_with_a_moving_average_best_th_is_the_average(tmp_path):
    checkpointer = make(tmp_path)
    checkpointer.save_checkpoint(FakeTrainer(3.0, (1, 0), average=2.5))
    assert weight_of(checkpointer) == 3.0
    assert torch.load(tmp_path / "best.th")["weight"].item() == 2.5


def worse(trainer: FakeTrainer) -> None:
    for loss in (1.0, 2.0):
        trainer._metric_tracker.add_metrics({"loss": loss})


def not_validated(trainer: FakeTrainer) -> None:
    trainer._should_validate_this_epoch = False


def in_the_middle(trainer: FakeTrainer) -> None:
    trainer._batches_in_epoch_completed = 4


@pytest.mark.parametrize("change", [worse, not_validated, in_the_middle])
def test_best_th_stays_where_the_checkpoint_is_not_the_best(tmp_path, change):
    checkpointer, trainer = make(tmp_path), FakeTrainer(3.0, (1, 0))
    change(trainer)
    checkpointer.save_checkpoint(trainer)
    (tmp_path / "best.th").write_bytes(b"the best")
    assert checkpointer.load_checkpoint().trainer_state["best_model_filename"] is None
    assert (tmp_path / "best.th").read_bytes() == b"the best"


def test_no_checkpoint_is_no_checkpoint(tmp_path):
    assert make(tmp_path).load_checkpoint() is None


def on_two_machines(monkeypatch, *others):
    """What a second worker says, besides this one."""
    monkeypatch.setattr(checkpointer_module, "from_all_workers", lambda value: [value, *others])


def test_machines_go_on_from_the_last_checkpoint_that_all_have(tmp_path, monkeypatch):
    checkpointer = make(tmp_path)
    for number in (1, 2):
        checkpointer.save_checkpoint(FakeTrainer(float(number), (0, number)))
    on_two_machines(monkeypatch, {(0, 1)})
    assert weight_of(checkpointer) == 1.0


def test_machines_without_a_common_checkpoint_are_an_error(tmp_path, monkeypatch):
    checkpointer = make(tmp_path)
    checkpointer.save_checkpoint(FakeTrainer(1.0, (0, 1)))
    on_two_machines(monkeypatch, set())
    with pytest.raises(ConfigurationError, match=r"2 processes, number 1 found no checkpoint.* Copy the files"):
        checkpointer.load_checkpoint()


def test_what_goes_wrong_on_one_machine_ends_the_training_on_all(tmp_path, monkeypatch):
    on_two_machines(monkeypatch, "The disk of the other machine is full.")
    with pytest.raises(ConfigurationError, match="of the other machine"):
        make(tmp_path).save_checkpoint(FakeTrainer(1.0, (0, 1)))
