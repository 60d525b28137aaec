import logging

import pytest
import torch
from allennlp.common import Params
from allennlp.training.learning_rate_schedulers import LearningRateScheduler
from allennlp.training.learning_rate_schedulers import ReduceOnPlateauLearningRateScheduler

from elmo_plugin.compat import plateau_scheduler
from tests.compat import scenarios


def optimizer(*rates):
    return torch.optim.SGD([{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates])


def test_the_scheduler_cannot_be_built_without_the_mend(unmended):
    assert plateau_scheduler.is_needed() == ("verbose" in unmended["reduce_on_plateau"].get("error", ""))


def test_the_rate_falls_where_the_metric_no_longer_grows(tmp_path):
    assert scenarios.reduce_on_plateau(tmp_path) == pytest.approx([0.5, 0.5, 0.05])


def test_every_argument_of_a_config_reaches_torch():
    arguments = {
        "mode": "max",
        "factor": 0.3,
        "patience": 4,
        "threshold_mode": "abs",
        "threshold": 0.25,
        "cooldown": 2,
        "min_lr": 0.01,
        "eps": 1e-5,
    }
    params = Params({"type": "reduce_on_plateau", **arguments})
    scheduler = LearningRateScheduler.from_params(params, optimizer=optimizer(0.5))
    assert type(scheduler) is ReduceOnPlateauLearningRateScheduler
    built = vars(scheduler.lr_scheduler)
    assert built["min_lrs"] == [arguments.pop("min_lr")]
    assert {name: built[name] for name in arguments} == arguments


def test_verbose_tells_which_rates_fell(caplog):
    scheduler = ReduceOnPlateauLearningRateScheduler(optimizer(0.5, 0.0), patience=0, verbose=True)
    with caplog.at_level(logging.INFO):
        scheduler.step(1.0)
        scheduler.step(1.0)
    assert caplog.messages == ["Learning rate of parameter group 0 reduced from 0.5 to 0.05"]


def test_without_verbose_nothing_is_told(caplog):
    scheduler = ReduceOnPlateauLearningRateScheduler(optimizer(0.5), patience=0)
    with caplog.at_level(logging.INFO):
        scheduler.step(1.0)
        scheduler.step(1.0)
    assert scheduler.get_values() == [pytest.approx(0.05)]
    assert caplog.messages == []
