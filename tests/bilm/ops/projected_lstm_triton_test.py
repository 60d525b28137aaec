"""The recurrence with kernels of its own against its definition, in Triton's interpreter: no GPU is needed."""

import pytest
import torch

from elmo_plugin.bilm.ops.projected_lstm import Chain, projected_lstm, projected_lstms
from tests.bilm.ops.interpreted import interpreted
from tests.bilm.ops.projected_lstm_test import CLIPS, NAMES, SHAPES, random_inputs, run

pytest.importorskip("triton", reason="Triton comes with torch's builds for GPUs, and this is none")

from elmo_plugin.bilm.ops import projected_lstm_triton_steps  # noqa: E402
from elmo_plugin.bilm.ops.projected_lstm_triton import projected_lstms_triton  # noqa: E402

# Numbers that a kernel, whose bounds are of 32 bits, has exactly.
CLIP = (0.375, 0.25)
# The interpreter takes a millisecond and more for a program; a row of this has three.
WIDE = (4, [4, 3], 129, 65)


@pytest.fixture(autouse=True, scope="module")
def interpreter():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(projected_lstm_triton_steps, "kernels", interpreted(projected_lstm_triton_steps.kernels))
        # So that a row is more than one program.
        patch.setattr(projected_lstm_triton_steps, "MAX_BLOCK", 64)
        yield


def projected_lstm_triton_alone(input_gates, rows, hidden, memory, weight_recurrent, weight_projection, *clip):
    chain = Chain(input_gates, hidden, memory, weight_recurrent, weight_projection)
    return projected_lstms_triton([chain], rows, *clip)[0]


@pytest.mark.parametrize(
    "shape, clip",
    [(WIDE, CLIP), (SHAPES["ragged"], (None, None))]
    + [(shape, CLIP) for name, shape in SHAPES.items() if name != "as wide as a real model"],
    ids=str,
)
def test_the_kernels_equal_the_plain_recurrence_forward_and_backward(shape, clip):
    inputs, rows = random_inputs(shape), shape[1]
    expected = run(projected_lstm, inputs, rows, clip)
    for plain, fast in zip(expected, run(projected_lstm_triton_alone, inputs, rows, clip)):
        torch.testing.assert_close(fast, plain, rtol=0, atol=1e-13)


@pytest.mark.parametrize("clip", CLIPS, ids=str)
def test_in_float32_they_are_as_near_to_float64_as_the_plain_one(clip):
    shape = SHAPES["ragged"]
    inputs, rows = [tensor.float().double() for tensor in random_inputs(shape)], shape[1]
    exact = run(projected_lstm, inputs, rows, clip)
    plain = run(projected_lstm, inputs, rows, clip, dtype=torch.float32)
    fast = run(projected_lstm_triton_alone, inputs, rows, clip, dtype=torch.float32)
    for exact_one, plain_one, fast_one in zip(exact, plain, fast):
        allowed = (plain_one - exact_one).abs().max() + 2e-6 * max(1.0, float(exact_one.abs().max()))
        assert (fast_one - exact_one).abs().max() <= allowed


def run_under_autocast(recurrence, inputs, rows, clip):
    def recurrence_in_bfloat16(gates, *others):
        with torch.autocast("cpu", torch.bfloat16):
            return recurrence(gates.bfloat16(), *others)

    return run(recurrence_in_bfloat16, inputs, rows, clip, dtype=torch.float32)


@pytest.mark.parametrize("shape", [SHAPES["ragged"], WIDE], ids=str)
def test_under_autocast_they_are_as_near_to_float64_as_the_plain_one_and_state_and_gradients_in_float32(shape):
    clip = (3.0, 3.0)
    inputs, rows = [tensor.float().double() for tensor in random_inputs(shape)], shape[1]
    exact = run(projected_lstm, inputs, rows, clip)
    plain = run_under_autocast(projected_lstm, inputs, rows, clip)
    fast = run_under_autocast(projected_lstm_triton_alone, inputs, rows, clip)
    for exact_one, plain_one, fast_one in zip(exact, plain, fast):
        assert fast_one.dtype == plain_one.dtype == torch.float32
        # The interpreter cuts digits off (Triton 3.6) where a GPU rounds to the nearest number: twice the error.
        assert (fast_one - exact_one).norm() <= 2.5 * (plain_one - exact_one).norm() + 1e-4 * exact_one.norm()


def test_a_memory_gathers_what_bfloat16_would_lose():
    """20 steps that add 0.001 each to a memory of 2, next to which bfloat16 has steps of 0.016."""
    gates = torch.zeros(20, 4, dtype=torch.bfloat16)
    gates[:, 1], gates[:, 2] = 0.002, 30.0
    state, weights = (torch.zeros(1, 1), torch.full((1, 1), 2.0)), (torch.zeros(4, 1), torch.ones(1, 1))
    with torch.autocast("cpu", torch.bfloat16):
        _, _, memory = projected_lstm_triton_alone(gates, [1] * 20, *state, *weights, 3.0, None)
    assert memory.dtype == torch.float32
    assert memory.item() == pytest.approx(2.02, abs=0.001)


