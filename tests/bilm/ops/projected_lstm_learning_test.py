"""The compiled steps of training against the recurrence's definition: any rows, steps, chains and threads."""

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from elmo_plugin.bilm.ops import dispatch
from elmo_plugin.bilm.ops import projected_lstm_buffered as buffered
from elmo_plugin.bilm.ops.compiled_program import rows_apart, why_not
from elmo_plugin.bilm.ops.projected_lstm import Chain, projected_lstms
from elmo_plugin.bilm.ops.projected_lstm_buffered import projected_lstms_buffered
from elmo_plugin.bilm.ops.projected_lstm_buffered_steps import Buffers, Joined, Slopes, State
from elmo_plugin.bilm.ops.projected_lstm_learning import IN_C, projected_lstms_learning
from tests.bilm.ops.projected_lstm_compiled_test import SHAPES
from tests.bilm.ops.projected_lstm_test import NAMES, from_inputs, random_inputs, run
from tests.compiled import runs_here

pytestmark = pytest.mark.usefixtures("each_program")

all_shapes = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
RAGGED = SHAPES["every number of rows"]


def whole(shape, batch_size=None):
    """With the number of rows of the batch, as `random_inputs` takes it."""
    return (max(shape[0], default=2) if batch_size is None else batch_size, *shape)


def floats(shape, seed=0):
    """Numbers that are the same in both precisions, as `float64`."""
    return [tensor.float().double() for tensor in random_inputs(whole(shape), seed)]


def learning(input_gates, rows, *others_and_clip):
    """The compiled steps for one chain."""
    *others, cell_clip, projection_clip = others_and_clip
    (output,) = projected_lstms_learning(from_inputs([Chain(input_gates, *others)]), rows, cell_clip, projection_clip)
    return output


def plain(input_gates, rows, *others_and_clip):
    *others, cell_clip, projection_clip = others_and_clip
    return projected_lstms([Chain(input_gates, *others)], rows, cell_clip, projection_clip)[0]


@runs_here
@all_shapes
@pytest.mark.parametrize("clip", [(None, None), (None, 0.2), (0.4, 0.2), (0.0, 0.1), (3.0, 3.0)], ids=str)
@pytest.mark.parametrize("num_threads", [1, 2])
def test_values_and_gradients_are_as_near_to_float64_as_the_plain_ones(shape, clip, num_threads, threads):
    threads(num_threads)
    inputs, rows = floats(shape), shape[0]
    exact = run(plain, inputs, rows, clip)
    usual = run(plain, inputs, rows, clip, dtype=torch.float32)
    found = run(learning, inputs, rows, clip, dtype=torch.float32)
    for exact_one, usual_one, found_one in zip(exact, usual, found):
        assert found_one.shape == exact_one.shape and found_one.dtype == torch.float32
        if exact_one.numel() > 0:
            allowed = (usual_one - exact_one).abs().max() + 2e-6 * max(1.0, float(exact_one.abs().max()))
            assert (found_one - exact_one).abs().max() <= allowed


@runs_here
@pytest.mark.parametrize("in_step", [True, False])
@pytest.mark.parametrize("batch_size", [20, 23])
def test_several_chains_learn_each_what_it_learns_alone(in_step, batch_size, monkeypatch):
    monkeypatch.setattr(buffered, "MAX_NUMBERS_IN_STEP", 10**9 if in_step else 0)
    rows, results = RAGGED[0], []
    for recurrence, dtype in ((projected_lstms, torch.float64), (projected_lstms_learning, torch.float32)):
        chains = [Chain(*(x.to(dtype) for x in random_inputs(whole(RAGGED, batch_size), seed))) for seed in range(3)]
        # The second one learns nothing.
        tensors = [tensor.requires_grad_() for chain in chains[::2] for tensor in chain]
        given = chains if recurrence is projected_lstms else from_inputs(chains)
        outputs = [tensor for output in recurrence(given, rows, 0.4, 0.2) for tensor in output]
        loss = sum((number + 1) * output.square().sum() for number, output in enumerate(outputs))
        results.append([*(output.detach() for output in outputs), *torch.autograd.grad(loss, tensors)])
    for exact, found in zip(*results):
        torch.testing.assert_close(found.double(), exact, rtol=0, atol=2e-5 * max(1.0, float(exact.abs().max())))


