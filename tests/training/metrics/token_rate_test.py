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
    assert rate.get_metric() == pytest.approx(80 / 4)


def test_time_after_the_last_call_does_not_count(rate, at):
    for seconds in (1.0, 2.0):
        at(seconds)
        rate(7)
    at(100.0)
    assert rate.get_metric() == pytest.approx(7.0)


def test_before_the_second_call_there_is_no_rate(rate, at):
    assert rate.get_metric() == 0.0
    at(5.0)
    rate(7)
    assert rate.get_metric() == 0.0
    rate(7)
    assert rate.get_metric() == 0.0


def test_a_reset_begins_anew(rate, at):
    for seconds in (1.0, 2.0):
        at(seconds)
        rate(7)
    assert rate.get_metric(reset=True) == pytest.approx(7.0)
    assert rate.get_metric() == 0.0
    at(50.0)
    rate(1)
    at(51.0)
    rate(4)
    assert rate.get_metric() == pytest.approx(4.0)
