"""The compiled recurrence against its definition: any rows, steps, chains and threads, and every row by itself."""

import re

import pytest
import torch

from elmo_plugin.bilm.ops import dispatch, projected_lstm_compiled
from elmo_plugin.bilm.ops.compiled_program import PanelMatrix, why_not
from elmo_plugin.bilm.ops.fixed_rows import projected_lstms_fixed
from elmo_plugin.bilm.ops.projected_lstm import Chain, Inputs, projected_lstms
from elmo_plugin.bilm.ops.projected_lstm_compiled import in_panels, is_for, projected_lstms_compiled
from elmo_plugin.bilm.ops.projected_lstm_learning import projected_lstms_learning
from elmo_plugin.bilm.ops.projected_lstm_reading import projected_lstms_reading
from tests.bilm.ops.projected_lstm_test import random_inputs
from tests.compiled import runs_here

pytestmark = pytest.mark.usefixtures("each_program")

# Rows of each step, cell_dim, projection_dim.
SHAPES = {
    "one row": ([1] * 5, 32, 16),
    "every number of rows": (list(range(20, 0, -1)), 48, 32),
    "steps without rows": ([3, 2, 0, 0], 16, 16),
    "no steps": ([], 16, 16),
    "no rows at all": ([0, 0], 16, 16),
    "wider than what is added up at once": ([9, 7, 2, 1], 528, 272),
    "narrow memory, wide projection": ([5, 4, 4], 16, 80),
}
all_shapes = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())


def weights_in(chains, dtype):
    return [Chain(*one[:3], *in_panels(*one[3:], dtype=dtype)) for one in chains]


def chain(shape, seed=0, batch_size=None):
    batch_size = max(shape[0], default=2) if batch_size is None else batch_size
    return Chain(*(tensor.float() for tensor in random_inputs((batch_size, *shape), seed)))


def doubled(one):
    return Chain(*(tensor.double() for tensor in one))


def errors(found, exact):
    return [float((one.double() - other).abs().max()) if one.numel() else 0.0 for one, other in zip(found, exact)]


@runs_here
@all_shapes
@pytest.mark.parametrize("clip", [(None, None), (0.4, 0.2)], ids=str)
@pytest.mark.parametrize("num_threads", [1, 2])
@pytest.mark.parametrize("num_chains", [1, 2])
def test_its_error_is_that_of_the_plain_one(shape, clip, num_threads, num_chains, threads):
    threads(num_threads)
    chains = [chain(shape, seed) for seed in range(num_chains)]
    kept = [[tensor.clone() for tensor in one] for one in chains]
    exact = projected_lstms([doubled(one) for one in chains], shape[0], *clip)
    # Sums are rounded before they are clipped.
    unclipped = projected_lstms([doubled(one) for one in chains], shape[0], None, None)
    plain = projected_lstms(chains, shape[0], *clip)
    found = projected_lstms_compiled(chains, shape[0], *clip)
    for one, other, right, sums in zip(found, plain, exact, unclipped):
        for error, usual, tensor in zip(errors(one, right), errors(other, right), sums):
            size = float(tensor.abs().max()) if tensor.numel() else 0.0
            assert error <= 2 * usual + 5e-7 * size
    for one, before in zip(chains, kept):
        assert all(torch.equal(tensor, copy) for tensor, copy in zip(one, before)), "an argument was written to"


@runs_here
@pytest.mark.parametrize("at_once", [1, 7, 10**9])
def test_inputs_are_multiplied_for_some_steps_at_a_time(at_once, monkeypatch):
    monkeypatch.setattr(projected_lstm_compiled, "TOKENS_AT_ONCE", at_once)
    rows, cell_dim, projection_dim = shape = SHAPES["steps without rows"]
    chains = [chain(shape, seed) for seed in range(2)]
    generator = torch.Generator().manual_seed(3)
    sizes = (sum(rows), projection_dim), (4 * cell_dim, projection_dim), (4 * cell_dim,)
    inputs = [Inputs(*(torch.randn(size, generator=generator) for size in sizes)) for _ in chains]
    gates = [given.vectors.double() @ given.weight.double().t() + given.bias for given in inputs]
    exact = projected_lstms([doubled(one._replace(input_gates=g)) for one, g in zip(chains, gates)], rows, 3.0, 3.0)
    given = [one._replace(input_gates=own) for one, own in zip(chains, inputs)]
    in_panels_too = [
        one._replace(input_gates=own._replace(weight=PanelMatrix(own.weight))) for one, own in zip(chains, inputs)
    ]
    for these in (given, in_panels_too):
        for one, right in zip(projected_lstms_compiled(these, rows, 3.0, 3.0), exact):
            assert max(errors(one, right)) < 1e-5
    with pytest.raises(ValueError, match="The input gates of all chains should be given in the same form"):
        projected_lstms_compiled([given[0], in_panels_too[1]], rows, 3.0, 3.0)