def steps_of(num_chains, rows, cell_dim, dim, seed=0):
    """All that the steps take, there and back, and the gradients that come in."""
    generator = torch.Generator().manual_seed(seed)
    batch_size = max(rows)

    def normal(*size):
        return torch.randn(num_chains, *size, generator=generator)

    weights = normal(4 * cell_dim, dim), normal(4 * cell_dim), normal(batch_size, dim), normal(batch_size, cell_dim)
    # The inputs' product is a library's, whose bits are not looked at here: of zeros it is zero.
    vectors = torch.zeros(num_chains, sum(rows), dim)
    joined = Joined(vectors, *weights, normal(4 * cell_dim, dim) / dim**0.5, normal(dim, cell_dim) / cell_dim**0.5)
    # What the steps fill in must not depend on what was there.
    buffers = Buffers(*(normal(sum(rows), width) for width in (4 * cell_dim, cell_dim, cell_dim, cell_dim, dim)))
    slopes = Slopes(
        normal(sum(rows), 4 * cell_dim), normal(sum(rows), dim), normal(batch_size, dim), normal(batch_size, cell_dim)
    )
    return joined, buffers, slopes


def apart(tensor):
    """A copy as the steps take it."""
    return rows_apart(*tensor.shape).copy_(tensor)


def run_steps(joined, buffers, slopes, rows, chains=slice(None)):
    """Everything that there and back leave behind, of some of the chains."""
    joined = Joined(*(tensor[chains] for tensor in joined))
    buffers, slopes = (type(part)(*(apart(tensor[chains]) for tensor in part)) for part in (buffers, slopes))
    state = State(apart(joined.hidden), apart(joined.memory))
    IN_C.forward(joined, buffers, state, rows, (0.7, 0.5))
    IN_C.back(slopes, joined, buffers, rows, (0.7, 0.5))
    return [*buffers, *state, *slopes]


@runs_here
def test_any_number_of_chains_on_any_number_of_threads_gives_the_same_bits(threads):
    rows = [9, 7, 2, 1]
    parts = steps_of(11, rows, 528, 272)
    threads(1)
    alone = [run_steps(*parts, rows, slice(index, index + 1)) for index in range(11)]
    for num_chains, num_threads in [(1, 3), (2, 4), (2, 7), (3, 2), (11, 3)]:
        threads(num_threads)
        for index, found in enumerate(zip(*run_steps(*parts, rows, slice(num_chains)))):
            assert all(torch.equal(one, other[0]) for one, other in zip(found, alone[index]))


@runs_here
def test_a_row_goes_back_with_the_same_bits_alone():
    rows = [5, 5, 3, 1]
    joined, buffers, slopes = steps_of(1, rows, 64, 48)
    together = run_steps(joined, buffers, slopes, rows)
    for row, num_steps in enumerate([4, 3, 3, 2, 2]):
        places = [sum(rows[:step]) + row for step in range(num_steps)]
        own = slice(row, row + 1)
        states = {"hidden": joined.hidden[:, own], "memory": joined.memory[:, own]}
        of_row = joined._replace(vectors=joined.vectors[:, places], **states)
        own_buffers = Buffers(*(tensor[:, places] for tensor in buffers))
        own_slopes = Slopes(*(x[:, places] for x in slopes[:2]), *(x[:, own] for x in slopes[2:]))
        alone = run_steps(of_row, own_buffers, own_slopes, [1] * num_steps)
        packed, states = [0, 1, 2, 3, 4, 7, 8], [5, 6, 9, 10]
        assert all(torch.equal(alone[index], together[index][:, places]) for index in packed)
        assert all(torch.equal(alone[index], together[index][:, own]) for index in states)


@runs_here
@pytest.mark.parametrize("needing", [[name] for name in NAMES] + [list(NAMES[3:]), list(NAMES[:3])], ids=str)
def test_only_some_of_the_inputs_may_need_gradients(needing):
    inputs, rows = floats(RAGGED), RAGGED[0]
    exact = run(plain, inputs, rows, (0.4, 0.2), needing)
    found = run(learning, inputs, rows, (0.4, 0.2), needing, torch.float32)
    assert len(found) == 3 + len(needing)
    for exact_one, found_one in zip(exact, found):
        torch.testing.assert_close(found_one.double(), exact_one, rtol=0, atol=2e-4)


