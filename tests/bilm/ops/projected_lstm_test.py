"""The recurrence's fast peer against its definition: values and gradients, any shape, any clip."""

import pytest
import torch

from elmo_plugin.bilm.ops import projected_lstm_buffered as projected_lstm_buffered_module
from elmo_plugin.bilm.ops import projected_lstm_buffered_steps
from elmo_plugin.bilm.ops.projected_lstm import Chain, Inputs, projected_lstm, projected_lstms
from elmo_plugin.bilm.ops.projected_lstm_buffered import projected_lstms_buffered

# Rows of the batch, rows at each step, cell_dim, projection_dim.
SHAPES = {
    "full": (4, [4] * 6, 8, 5),
    "ragged": (6, [5, 5, 3, 1, 1, 0, 0], 7, 3),
    "one row": (1, [1] * 5, 8, 4),
    "one step": (5, [5], 6, 6),
    "as many tokens as rows": (6, [4, 2], 5, 3),
    "one of everything": (1, [1], 1, 1),
    "every row ended": (3, [0, 0], 4, 2),
    "no steps": (3, [], 4, 2),
    "no rows": (0, [0, 0], 4, 2),
    "projection wider than the cell": (3, [3, 2, 2], 3, 9),
    "as wide as a real model": (9, [9, 9, 8, 5, 2], 129, 65),
}
CLIPS = [(None, None), (None, 0.2), (0.4, 0.2), (0.0, 0.1), (3.0, 3.0)]
NAMES = ("input_gates", "hidden", "memory", "weight_recurrent", "weight_projection")

shapes = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
clips = pytest.mark.parametrize("clip", CLIPS, ids=str)


def from_inputs(chains):
    """The same chains, their input gates as what these could be made of."""
    given = []
    for chain in chains:
        gates, bias = chain.input_gates, torch.linspace(-1, 1, chain.input_gates.size(1)).to(chain.memory)
        given.append(chain._replace(input_gates=Inputs(gates - bias, torch.eye(len(bias)).to(bias), bias)))
    return given


def several_buffered(chains, rows, *clip):
    """The fast peer for input gates that are multiplied already."""
    return projected_lstms_buffered(from_inputs(chains), rows, *clip)


def projected_lstm_buffered(input_gates, rows, hidden, memory, weight_recurrent, weight_projection, *clip):
    """The fast peer for one chain."""
    chain = Chain(input_gates, hidden, memory, weight_recurrent, weight_projection)
    return several_buffered([chain], rows, *clip)[0]


def random_inputs(shape, seed=0):
    """The five tensors in the order of `NAMES`, `float64`, so large that clips of 0.4 and 0.2 cut about half."""
    batch_size, rows, cell_dim, projection_dim = shape
    generator = torch.Generator().manual_seed(seed)

    def normal(*size):
        return torch.randn(size, dtype=torch.float64, generator=generator)

    return [
        normal(sum(rows), 4 * cell_dim),
        normal(batch_size, projection_dim) * 0.3,
        normal(batch_size, cell_dim),
        normal(4 * cell_dim, projection_dim) / projection_dim**0.5,
        normal(projection_dim, cell_dim) / cell_dim**0.5,
    ]


def run(recurrence, inputs, rows, clip, needing=NAMES, dtype=torch.float64):
    """The three outputs, and the gradients of `needing` when every output counts (zeros for what has no influence)."""
    tensors = [tensor.to(dtype, copy=True).requires_grad_(name in needing) for name, tensor in zip(NAMES, inputs)]
    outputs = recurrence(tensors[0], rows, *tensors[1:], *clip)
    generator = torch.Generator().manual_seed(99)
    weights = [torch.randn(output.shape, dtype=torch.float64, generator=generator).to(dtype) for output in outputs]
    sum((output * weight).sum() for output, weight in zip(outputs, weights)).backward()
    needed = [tensor for name, tensor in zip(NAMES, tensors) if name in needing]
    gradients = [torch.zeros_like(tensor) if tensor.grad is None else tensor.grad for tensor in needed]
    return [output.detach() for output in outputs] + gradients


@shapes
@clips
def test_the_fast_recurrence_equals_the_plain_one_forward_and_backward(shape, clip):
    inputs, rows = random_inputs(shape), shape[1]
    for plain, fast in zip(run(projected_lstm, inputs, rows, clip), run(projected_lstm_buffered, inputs, rows, clip)):
        torch.testing.assert_close(fast, plain, rtol=0, atol=1e-13)


@shapes
@clips
def test_in_float32_it_is_as_near_to_float64_as_the_plain_one(shape, clip):
    inputs, rows = random_inputs(shape), shape[1]
    # The same numbers in both precisions.
    inputs = [tensor.float().double() for tensor in inputs]
    exact = run(projected_lstm, inputs, rows, clip)
    plain = run(projected_lstm, inputs, rows, clip, dtype=torch.float32)
    fast = run(projected_lstm_buffered, inputs, rows, clip, dtype=torch.float32)
    for exact_one, plain_one, fast_one in zip(exact, plain, fast):
        if exact_one.numel() > 0:
            allowed = (plain_one - exact_one).abs().max() + 2e-6 * max(1.0, float(exact_one.abs().max()))
            assert (fast_one - exact_one).abs().max() <= allowed