@runs_here
def test_weights_in_panels_give_the_same_bits_and_more_rows_than_steps_read_stay_as_they_are():
    shape = SHAPES["every number of rows"]
    given = chain(shape, batch_size=23)
    (plain,) = projected_lstms_compiled([given], shape[0], 3.0, 3.0)
    (found,) = projected_lstms_compiled(weights_in([given], torch.float32), shape[0], 3.0, 3.0)
    assert all(torch.equal(one, other) for one, other in zip(found, plain))
    assert torch.equal(found.hidden[20:], given.hidden[20:]) and torch.equal(found.memory[20:], given.memory[20:])


@runs_here
@pytest.mark.parametrize("name", ["every number of rows", "wider than what is added up at once"])
def test_in_half_precision_it_is_that_of_rounded_weights(name):
    shape = SHAPES[name]
    chains = [chain(shape, seed) for seed in range(2)]
    rounded = [Chain(*one[:3], *(weight.half().float() for weight in one[3:])) for one in chains]
    exact = projected_lstms([doubled(one) for one in rounded], shape[0], 3.0, 3.0)
    for one, right in zip(projected_lstms_compiled(weights_in(chains, torch.float16), shape[0], 3.0, 3.0), exact):
        assert max(errors(one, right)) < 1e-5 * float(right.memory.abs().max())


@runs_here
def test_any_number_of_chains_on_any_number_of_threads_gives_the_same_bits(threads):
    shape = SHAPES["wider than what is added up at once"]
    chains = [chain(shape, seed) for seed in range(11)]
    threads(1)
    alone = [projected_lstms_compiled([one], shape[0], 3.0, None)[0] for one in chains]
    for num_chains, num_threads in [(1, 3), (2, 4), (2, 7), (3, 2), (11, 3)]:
        threads(num_threads)
        together = projected_lstms_compiled(chains[:num_chains], shape[0], 3.0, None)
        for found, expected in zip(together, alone):
            assert all(torch.equal(one, other) for one, other in zip(found, expected))


@runs_here
def test_a_row_has_the_same_bits_alone():
    rows = [40] * 3 + [33, 33, 20, 20, 7, 2, 1]
    whole = chain((rows, 64, 272))
    (together,) = projected_lstms_compiled([whole], rows, 0.5, 0.2)
    for row in (0, 1, 5, 6, 19, 31, 32, 39):
        num_steps = sum(num_rows > row for num_rows in rows)
        places = [sum(rows[:step]) + row for step in range(num_steps)]
        state = whole.hidden[row : row + 1], whole.memory[row : row + 1]
        alone = Chain(whole.input_gates[places], *state, *whole[3:])
        (found,) = projected_lstms_compiled([alone], [1] * num_steps, 0.5, 0.2)
        assert torch.equal(found.outputs, together.outputs[places])
        assert torch.equal(found.hidden[0], together.hidden[row]) and torch.equal(found.memory[0], together.memory[row])


@runs_here
@pytest.mark.parametrize("scale", [1e-30, 30.0, 1e4, 1e30])
def test_gates_far_out_end_where_the_activations_end(scale):
    shape = SHAPES["every number of rows"]
    given = chain(shape)._replace(input_gates=scale * chain(shape).input_gates)
    (exact,) = projected_lstms([doubled(given)], shape[0], 3.0, 3.0)
    (found,) = projected_lstms_compiled([given], shape[0], 3.0, 3.0)
    assert max(errors(found, exact)) < 2e-5


@runs_here
@pytest.mark.parametrize("part", ["input_gates", "hidden", "memory"])
@pytest.mark.parametrize("clip", [None, 3.0])
def test_what_is_not_a_number_is_passed_on_and_stays_in_its_row(part, clip):
    shape = ([4, 4, 4], 16, 16)
    given = chain(shape)
    given._asdict()[part][2, 5] = torch.nan
    (expected,), (found,) = (run([given], shape[0], clip, clip) for run in (projected_lstms, projected_lstms_compiled))
    for one, other in zip(found, expected):
        assert torch.equal(one.isnan(), other.isnan()) and other.isnan().any()


@runs_here
def test_tensors_may_lie_anyhow():
    shape = SHAPES["every number of rows"]
    given = chain(shape)
    turned = Chain(*(tensor.t().contiguous().t() for tensor in given))
    assert not turned.hidden.is_contiguous()
    (expected,), (found,) = (projected_lstms_compiled([one], shape[0], 3.0, 3.0) for one in (given, turned))
    assert all(torch.equal(one, other) for one, other in zip(found, expected))