@pytest.mark.parametrize("needing", ["all", "one chain", "none"])
def test_several_chains_are_each_what_they_are_alone(needing):
    shape, results = SHAPES["ragged"], []
    for recurrences in (projected_lstms, projected_lstms_triton):
        chains = [Chain(*random_inputs(shape, seed)) for seed in range(3)]
        learning = {"all": chains, "one chain": chains[1:2], "none": []}[needing]
        tensors = [tensor.requires_grad_() for chain in learning for tensor in chain]
        outputs = [tensor for output in recurrences(chains, shape[1], *CLIP) for tensor in output]
        if needing != "none":
            loss = sum((number + 1) * output.square().sum() for number, output in enumerate(outputs))
            gradients = torch.autograd.grad(loss, tensors, allow_unused=True)
            outputs += [torch.zeros_like(x) if slope is None else slope for x, slope in zip(tensors, gradients)]
        results.append(outputs)
    for plain, fast in zip(*results):
        torch.testing.assert_close(fast, plain, rtol=0, atol=1e-13)


@pytest.mark.parametrize("needing", [[name] for name in NAMES], ids=str)
def test_only_some_of_the_inputs_may_need_gradients(needing):
    shape, clip = (3, [3, 2], 5, 3), CLIP
    inputs = random_inputs(shape)
    plain = run(projected_lstm, inputs, shape[1], clip, needing)
    for plain_one, fast_one in zip(plain, run(projected_lstm_triton_alone, inputs, shape[1], clip, needing)):
        torch.testing.assert_close(fast_one, plain_one, rtol=0, atol=1e-13)


@pytest.mark.filterwarnings("ignore:overflow encountered in exp:RuntimeWarning")
@pytest.mark.parametrize("value, expected", [(0.25, 1.0), (0.2500001, 0.0), (-0.25, 1.0), (-0.2500001, 0.0)])
def test_a_gradient_passes_on_the_bound_of_a_clip_and_not_beyond(value, expected):
    # Gates so large that σ is exactly 1 on the way in: the memory before its clip is `value`.
    gates = torch.tensor([[-200.0, 0.0, 200.0, 200.0]])
    memory, zeros = torch.tensor([[value]], requires_grad=True), torch.zeros(1, 1)
    _, _, after = projected_lstm_triton_alone(gates, [1], zeros, memory, torch.zeros(4, 1), zeros, 0.25, None)
    after.sum().backward()
    assert memory.grad.item() == expected
    # tanh of a memory of 200 is exactly 1, so that the projection is its weight.
    weight = torch.tensor([[value]], requires_grad=True)
    memory = torch.tensor([[200.0]])
    output, _, _ = projected_lstm_triton_alone(gates, [1], zeros, memory, torch.zeros(4, 1), weight, None, 0.25)
    output.sum().backward()
    assert weight.grad.item() == expected


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_what_is_not_a_number_is_not_clipped_away():
    gates = torch.full((1, 4), torch.nan)
    zeros, weights = torch.zeros(1, 1), (torch.zeros(4, 1), torch.ones(1, 1))
    outputs, hidden, memory = projected_lstm_triton_alone(gates, [1], zeros, zeros, *weights, 3.0, 3.0)
    assert all(bool(tensor.isnan().all()) for tensor in (outputs, hidden, memory))


def test_it_can_be_gone_back_through_twice_and_what_is_given_stays_as_it_was():
    shape = (3, [3, 2], 5, 3)
    inputs = [tensor.requires_grad_() for tensor in random_inputs(shape)]
    before = [tensor.detach().clone() for tensor in inputs]
    output, hidden, memory = projected_lstm_triton_alone(inputs[0], shape[1], *inputs[1:], *CLIP)
    loss = output.square().sum() + memory.sum() + hidden.sum()
    once = torch.autograd.grad(loss, inputs, retain_graph=True)
    for first, second in zip(once, torch.autograd.grad(loss, inputs)):
        assert torch.equal(first, second)
    assert all(torch.equal(tensor, copy) for tensor, copy in zip(inputs, before))


def test_gradients_of_gradients_are_refused():
    shape = (3, [3, 2], 5, 3)
    inputs = [tensor.requires_grad_() for tensor in random_inputs(shape)]
    output, _, _ = projected_lstm_triton_alone(inputs[0], shape[1], *inputs[1:], None, None)
    (gradient,) = torch.autograd.grad(output.square().sum(), inputs[3], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()
