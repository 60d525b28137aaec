import pytest
import torch

from elmo_plugin.bilm.state_policy import STATE_POLICIES, state_after, state_before
from tests.bilm.small_models import equal, random_state, small_bilm


@pytest.fixture(scope="module")
def bilm():
    return small_bilm()


CARRIED, STEADY = random_state(2, seed=1), random_state(1, seed=2)


def test_zero_is_zeros_whatever_was_read_before(bilm):
    assert equal(state_before("zero", bilm, 3, CARRIED, STEADY), bilm.zero_state(3))


def test_steady_is_the_stored_state_for_every_row(bilm):
    assert equal(state_before("steady", bilm, 3, CARRIED, STEADY), STEADY.repeat_rows(3))


def test_stateful_begins_with_zeros_and_goes_on_by_row(bilm):
    assert equal(state_before("stateful", bilm, 3, None, STEADY), bilm.zero_state(3))
    before = state_before("stateful", bilm, 3, CARRIED, STEADY)
    assert before.batch_size == 3
    assert equal(before.map(lambda tensor: tensor[:, :2]), CARRIED)
    assert equal(state_before("stateful", bilm, 1, CARRIED, STEADY), CARRIED.map(lambda tensor: tensor[:, :1]))


def test_a_carried_state_follows_the_model_to_another_precision_or_device(bilm):
    before = state_before("stateful", small_bilm().double(), 3, CARRIED, None)
    assert all(tensor.dtype == torch.float64 for direction in before for tensor in direction)


@pytest.mark.parametrize("policy", STATE_POLICIES)
def test_only_stateful_carries_anything_on(policy):
    new = random_state(1, seed=3).map(lambda tensor: tensor.requires_grad_())
    after = state_after(policy, CARRIED, new)
    if policy != "stateful":
        assert after is None
        return
    assert equal(after.map(lambda tensor: tensor[:, :1]), new)
    assert equal(after.map(lambda tensor: tensor[:, 1:]), CARRIED.map(lambda tensor: tensor[:, 1:]))
    assert not any(tensor.requires_grad for direction in after for tensor in direction)
