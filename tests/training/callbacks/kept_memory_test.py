import logging
from types import SimpleNamespace

import pytest
import torch

from elmo_plugin.training.callbacks import kept_memory
from elmo_plugin.training.callbacks.kept_memory import KeptMemoryCallback
from tests.language_models import train

SAID = "The memory of a step is kept for the next one."


@pytest.fixture
def calls(monkeypatch):
    """What was done to the process' memory, in order; it is kept where it is asked for."""
    found = []
    monkeypatch.setattr(kept_memory, "keep_memory", lambda: found.append("keep") is None)
    monkeypatch.setattr(kept_memory, "give_back_memory", lambda: found.append("give back"))
    return found


def start_and_end(device):
    trainer, callback = SimpleNamespace(cuda_device=torch.device(device)), KeptMemoryCallback("folder")
    callback.on_start(trainer)
    callback.on_end(trainer, metrics={}, epoch=1, is_primary=True)


def test_on_a_cpu_memory_is_kept_to_the_end_of_training_and_the_log_says_so(calls, caplog):
    with caplog.at_level(logging.INFO):
        start_and_end("cpu")
    assert calls == ["keep", "give back"]
    assert [record.message for record in caplog.records] == [SAID]


def test_on_a_gpu_nothing_happens(calls, caplog):
    with caplog.at_level(logging.INFO):
        start_and_end("cuda:0")
    assert calls == [] and caplog.records == []


def test_where_it_can_not_be_kept_nothing_is_said_or_given_back(calls, caplog, monkeypatch):
    monkeypatch.setattr(kept_memory, "keep_memory", lambda: False)
    with caplog.at_level(logging.INFO):
        start_and_end("cpu")
    assert calls == [] and caplog.records == []


def test_the_shipped_configs_keep_memory_and_the_weights_are_the_same(project_root, tmp_path, monkeypatch, calls):
    monkeypatch.chdir(project_root)
    settings = {"dataset_reader__max_instances": 40, "trainer__num_epochs": 1}
    train(tmp_path / "shipped", **settings)
    assert calls == ["keep", "give back"]
    monkeypatch.undo()
    monkeypatch.chdir(project_root)
    train(tmp_path / "kept", trainer__callbacks=[{"type": "elmo_kept_memory"}], **settings)
    train(tmp_path / "not", trainer__callbacks=[], **settings)
    ours, expected = (torch.load(tmp_path / name / "best.th") for name in ("kept", "not"))
    assert all(torch.equal(ours[name], weight) for name, weight in expected.items())
