"""A training that was killed goes on as if it had not been."""

import random
import signal
from collections import Counter
from pathlib import Path
from typing import Any, Dict, List

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from elmo_plugin.training.callbacks.resume import ResumeCallback
from tests.training.trainings import TWO_WORKERS, Trainer, Training, checkpoints, write_text

NUM_KILLS = 20
# Everything that draws random numbers.
RANDOM = {"model.num_samples": 40, "model.dropout": 0.1, "model.state_reset": 0.1}


@pytest.fixture(scope="module")
def text(project_root, tmp_path_factory) -> Dict[str, Any]:
    """26 windows or so."""
    folder = tmp_path_factory.mktemp("text")
    sentences = (project_root / "fixtures" / "corpus" / "train.txt").read_text(encoding="utf-8").splitlines()
    return {
        "train_data_path": write_text(folder / "train.txt", sentences[:170]),
        "validation_data_path": write_text(folder / "heldout.txt", sentences[200:220]),
    }


def train_with_kills(trainer: Trainer, folder: Path, overrides: Dict[str, Any], num_kills: int, seed: int) -> Training:
    rng = random.Random(seed)
    for _ in range(num_kills):
        training = trainer.start(folder, overrides)
        # Three in four are killed while they train, the others as they start.
        if rng.random() < 0.75:
            training.kill_after(rng.randint(1, 30), seconds=rng.random() * 0.01)
        else:
            training.kill_after(0, seconds=rng.random() * 0.4)
    return trainer.train(folder, overrides)


def assert_same_losses(undisturbed: Training, killed: Training, worker: int = 0) -> None:
    """Bit for bit, in steps that were taken twice too."""
    losses = {step[:2]: step.loss for step in undisturbed.steps(worker)}
    assert len(losses) == len(undisturbed.steps(worker))
    found = killed.steps(worker)
    assert {step[:2] for step in found} == set(losses)
    assert [step for step in found if step.loss != losses[step[:2]]] == []


def assert_same_best(one: Training, other: Training) -> None:
    expected, found = (torch.load(training.folder / "out" / "best.th") for training in (one, other))
    assert expected.keys() == found.keys()
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []


def test_a_training_killed_twenty_times_takes_the_same_steps_bit_for_bit(trainer, tmp_path, project_root):
    overrides = {
        **RANDOM,
        **checkpoints(save_every_num_batches=7, keep_most_recent_by_count=2),
        "trainer.num_epochs": 3,
        "trainer.learning_rate_scheduler": {"type": "linear_with_warmup", "warmup_steps": 20},
    }
    undisturbed = trainer.train(tmp_path / "undisturbed", overrides)
    assert len(undisturbed.steps()) > 300
    killed = train_with_kills(trainer, tmp_path / "killed", overrides, NUM_KILLS, seed=1)
    assert_same_losses(undisturbed, killed)
    assert_same_best(undisturbed, killed)
    # It was interrupted in the middle of training indeed: steps behind the last checkpoint were taken again.
    assert sum(count - 1 for count in Counter(step[:2] for step in killed.steps()).values()) > 5


def first_windows(training: Training, worker: int = 0) -> List[int]:
    """For each time that the training was started, the windows it had made of text when its first step was done."""
    counts = [step.windows_made for step in training.steps(worker)]
    return [now for before, now in zip([10**9, *counts], counts) if now < before]