@runs_here
@pytest.mark.parametrize("used", [0, 1, 2])
def test_only_one_of_the_outputs_may_be_used_and_one_can_go_back_twice(used):
    results = []
    for recurrence, dtype in ((plain, torch.float64), (learning, torch.float32)):
        inputs = [tensor.to(dtype).requires_grad_() for tensor in floats(RAGGED)]
        loss = recurrence(inputs[0], RAGGED[0], *inputs[1:], 0.4, 0.2)[used].square().sum()
        once, again = (torch.autograd.grad(loss, inputs, allow_unused=True, retain_graph=True) for _ in range(2))
        assert all(one is None or torch.equal(one, other) for one, other in zip(once, again))
        results.append(once)
    for exact, found in zip(*results):
        exact = torch.zeros_like(found).double() if exact is None else exact
        torch.testing.assert_close(found.double(), exact, rtol=0, atol=2e-5 * max(1.0, float(exact.abs().max())))


@runs_here
@pytest.mark.parametrize("value, expected", [(0.1, 1.0), (0.1000001, 0.0), (-0.1, 1.0), (-0.1000001, 0.0)])
def test_a_gradient_passes_on_the_bound_of_a_clip_and_not_beyond(value, expected):
    # Gates so large that σ is exactly 1 on the way in: the memory before its clip is `value`.
    gates = torch.tensor([-200.0, 0.0, 200.0, 200.0]).repeat_interleave(16).unsqueeze(0)
    zeros, recurrent = torch.zeros(1, 16), torch.zeros(64, 16)
    memory = torch.full((1, 16), value, requires_grad=True)
    learning(gates, [1], zeros, memory, recurrent, torch.zeros(16, 16), 0.1, None).memory.sum().backward()
    assert memory.grad.unique().tolist() == [expected]
    # tanh of a memory of 200 is exactly 1, so that the projection is its weight.
    weight = torch.diag(torch.full((16,), value)).requires_grad_()
    output = learning(gates, [1], zeros, torch.full((1, 16), 200.0), recurrent, weight, None, 0.1)
    output.outputs.sum().backward()
    assert weight.grad.unique().tolist() == [expected]


@runs_here
def test_what_is_given_stays_as_it_was_and_may_lie_anyhow():
    inputs, rows = floats(RAGGED), RAGGED[0]
    leaves = [tensor.float() for tensor in inputs]
    turned = [tensor.t().contiguous().t() for tensor in leaves]
    assert not turned[1].is_contiguous()
    before = [tensor.clone() for tensor in leaves]
    expected, found = (run(learning, given, rows, (0.4, 0.2), dtype=torch.float32) for given in (leaves, turned))
    for one, other in zip(found, expected):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5 * max(1.0, float(other.abs().max())))
    assert all(torch.equal(tensor, copy) for tensor, copy in zip(leaves, before))


@runs_here
@pytest.mark.parametrize("part", ["input_gates", "hidden", "memory"])
def test_what_is_not_a_number_is_passed_on(part):
    inputs = floats(([4, 4, 4], 16, 16))
    inputs[NAMES.index(part)][2, 5] = torch.nan
    (exact, found) = (run(one, inputs, [4, 4, 4], (3.0, 3.0), dtype=torch.float32) for one in (plain, learning))
    for one, other in zip(found[:3], exact[:3]):
        assert torch.equal(one.isnan(), other.isnan()) and other.isnan().any()


@runs_here
@pytest.mark.parametrize("recurrence", [projected_lstms_buffered, projected_lstms_learning])
def test_what_is_kept_may_be_computed_anew_or_come_back_in_another_layout(recurrence):
    chains = from_inputs([Chain(*(tensor.float().requires_grad_() for tensor in floats(RAGGED)))])
    leaves = [*chains[0].input_gates, *chains[0][1:]]
    leaves = [tensor for tensor in leaves if tensor.requires_grad]

    def outputs():
        return recurrence(chains, RAGGED[0], 0.4, 0.2)[0].outputs

    def gradients(found):
        return torch.autograd.grad(found.square().sum(), leaves)

    expected = gradients(outputs())
    anew = gradients(checkpoint(outputs, use_reentrant=False))
    with torch.autograd.graph.saved_tensors_hooks(lambda kept: kept.clone(), lambda kept: kept):
        moved = gradients(outputs())
    for found in (anew, moved):
        assert all(torch.equal(one, other) for one, other in zip(found, expected))


