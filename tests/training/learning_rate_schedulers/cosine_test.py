import io
import json
import math

import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.training.learning_rate_schedulers import LearningRateScheduler

from tests.language_models import train


def scheduler_of(num_epochs=2, num_steps_per_epoch=50, rates=(0.4,), **arguments):
    weights = [torch.nn.Parameter(torch.zeros(1)) for _ in rates]
    optimizer = torch.optim.SGD([{"params": [weight], "lr": rate} for weight, rate in zip(weights, rates)])
    steps = {"num_epochs": num_epochs, "num_steps_per_epoch": num_steps_per_epoch}
    params = Params({"type": "elmo_cosine", **arguments})
    return LearningRateScheduler.from_params(params, optimizer=optimizer, **steps), optimizer


def rates_of(scheduler, optimizer, steps):
    rates = []
    for step in steps:
        scheduler.step_batch(step)
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def test_the_rate_rises_in_a_line_and_falls_by_half_a_cosine_to_nothing():
    rates = rates_of(*scheduler_of(warmup_steps=20), range(1, 101))
    assert rates[:20] == pytest.approx([0.4 * step / 20 for step in range(1, 21)])
    assert rates[59] == pytest.approx(0.2)
    assert rates[39] == pytest.approx(0.2 * (1 + math.cos(math.pi / 4)))
    assert rates[99] == pytest.approx(0.0, abs=1e-12)
    assert all(later < earlier for earlier, later in zip(rates[19:], rates[20:]))


def test_what_is_left_at_the_end_stays_beyond_it():
    # Epochs may differ by a step from what the loader said before the first one.
    assert rates_of(*scheduler_of(warmup_steps=20, final_fraction=0.1), [100, 101, 150]) == pytest.approx([0.04] * 3)


def test_without_warm_up_it_begins_at_the_top():
    assert rates_of(*scheduler_of(warmup_steps=0), [0]) == [0.4]


def test_each_group_of_parameters_keeps_its_own_rate():
    scheduler, optimizer = scheduler_of(warmup_steps=20, rates=(0.4, 0.1))
    scheduler.step_batch(60)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.2, 0.05])


def test_a_state_that_was_saved_goes_on_at_its_step():
    scheduler, optimizer = scheduler_of(warmup_steps=20)
    rates_of(scheduler, optimizer, range(1, 51))
    other, other_optimizer = scheduler_of(warmup_steps=20)
    other.load_state_dict(torch.load(save(scheduler.state_dict())))
    other.step_batch()
    scheduler.step_batch()
    assert other.steps == scheduler.steps == 51
    assert other_optimizer.param_groups[0]["lr"] == optimizer.param_groups[0]["lr"]


def save(state):
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return buffer


@pytest.mark.parametrize("warmup_steps", [-1, 100, 1000])
def test_a_warm_up_as_long_as_the_training_is_refused(warmup_steps):
    with pytest.raises(ConfigurationError, match=rf"from 0 to 99, .*\(2 epochs of 50\), but it is {warmup_steps}\."):
        scheduler_of(warmup_steps=warmup_steps)


@pytest.mark.parametrize("final_fraction", [-0.1, 1.1])
def test_an_end_above_the_beginning_or_below_nothing_is_refused(final_fraction):
    with pytest.raises(ConfigurationError, match=rf"`final_fraction` .* 0 to 1, but it is {final_fraction}\."):
        scheduler_of(warmup_steps=1, final_fraction=final_fraction)


def test_the_steps_of_a_training_are_counted_by_its_loader(project_root, tmp_path, monkeypatch):
    """The rate in the last checkpoint of a real training is that of its last step: nothing."""
    monkeypatch.chdir(project_root)
    train(
        tmp_path / "out",
        trainer__optimizer={"type": "adamw", "lr": 0.01},
        trainer__learning_rate_scheduler={"type": "elmo_cosine", "warmup_steps": 5},
        trainer__num_epochs=2,
        trainer__num_gradient_accumulation_steps=2,
        data_loader__batch_size=8,
        dataset_reader__max_instances=300,
    )
    [last] = (tmp_path / "out").glob("training_state_e2_b0.th")
    state = torch.load(last)
    scheduler = state["learning_rate_scheduler"]
    assert scheduler["steps"] == scheduler["total_steps"] > 10
    assert state["optimizer"]["param_groups"][0]["lr"] == pytest.approx(0.0, abs=1e-9)
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["validation_perplexity"] < 167


def test_a_loader_that_does_not_know_its_length_is_refused():
    with pytest.raises(ConfigurationError, match="must know how many steps an epoch has"):
        scheduler_of(num_steps_per_epoch=None)
