import math

import pytest
import torch
import torch.distributed
from allennlp.common import Params
from allennlp.training.metrics import Metric

from elmo_plugin.training.metrics import perplexity as module
from tests.two_workers import on_two_workers

FORWARD = [torch.tensor([1.0, 2.0, 3.0]), torch.tensor([6.0])]
BACKWARD = [torch.tensor([0.5, 0.5, 2.0]), torch.tensor([1.0])]


def metric():
    return Metric.from_params(Params({"type": "elmo_perplexity"}))


def test_every_token_counts_the_same_whatever_batch_it_was_in():
    perplexity = metric()
    for forward, backward in zip(FORWARD, BACKWARD):
        perplexity(forward, backward)
    values = perplexity.get_metric()
    assert values["forward_perplexity"] == pytest.approx(math.exp(12 / 4))
    assert values["backward_perplexity"] == pytest.approx(math.exp(4 / 4))
    assert values["perplexity"] == pytest.approx(math.exp(16 / 8))
    assert values["perplexity"] == pytest.approx(
        math.sqrt(values["forward_perplexity"] * values["backward_perplexity"])
    )


def test_a_batch_without_tokens_changes_nothing():
    perplexity = metric()
    assert perplexity.get_metric() == {}
    perplexity(torch.empty(0), torch.empty(0))
    assert perplexity.get_metric() == {}
    perplexity(FORWARD[0], BACKWARD[0])
    before = perplexity.get_metric()
    perplexity(torch.empty(0), torch.empty(0))
    assert perplexity.get_metric() == before


def test_sampled_losses_are_never_called_perplexity():
    perplexity = metric()
    perplexity(FORWARD[0], BACKWARD[0], sampled=True)
    assert perplexity.get_metric(reset=True) == {"sampled_loss": pytest.approx(9 / 6)}


def test_sampled_and_exact_losses_are_kept_apart():
    perplexity = metric()
    perplexity(FORWARD[0], BACKWARD[0], sampled=True)
    perplexity(FORWARD[1], BACKWARD[1])
    values = perplexity.get_metric()
    assert values["sampled_loss"] == pytest.approx(9 / 6)
    assert values["perplexity"] == pytest.approx(math.exp(7 / 2))


def test_at_the_end_of_a_pass_it_says_how_many_tokens_there_were_and_begins_anew():
    perplexity = metric()
    for forward, backward in zip(FORWARD, BACKWARD):
        perplexity(forward, backward)
    assert "tokens" not in perplexity.get_metric()
    assert perplexity.get_metric(reset=True)["tokens"] == 4
    assert perplexity.get_metric() == {}


class Copy:
    """As an event of a GPU that has not come to pass."""

    def __init__(self):
        self.is_there, self.was_waited_for = False, False

    def query(self):
        return self.is_there

    def synchronize(self):
        self.is_there = self.was_waited_for = True


def test_sums_under_way_from_a_gpu_are_waited_for_at_the_end_of_a_pass_only(monkeypatch):
    copies = [Copy(), Copy()]
    events = iter(copies)
    monkeypatch.setattr(module, "_under_way", lambda sums, sampled: module._UnderWay(sums, sampled, next(events)))
    perplexity = metric()
    for forward, backward in zip(FORWARD, BACKWARD):
        perplexity(forward, backward)
    assert perplexity.get_metric() == {}
    copies[0].is_there = True
    assert perplexity.get_metric()["forward_perplexity"] == pytest.approx(math.exp(6 / 3))
    assert not copies[1].was_waited_for
    assert perplexity.get_metric(reset=True)["forward_perplexity"] == pytest.approx(math.exp(12 / 4))
    assert copies[1].was_waited_for
    assert perplexity.get_metric() == {}


def test_it_keeps_no_gradients_and_sums_in_double_precision():
    perplexity = metric()
    losses = torch.full((1000,), 0.1, requires_grad=True)
    for _ in range(1000):
        perplexity(losses, losses)
    assert perplexity.get_metric()["perplexity"] == pytest.approx(math.exp(float(torch.tensor(0.1))), rel=1e-12)
    assert all(isinstance(total, (int, float)) for total in perplexity._exact)


@pytest.mark.parametrize("loss, expected", [(1e4, math.inf), (math.inf, math.inf), (0.0, 1.0)])
def test_a_perplexity_beyond_all_numbers_is_infinite(loss, expected):
    perplexity = metric()
    perplexity(torch.tensor([loss]), torch.tensor([loss]))
    assert perplexity.get_metric()["perplexity"] == expected


def test_a_loss_that_is_no_number_is_not_hidden():
    perplexity = metric()
    perplexity(torch.tensor([math.nan]), torch.tensor([1.0]))
    assert math.isnan(perplexity.get_metric()["perplexity"])
    assert perplexity.get_metric()["backward_perplexity"] == pytest.approx(math.e)


def check_on_one_of_two(rank, world_size, gpu_id):
    """Workers with different numbers of tokens; every one reports the values over all of them."""
    perplexity = metric()
    perplexity(FORWARD[rank], BACKWARD[rank])
    perplexity(torch.ones(rank), torch.ones(rank), sampled=True)
    values = perplexity.get_metric(reset=True)
    assert values["perplexity"] == pytest.approx(math.exp(16 / 8))
    assert (values["tokens"], values["sampled_loss"]) == (4, 1.0)
    rate = Metric.from_params(Params({"type": "elmo_token_rate"}))
    rate(5)
    rate(3 + rank)
    seconds = rate._last - rate._began
    assert rate.get_metric(reset=True) == {"tokens_per_second": pytest.approx(7 / seconds)}


def test_values_are_those_over_all_workers():
    on_two_workers(check_on_one_of_two)
    assert not torch.distributed.is_initialized()
