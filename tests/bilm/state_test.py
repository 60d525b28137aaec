import torch

from elmo_plugin.bilm.state import BilmState, put_rows, with_batch_size
from tests.bilm.small_models import CELL_DIM, NUM_LAYERS, PROJECTION_DIM, equal, random_state


def rows(state, start, end):
    return state.map(lambda tensor: tensor[:, start:end])


def test_a_state_has_a_row_for_each_row_of_the_batch():
    state = random_state(3)
    assert state.batch_size == 3
    for direction in state:
        assert direction.hidden.shape == (NUM_LAYERS, 3, PROJECTION_DIM)
        assert direction.memory.shape == (NUM_LAYERS, 3, CELL_DIM)


def test_map_takes_each_of_the_four_tensors_to_its_own_place():
    state = random_state(2)
    doubled = state.map(lambda tensor: tensor * 2)
    assert doubled.forward_.hidden.equal(state.forward_.hidden * 2)
    assert doubled.forward_.memory.equal(state.forward_.memory * 2)
    assert doubled.backward_.hidden.equal(state.backward_.hidden * 2)
    assert doubled.backward_.memory.equal(state.backward_.memory * 2)


def test_map_takes_what_several_states_have_in_the_same_place():
    one, other = random_state(2, seed=1), random_state(2, seed=2)
    difference = one.map(torch.sub, other)
    for direction in BilmState._fields:
        tensors = (getattr(state, direction) for state in (one, other, difference))
        assert all(torch.equal(result, ours - theirs) for ours, theirs, result in zip(*tensors))


def test_tensors_are_found_again_by_the_names_of_any_pattern():
    state = random_state(2)
    named = state.named("a/{part}/of_{direction}")
    assert list(named) == ["a/hidden/of_forward", "a/memory/of_forward", "a/hidden/of_backward", "a/memory/of_backward"]
    assert named["a/memory/of_backward"] is state.backward_.memory
    assert equal(BilmState.from_named("a/{part}/of_{direction}", named.__getitem__), state)


def test_no_gradient_flows_through_a_detached_state():
    state = random_state(1).map(lambda tensor: tensor.requires_grad_())
    assert all(not tensor.requires_grad for direction in state.detach() for tensor in direction)
    assert equal(state.detach(), state)


def test_to_takes_precision_and_device_of_another_tensor():
    moved = random_state(1).to(torch.zeros(1, dtype=torch.float64))
    assert all(tensor.dtype == torch.float64 for direction in moved for tensor in direction)


def test_one_row_is_repeated_for_every_row():
    state = random_state(1)
    repeated = state.repeat_rows(3)
    assert repeated.batch_size == 3
    assert all(equal(rows(repeated, row, row + 1), state) for row in range(3))


def test_a_smaller_batch_takes_the_first_rows_and_a_larger_one_gets_zeros():
    state = random_state(3)
    assert equal(with_batch_size(state, 2), rows(state, 0, 2))
    assert equal(with_batch_size(state, 3), state)
    larger = with_batch_size(state, 5)
    assert larger.batch_size == 5 and equal(rows(larger, 0, 3), state)
    assert not any(tensor.any() for direction in rows(larger, 3, 5) for tensor in direction)


def test_new_rows_take_the_place_of_old_ones_and_the_others_stay():
    old, new = random_state(3, seed=1), random_state(2, seed=2)
    assert equal(put_rows(None, new), new)
    assert equal(put_rows(new, old), old)
    both = put_rows(old, new)
    assert equal(rows(both, 0, 2), new) and equal(rows(both, 2, 3), rows(old, 2, 3))