@pytest.mark.parametrize("clip", [(None, None), (0.7, 0.5)], ids=str)
def test_gradients_agree_with_finite_differences(clip):
    shape = (4, [4, 3, 3, 1], 3, 2)
    inputs = [tensor.requires_grad_() for tensor in random_inputs(shape)]
    assert torch.autograd.gradcheck(
        lambda gates, *others: projected_lstm_buffered(gates, shape[1], *others, *clip), inputs
    )


@pytest.mark.parametrize("needing", [[name] for name in NAMES] + [list(NAMES[3:]), list(NAMES[:3])], ids=str)
def test_only_some_of_the_inputs_may_need_gradients(needing):
    shape = SHAPES["ragged"]
    inputs = random_inputs(shape)
    plain = run(projected_lstm, inputs, shape[1], (0.4, 0.2), needing)
    fast = run(projected_lstm_buffered, inputs, shape[1], (0.4, 0.2), needing)
    for plain_one, fast_one in zip(plain, fast):
        torch.testing.assert_close(fast_one, plain_one, rtol=0, atol=1e-13)


@pytest.mark.parametrize("used", [0, 1, 2])
def test_only_one_of_the_outputs_may_be_used(used):
    shape = SHAPES["ragged"]
    gradients = []
    for recurrence in (projected_lstm, projected_lstm_buffered):
        inputs = [tensor.requires_grad_() for tensor in random_inputs(shape)]
        output = recurrence(inputs[0], shape[1], *inputs[1:], 0.4, 0.2)[used]
        gradients.append(torch.autograd.grad(output.square().sum(), inputs, allow_unused=True))
    for plain, fast in zip(*gradients):
        torch.testing.assert_close(fast, torch.zeros_like(fast) if plain is None else plain, rtol=0, atol=1e-13)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("value, expected", [(0.1, 1.0), (0.1000001, 0.0), (-0.1, 1.0), (-0.1000001, 0.0)])
def test_a_gradient_passes_on_the_bound_of_a_clip_and_not_beyond(dtype, value, expected):
    # Gates so large that σ is exactly 1 on the way in: the memory before its clip is `value`.
    gates = torch.tensor([[-200.0, 0.0, 200.0, 200.0]], dtype=dtype)
    for recurrence in (projected_lstm, projected_lstm_buffered):
        memory = torch.tensor([[value]], dtype=dtype, requires_grad=True)
        zeros = torch.zeros(1, 1, dtype=dtype)
        _, _, after = recurrence(gates, [1], zeros, memory, torch.zeros(4, 1, dtype=dtype), zeros, 0.1, None)
        after.sum().backward()
        assert memory.grad.item() == expected
    for recurrence in (projected_lstm, projected_lstm_buffered):
        # tanh of a memory of 200 is exactly 1, so that the projection is its weight.
        weight = torch.tensor([[value]], dtype=dtype, requires_grad=True)
        memory, zeros = torch.tensor([[200.0]], dtype=dtype), torch.zeros(1, 1, dtype=dtype)
        output, _, _ = recurrence(gates, [1], zeros, memory, torch.zeros(4, 1, dtype=dtype), weight, None, 0.1)
        output.sum().backward()
        assert weight.grad.item() == expected


@shapes
@clips
def test_without_gradients_the_values_are_the_same_and_nothing_is_kept(shape, clip):
    inputs, rows = random_inputs(shape), shape[1]
    needing = [tensor.clone().requires_grad_() for tensor in inputs]
    expected = projected_lstm_buffered(needing[0], rows, *needing[1:], *clip)
    with torch.no_grad():
        found = projected_lstm_buffered(needing[0], rows, *needing[1:], *clip)
    for expected_one, found_one, frozen in zip(
        expected, found, projected_lstm_buffered(inputs[0], rows, *inputs[1:], *clip)
    ):
        assert expected_one.requires_grad and not found_one.requires_grad and not frozen.requires_grad
        torch.testing.assert_close(found_one, expected_one.detach(), rtol=0, atol=1e-14)
        torch.testing.assert_close(frozen, expected_one.detach(), rtol=0, atol=1e-14)


def test_it_can_be_used_twice_and_gone_back_through_twice():
    shape = SHAPES["ragged"]
    results = []
    for recurrence in (projected_lstm, projected_lstm_buffered):
        gates, hidden, memory, *weights = inputs = [tensor.requires_grad_() for tensor in random_inputs(shape)]
        _, hidden, memory = recurrence(gates, shape[1], hidden, memory, *weights, 0.4, 0.2)
        output, hidden, memory = recurrence(gates, shape[1], hidden, memory, *weights, 0.4, 0.2)
        loss = output.square().sum() + memory.sum()
        loss.backward(retain_graph=True)
        once = [tensor.grad.clone() for tensor in inputs]
        loss.backward()
        for tensor, gradient in zip(inputs, once):
            torch.testing.assert_close(tensor.grad, 2 * gradient)
        results.append(once)
    for plain, fast in zip(*results):
        torch.testing.assert_close(fast, plain, rtol=0, atol=1e-12)


