from types import SimpleNamespace

import pytest
from allennlp.commands.train import TrainModel
from allennlp.common.checks import ConfigurationError

from elmo_plugin.compat import evaluation_by_one_worker


def training(evaluation_data_loader, evaluate_on_test: bool) -> TrainModel:
    trainer = SimpleNamespace(train=lambda: {"loss": 1.0})
    return TrainModel("somewhere", None, trainer, evaluation_data_loader, evaluate_on_test)


def test_several_workers_with_evaluate_on_test_are_refused_before_they_train(monkeypatch):
    monkeypatch.setattr(evaluation_by_one_worker, "is_distributed", lambda: True)
    with pytest.raises(ConfigurationError, match="Set `evaluate_on_test` to false, and run `allennlp evaluate`"):
        training([], True).run()
    assert training([], False).run() == training(None, True).run() == {"loss": 1.0}


def test_one_process_evaluates():
    assert training([], True).run() == {"loss": 1.0}
