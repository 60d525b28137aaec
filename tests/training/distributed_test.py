"""Two processes with half the streams each are one with all of them."""

import json
import subprocess
import sys
from typing import Any, Dict

import pytest
import torch
from allennlp.common.util import find_open_port

from tests.training.trainings import TINY, TWO_WORKERS, Training, checkpoints, write_text

HALF_THE_ROWS = {"data_loader.batch_size": 4, "validation_data_loader.batch_size": 4}


@pytest.fixture(scope="module")
def text(project_root, tmp_path_factory) -> Dict[str, Any]:
    """
    Text for 26 windows or so, and a sentence so long that at the end one row of eight goes on alone: then one of two
    workers has nothing left to read.
    """
    folder = tmp_path_factory.mktemp("text")
    sentences = (project_root / "fixtures" / "corpus" / "train.txt").read_text(encoding="utf-8").splitlines()
    long_sentence = " ".join(sentences[170:200])
    return {
        "train_data_path": write_text(folder / "train.txt", [*sentences[:140], long_sentence]),
        "validation_data_path": write_text(folder / "heldout.txt", sentences[200:220]),
    }


@pytest.fixture(scope="module")
def alone(trainer, text, tmp_path_factory) -> Training:
    overrides = {**text, **checkpoints(save_every_num_batches=10)}
    return trainer.train(tmp_path_factory.mktemp("alone"), overrides, float64=True)


def models(training: Training) -> Dict[str, Dict[str, torch.Tensor]]:
    """The model of each checkpoint, by its file's name."""
    return {path.name: torch.load(path) for path in training.folder.glob("out/model_state_*.th")}


def assert_same_models(one: Training, other: Training) -> None:
    expected, found = models(one), models(other)
    assert len(expected) > 2 and expected.keys() == found.keys()
    for name, state in expected.items():
        for key, value in state.items():
            torch.testing.assert_close(found[name][key], value, rtol=1e-5, atol=1e-5 * value.abs().max().item())


def assert_same_training(one: Training, first: Training, second: Training, worker_of_second: int) -> None:
    """The losses of two workers are those of their own rows: their mean is the one's. The models are the same."""
    steps = list(zip(one.steps(), first.steps(0), second.steps(worker_of_second), strict=True))
    for alone, *both in steps:
        assert [step[:2] for step in both] == [alone[:2], alone[:2]]
        mean = sum(float.fromhex(step.loss) for step in both) / 2
        assert float.fromhex(alone.loss) == pytest.approx(mean, rel=1e-5)
    assert any(float.fromhex(step.loss) == 0.0 for _, *both in steps for step in both), "no worker ran out of text"
    assert_same_models(one, first)


def metrics(training: Training) -> Dict[str, float]:
    return json.loads((training.folder / "out" / "metrics.json").read_text())


def test_two_workers_follow_one_with_all_rows(trainer, text, alone, tmp_path):
    overrides = {**text, **TWO_WORKERS, **HALF_THE_ROWS, **checkpoints(save_every_num_batches=10)}
    two = trainer.train(tmp_path / "two", overrides, float64=True)
    assert_same_training(alone, two, two, worker_of_second=1)
    assert len(alone.steps()) >= 50
    expected, found = metrics(alone), metrics(two)
    for name in ("perplexity", "forward_perplexity", "backward_perplexity", "tokens"):
        for split in ("training", "best_validation"):
            assert found[f"{split}_{name}"] == pytest.approx(expected[f"{split}_{name}"], rel=1e-5)


@pytest.mark.parametrize("devices", [[-1, -1], [0, 1]], ids=["gloo", "nccl"])
def test_so_does_the_command_whose_workers_begin_from_nothing(project_root, text, tmp_path, trainer, devices):
    """
    Twenty seconds: three processes that import all there is. In the float32 that the command trains with, rounding
    grows over fifty steps.
    """
    if torch.cuda.device_count() <= max(devices):
        pytest.skip("needs two GPUs")
    overrides = {**TINY, **text, "trainer.callbacks": [{"type": "elmo_resume"}]}
    two = tmp_path / "two" / "out"
    command = [sys.executable, "-m", "elmo_plugin", "train", "training_configs/bilm.jsonnet", "-s", str(two), "-o"]
    command.append(json.dumps({**overrides, "distributed": {"cuda_devices": devices}, **HALF_THE_ROWS}))
    done = subprocess.run(command, cwd=project_root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    expected = metrics(trainer.train(tmp_path / "one", overrides))
    found = json.loads((two / "metrics.json").read_text())
    for name in ("training_perplexity", "training_tokens", "best_validation_perplexity"):
        assert found[name] == pytest.approx(expected[name], rel=1e-3)


def test_two_workers_that_accumulate_gradients_follow_one_that_does(trainer, text, tmp_path):
    # The last group of an epoch is smaller.
    overrides = {**text, "trainer.num_gradient_accumulation_steps": 4, **checkpoints(save_every_num_batches=5)}
    one = trainer.start(tmp_path / "one", overrides, float64=True)
    two = trainer.start(tmp_path / "two", {**overrides, **TWO_WORKERS, **HALF_THE_ROWS}, float64=True)
    assert_same_training(one.succeed(), two.succeed(), two, worker_of_second=1)


def test_two_machines_follow_one(trainer, text, alone, tmp_path):
    """Both are this one, with a folder each."""
    machines = {
        "cuda_devices": [-1],
        "num_nodes": 2,
        "primary_address": "127.0.0.1",
        "primary_port": find_open_port(),
    }
    overrides = {**text, **HALF_THE_ROWS, **checkpoints(save_every_num_batches=10), "distributed": machines}
    first, second = (
        trainer.start(tmp_path / f"machine_{rank}", overrides, node_rank=rank, float64=True) for rank in (0, 1)
    )
    assert_same_training(alone, first.succeed(), second.succeed(), worker_of_second=1)
    assert_same_models(first, second)
    assert all((machine.folder / "out" / "model.tar.gz").exists() for machine in (first, second))


def test_workers_exchange_sparse_gradients(trainer, text, tmp_path):
    """Each draws words of its own, so no one process compares; `tests/compat` compares the gradients."""
    sparse = {"model.num_samples": 40, "model.sparse_softmax": True, "trainer.num_epochs": 1, "trainer.grad_norm": 10.0}
    two = trainer.train(tmp_path, {**text, **TWO_WORKERS, **HALF_THE_ROWS, **sparse})
    losses = [float.fromhex(step.loss) for step in two.steps()]
    assert sum(losses[-10:-5]) < sum(losses[:5])
