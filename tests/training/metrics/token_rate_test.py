import pytest
from allennlp.common import Params
from allennlp.training.metrics import Metric

from elmo_plugin.training.metrics import token_rate


@pytest.fixture
def at(monkeypatch):
    """`at(seconds)` sets the clock."""

    def set_clock(seconds):
        monkeypatch.setattr(token_rate.time, "perf_counter", lambda: seconds)

    return set_clock


@pytest.fixture
def rate():
    return Metric.from_params(Params({"type": "elmo_token_rate"}))


def test_tokens_count_from_the_second_call_on_over_the_time_since_the_first(rate, at):
    for seconds, tokens in ((10.0, 1000), (11.0, 30), (14.0, 50)):
        at(seconds)
        rate(tokens)
    assert rate.get_metric() == {"tokens_per_second": pytest.approx(80 / 4)}


def test_time_after_the_last_call_does_not_count(rate, at):
    for seconds in (1.0, 2.0):
        at(seconds)
        rate(7)
    at(100.0)
    assert rate.get_metric() == {"tokens_per_second": pytest.approx(7.0)}


def test_before_the_second_call_there_is_no_rate(rate, at):
    assert rate.get_metric() == {}
    at(5.0)
    rate(7)
    assert rate.get_metric() == {}
    rate(7)
    assert rate.get_metric() == {}


def test_a_pass_of_one_call_has_no_rate(rate, at):
    at(5.0)
    rate(7)
    assert rate.get_metric(reset=True) == {}


def test_workers_add_up_what_they_read_at_the_end_of_a_pass_only(rate, at, monkeypatch):
    sums = []
    monkeypatch.setattr(token_rate, "is_distributed", lambda: True)
    monkeypatch.setattr(token_rate.torch.distributed, "get_world_size", lambda: 3)
    monkeypatch.setattr(token_rate, "dist_reduce_sum", lambda number: sums.append(number) or number + 100)
    for seconds in (1.0, 3.0):
        at(seconds)
        rate(7)
    assert rate.get_metric() == {"tokens_per_second": pytest.approx(3 * 7 / 2)}
    assert sums == []
    assert rate.get_metric(reset=True) == {"tokens_per_second": pytest.approx((7 + 100) / 2)}
    assert sums == [7]
    # Each worker waits for all the others, so one that read nothing takes part too.
    assert rate.get_metric(reset=True) == {} and sums == [7, 0]


def test_a_reset_begins_anew(rate, at):
    for seconds in (1.0, 2.0):
        at(seconds)
        rate(7)
    assert rate.get_metric(reset=True) == {"tokens_per_second": pytest.approx(7.0)}
    assert rate.get_metric() == {}
    at(50.0)
    rate(1)
    at(51.0)
    rate(4)
    assert rate.get_metric() == {"tokens_per_second": pytest.approx(4.0)}