@runs_here
def test_what_does_not_fit_together_is_refused_before_it_is_read():
    given = chain(([3, 2], 32, 16))
    for part, other, message in [
        ("input_gates", given.input_gates[1:], "(5, 128), but it has (4, 128)"),
        ("memory", given.memory[1:], "(3, 32), but it has (2, 32)"),
        ("weight_recurrent", torch.zeros(64, 16), "(2, 4, 16, 16), but it has (1, 4, 16, 16)"),
        ("weight_projection", torch.zeros(32, 32), "(1, 1, 32, 16), but it has (2, 1, 32, 16)"),
    ]:
        with pytest.raises(ValueError, match=re.escape(f"`{part}` should have the shape {message}.")):
            projected_lstms_compiled([given._replace(**{part: other})], [3, 2], None, None)
    with pytest.raises(ValueError, match=r"`rows_per_step` should be from 0 to 3, but it is \[4, 1\]"):
        projected_lstms_compiled([given], [4, 1], None, None)
    with pytest.raises(ValueError, match="All chains should have the same shapes"):
        projected_lstms_compiled([given, chain(([3, 2], 32, 16), batch_size=5)], [3, 2], None, None)
    inputs = Inputs(torch.zeros(5, 16), torch.zeros(128, 16), torch.zeros(128))
    for part, other, message in [
        ("vectors", torch.zeros(4, 16), "(5, 16), but it has (4, 16)"),
        ("weight", torch.zeros(127, 16), "(128, 16), but it has (127, 16)"),
        ("weight", PanelMatrix(torch.zeros(128, 16), num_gates=4), "(8, 1, 16, 16), but it has (2, 4, 16, 16)"),
        ("bias", torch.zeros(127), "(128,), but it has (127,)"),
    ]:
        with pytest.raises(ValueError, match=re.escape(f"`{part}` should have the shape {message}.")):
            wrong = given._replace(input_gates=inputs._replace(**{part: other}))
            projected_lstms_compiled([wrong], [3, 2], None, None)
    (half,) = weights_in([given], torch.float16)
    with pytest.raises(ValueError, match="weights of all chains should have the same precision"):
        projected_lstms_compiled([given, half], [3, 2], None, None)
    with pytest.raises(ValueError, match="`input_gates` should be on the CPU, but it is on meta"):
        projected_lstms_compiled([given._replace(input_gates=given.input_gates.to("meta"))], [3, 2], None, None)


@runs_here
def test_what_it_gives_knows_of_no_gradient():
    given = chain(([3, 2], 32, 16))
    learning = given._replace(hidden=given.hidden.requires_grad_(), memory=given.memory.requires_grad_())
    (found,) = projected_lstms_compiled([learning], [3, 2], None, None)
    assert not any(tensor.requires_grad for tensor in found)


@runs_here
def test_numbers_of_fewer_bits_are_read_as_they_are():
    given = chain(([3, 2], 32, 16))
    few = [tensor.bfloat16() for tensor in given[:3]]
    (found,) = projected_lstms_compiled([Chain(*few, *given[3:])], [3, 2], 1.0, 1.0)
    (expected,) = projected_lstms_compiled([Chain(*(tensor.float() for tensor in few), *given[3:])], [3, 2], 1.0, 1.0)
    assert all(torch.equal(one, other) for one, other in zip(found, expected))


def test_it_is_for_float32_on_a_cpu_and_widths_of_whole_panels():
    assert is_for(torch.zeros(32, 48)) is (why_not() is None)
    assert not is_for(torch.zeros(32, 40)) and not is_for(torch.zeros(8, 48))
    assert not is_for(torch.zeros(32, 48).double()) and not is_for(torch.zeros(32, 48, device="meta"))


@runs_here
def test_dispatch_takes_it_for_reading_and_for_fixed_rows():
    one, odd = chain(([2], 16, 16)), chain(([2], 5, 3))
    of_inputs = [
        other._replace(input_gates=Inputs(other.hidden, other.weight_recurrent, other.input_gates[0]))
        for other in (one, odd)
    ]
    learning = [of_inputs[0]._replace(memory=one.memory.clone().requires_grad_())]
    for chains, expected in [
        ([of_inputs[0]], projected_lstms_compiled),
        (weights_in([of_inputs[0]], torch.float32), projected_lstms_compiled),
        ([of_inputs[1]], projected_lstms_reading),
        (learning, projected_lstms_learning),
    ]:
        assert dispatch._recurrence_of(chains) is expected
    with torch.no_grad():
        assert dispatch._recurrence_of(learning) is projected_lstms_compiled
    for name, expected in [("plain", projected_lstms), ("fast", projected_lstms_reading)]:
        with dispatch.forced(name):
            assert dispatch._recurrence_of([of_inputs[0]]) is expected
    with dispatch.forced("fixed"):
        assert dispatch._recurrence_of([of_inputs[0]]) is projected_lstms_compiled
        assert dispatch._recurrence_of([of_inputs[1]]) is projected_lstms_fixed