@pytest.mark.parametrize("workers", [{}, TWO_WORKERS], ids=["one_process", "two_workers"])
def test_so_does_one_with_everything_that_has_a_state(trainer, text, tmp_path, workers):
    """Accumulated gradients, a schedule, a moving average, checkpoints by seconds and by batches; several workers."""
    overrides = {
        **text,
        **RANDOM,
        **workers,
        **checkpoints(save_every_num_batches=3, save_every_num_seconds=0.5, keep_most_recent_by_count=2),
        "trainer.num_epochs": 3,
        "trainer.num_gradient_accumulation_steps": 2,
        "trainer.moving_average": {"type": "exponential", "decay": 0.9},
        "trainer.learning_rate_scheduler": {"type": "noam", "model_size": 16, "warmup_steps": 10},
    }
    undisturbed = trainer.train(tmp_path / "undisturbed", overrides)
    killed = trainer.start(tmp_path / "killed", overrides)
    for num_steps, seconds in ((0, 0.3), (4, 0.0), (5, 0.0), (5, 0.0)):
        killed.kill_after(num_steps, seconds)
        killed = trainer.start(tmp_path / "killed", overrides)
    killed.succeed()
    for worker in range(2 if workers else 1):
        assert_same_losses(undisturbed, killed, worker)
        # It makes no window of text again that was behind it: when its first step is done, it has made that step's two,
        # or one, where that is the last of an epoch.
        assert set(first_windows(killed, worker)) <= {1, 2}
    assert_same_best(undisturbed, killed)


def test_one_killed_when_best_th_was_gone_and_the_new_one_not_yet_there_has_it_again(trainer, text, tmp_path):
    overrides = {**text, "trainer.num_epochs": 1}
    undisturbed = trainer.train(tmp_path / "undisturbed", overrides)
    killed = trainer.start(tmp_path / "killed", overrides, dies_before_best=True)
    assert killed.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed" / "out" / "best.th").exists()
    assert_same_best(undisturbed, trainer.train(tmp_path / "killed", overrides))


def training_states(training: Training) -> List[Dict[str, Any]]:
    return [torch.load(path) for path in sorted(training.folder.glob("out/training_state_*.th"))]


def test_workers_draw_random_numbers_of_their_own_and_keep_states_of_their_own(trainer, text, tmp_path):
    overrides = {**text, **RANDOM, **TWO_WORKERS, "trainer.num_epochs": 1}
    two = trainer.train(tmp_path, overrides)
    first, second = training_states(two)[0]["callbacks"][0]["workers"]
    assert not torch.equal(first["random"]["torch"], second["random"]["torch"])
    assert first["random"]["numpy"] != second["random"]["numpy"]
    assert first["random"]["python"] != second["random"]["python"]
    assert all(not torch.equal(one, other) for one, other in zip(first["streams"], second["streams"], strict=True))


class FakeTrainer:
    model = torch.nn.Linear(1, 1)
    cuda_device = torch.device("cpu")
    data_loader = None

    def __init__(self, checkpointer: Any = None, scaler: Any = None) -> None:
        self._checkpointer, self._scaler = checkpointer, scaler


def callback() -> ResumeCallback:
    return ResumeCallback("somewhere")


def test_states_of_another_number_of_processes_are_refused(monkeypatch):
    writing, reading = callback(), callback()
    writing.on_start(FakeTrainer())
    reading.load_state_dict({"workers": writing.state_dict()["workers"] * 2})
    with pytest.raises(ConfigurationError, match=r"training of 2 process\(es\).* this one has 1\. Go on with as many"):
        reading.on_start(FakeTrainer())


def test_a_checkpointer_that_would_not_ask_all_workers_is_refused(monkeypatch):
    monkeypatch.setattr("elmo_plugin.training.callbacks.resume.number_of_workers", lambda: 2)
    with pytest.raises(ConfigurationError, match='needs the checkpointer elmo_whole.*{"type": "elmo_whole"}'):
        callback().on_start(FakeTrainer(checkpointer=object()))


def test_random_numbers_go_on_where_they_were():
    writing, reading = callback(), callback()
    writing.on_start(FakeTrainer())
    state = writing.state_dict()
    expected = [torch.rand(3).tolist(), random.random()]
    reading.load_state_dict(state)
    reading.on_start(FakeTrainer())
    assert [torch.rand(3).tolist(), random.random()] == expected


def test_the_scale_of_gradients_goes_on_where_it_was():
    writing, reading = callback(), callback()
    writing.on_start(FakeTrainer(scaler=torch.amp.GradScaler("cpu", init_scale=8.0)))
    reading.load_state_dict(writing.state_dict())
    scaler = torch.amp.GradScaler("cpu", init_scale=65536.0)
    reading.on_start(FakeTrainer(scaler=scaler))
    assert scaler.get_scale() == 8.0