def test_what_is_given_stays_as_it_was():
    shape = SHAPES["ragged"]
    inputs = random_inputs(shape)
    before = [tensor.clone() for tensor in inputs]
    run(projected_lstm_buffered, inputs, shape[1], (0.4, 0.2))
    projected_lstm_buffered(inputs[0], shape[1], *inputs[1:], 0.4, 0.2)
    assert all(torch.equal(tensor, copy) for tensor, copy in zip(inputs, before))


def test_states_and_weights_need_not_be_contiguous():
    batch_size, rows, cell_dim, projection_dim = shape = SHAPES["ragged"]
    gates, hidden, memory, *weights = random_inputs(shape)
    hidden, memory = hidden[:1].expand(batch_size, -1), memory[:1].expand(batch_size, -1)
    inputs = [gates.t().contiguous().t(), hidden, memory, *(weight.t().contiguous().t() for weight in weights)]
    results = []
    for recurrence in (projected_lstm, projected_lstm_buffered):
        leaves = [tensor.detach().requires_grad_() for tensor in inputs]
        output, _, _ = recurrence(leaves[0], rows, *leaves[1:], 0.4, 0.2)
        results.append([output, *torch.autograd.grad(output.square().sum(), leaves)])
    for plain, fast in zip(*results):
        torch.testing.assert_close(fast, plain, rtol=0, atol=1e-13)


def test_gradients_of_gradients_are_refused():
    shape = SHAPES["full"]
    inputs = [tensor.requires_grad_() for tensor in random_inputs(shape)]
    output, _, _ = projected_lstm_buffered(inputs[0], shape[1], *inputs[1:], None, None)
    (gradient,) = torch.autograd.grad(output.square().sum(), inputs[3], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


@shapes
@pytest.mark.parametrize("in_step", [True, False])
@pytest.mark.parametrize("needing", ["all", "one chain", "none"])
def test_several_chains_are_each_what_they_are_alone(shape, in_step, needing, monkeypatch):
    monkeypatch.setattr(projected_lstm_buffered_module, "MAX_NUMBERS_IN_STEP", 10**9 if in_step else 0)
    results = []
    for recurrences in (projected_lstms, several_buffered):
        chains = [Chain(*random_inputs(shape, seed)) for seed in range(3)]
        learning = {"all": chains, "one chain": chains[1:2], "none": []}[needing]
        tensors = [tensor.requires_grad_() for chain in learning for tensor in chain]
        outputs = [tensor for output in recurrences(chains, shape[1], 0.4, 0.2) for tensor in output]
        if needing != "none":
            loss = sum((number + 1) * output.square().sum() for number, output in enumerate(outputs))
            gradients = torch.autograd.grad(loss, tensors, allow_unused=True)
            outputs += [torch.zeros_like(x) if slope is None else slope for x, slope in zip(tensors, gradients)]
        results.append(outputs)
    for plain, fast in zip(*results):
        torch.testing.assert_close(fast, plain, rtol=0, atol=1e-13)


def test_wide_recurrent_products_are_made_in_blocks(monkeypatch):
    shape = SHAPES["as wide as a real model"]
    inputs = random_inputs(shape)
    expected = run(projected_lstm, inputs, shape[1], (0.4, 0.2))
    monkeypatch.setattr(projected_lstm_buffered_steps, "MAX_COLUMNS", 400)
    for expected_one, found in zip(expected, run(projected_lstm_buffered, inputs, shape[1], (0.4, 0.2))):
        torch.testing.assert_close(found, expected_one, rtol=0, atol=1e-13)


def test_vectors_weight_and_bias_of_the_input_gates_get_their_gradients():
    shape = batch_size, rows, cell_dim, projection_dim = SHAPES["ragged"]
    results = []
    for multiplied in (True, False):
        chains, leaves = [], []
        for seed in range(2):
            generator = torch.Generator().manual_seed(seed)
            sizes = ((sum(rows), projection_dim), (4 * cell_dim, projection_dim), (4 * cell_dim,))
            inputs = Inputs(*(torch.randn(size, dtype=torch.float64, generator=generator) for size in sizes))
            leaves += [tensor.requires_grad_() for tensor in inputs]
            gates = torch.nn.functional.linear(*inputs) if multiplied else inputs
            chains.append(Chain(gates, *random_inputs(shape, seed)[1:]))
        recurrences = projected_lstms if multiplied else projected_lstms_buffered
        outputs = [output.outputs for output in recurrences(chains, rows, 0.4, 0.2)]
        loss = sum((number + 1) * output.square().sum() for number, output in enumerate(outputs))
        results.append([*outputs, *torch.autograd.grad(loss, leaves)])
    for plain, fast in zip(*results):
        torch.testing.assert_close(fast, plain, rtol=0, atol=1e-13)