@runs_here
def test_gradients_of_gradients_are_refused():
    inputs = [tensor.float().requires_grad_() for tensor in floats(([2, 1], 16, 16))]
    output = learning(inputs[0], [2, 1], *inputs[1:], None, None).outputs
    (gradient,) = torch.autograd.grad(output.square().sum(), inputs[3], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


@runs_here
def test_what_does_not_fit_together_is_refused_before_it_is_read():
    rows = [3, 2]
    joined, buffers, slopes = steps_of(2, rows, 32, 16)
    buffers, slopes = (type(part)(*map(apart, part)) for part in (buffers, slopes))
    states = State(apart(joined.hidden), apart(joined.memory))

    def there(joined=joined, buffers=buffers, rows=rows, state=states):
        IN_C.forward(joined, buffers, state, rows, (None, None))

    with pytest.raises(ValueError, match=r"`memories` should have the shape \(2, 5, 32\), but it has \(2, 4, 32\)"):
        there(buffers=buffers._replace(memories=buffers.memories[:, 1:]))
    with pytest.raises(ValueError, match=r"`bias` should have the shape \(2, 128\), but it has \(2, 64\)"):
        there(joined=joined._replace(bias=joined.bias[:, :64]))
    for other in (buffers.memories.contiguous(), apart(buffers.memories).double()):
        with pytest.raises(ValueError, match="`memories` should be of float32 and its rows 16 numbers apart"):
            there(buffers=buffers._replace(memories=other))
    with pytest.raises(ValueError, match=r"`hidden` should have the shape \(2, 3, 16\), but it has \(2, 2, 16\)"):
        there(state=states._replace(hidden=states.hidden[:, 1:]))
    for name, wrong in [
        ("vectors", joined.vectors[:, 1:]),
        ("weight_input", joined.weight_input[:, :64]),
        ("weight_recurrent", joined.weight_recurrent[:, :64]),
        ("weight_projection", joined.weight_projection.transpose(1, 2)),
    ]:
        with pytest.raises(ValueError, match=f"`{name}` should have the shape .*, but it has"):
            there(joined=joined._replace(**{name: wrong}))
    with pytest.raises(ValueError, match="Widths should be multiples of 16, but they are 32 and 24"):
        gates, *others = (tensor.float() for tensor in random_inputs((1, [1], 32, 24)))
        learning(gates, [1], *others, None, None)
    for wrong in ([2, 3], [4, 1], [5, 0]):
        with pytest.raises(ValueError, match="`rows` should be from 1 to 3 and never increase"):
            there(rows=wrong)
    with pytest.raises(ValueError, match=r"`slopes.hidden` should have the shape \(2, 3, 16\), but"):
        IN_C.back(slopes._replace(hidden=slopes.hidden[:, 1:]), joined, buffers, rows, (None, None))


@runs_here
def test_dispatch_takes_it_for_training_where_nothing_else_is_forced():
    chain = Chain(*(tensor.float().requires_grad_() for tensor in floats(([2], 16, 16))))
    odd = Chain(*(tensor.float().requires_grad_() for tensor in random_inputs((2, [2], 5, 3))))
    exact = Chain(*(tensor.double() for tensor in chain))
    for one, implementation, expected in [
        (chain, None, projected_lstms_learning),
        (odd, None, projected_lstms_buffered),
        (exact, None, projected_lstms_buffered),
        (chain, "fast", projected_lstms_buffered),
        (chain, "plain", projected_lstms),
    ]:
        with dispatch.forced(implementation) if implementation else dispatch.with_fixed_rows(False):
            assert dispatch._recurrence_of(from_inputs([one])) is expected
    outputs = dispatch.projected_lstms(from_inputs([chain]), [2], 3.0, 3.0)[0].outputs
    assert outputs.grad_fn is not None and why_not() is None
