import copy
import io

import numpy
import pytest
import torch
from allennlp.common import Params
from allennlp.training.optimizers import Optimizer

from elmo_plugin.training.callbacks.sparse_softmax import steps_are_the_same

# Odd, and none of the processor's widths.
SHAPES = [(37, 29), (5,), (), (0, 3), (1, 1)]
NUM_STEPS = 6
SETTINGS = [
    {"lr": 0.2, "initial_accumulator_value": 1.0},
    {},
    {"lr": 0.1, "lr_decay": 0.3, "initial_accumulator_value": 0.1},
    {"lr": 0.1, "weight_decay": 0.05, "eps": 1e-3},
]
each_setting = pytest.mark.parametrize("settings", SETTINGS, ids=["as shipped", "defaults", "lr_decay", "weight_decay"])


@pytest.fixture
def fused(monkeypatch):
    """Shapes of the parameters that torch's kernel updated."""
    shapes, kernel = [], torch._fused_adagrad_

    def spy(parameters, *args, **kwargs):
        shapes.extend(tuple(parameter.shape) for parameter in parameters)
        return kernel(parameters, *args, **kwargs)

    monkeypatch.setattr(torch, "_fused_adagrad_", spy)
    return shapes


def numbers(shape, seed, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float32).to(dtype)


def parameters_of(dtype, shapes=SHAPES):
    return [torch.nn.Parameter(numbers(shape, seed, dtype)) for seed, shape in enumerate(shapes)]


def gradients_of(parameters, step):
    """Of very different sizes, and the same numbers in every precision."""
    scale = 10.0 ** (-step)
    return [
        numbers(parameter.shape, 100 * (step + 1) + number, parameter.dtype) * scale
        for number, parameter in enumerate(parameters)
    ]


def optimizer_of(parameters, kind="elmo_adagrad", **arguments):
    named = [(f"weight_{number}", parameter) for number, parameter in enumerate(parameters)]
    return Optimizer.from_params(Params({"type": kind, **arguments}), model_parameters=named)


def take_steps(optimizer, parameters, steps=range(NUM_STEPS)):
    for step in steps:
        for parameter, gradient in zip(parameters, gradients_of(parameters, step)):
            parameter.grad = gradient
        optimizer.step()
    return results(optimizer, parameters)


def results(optimizer, parameters):
    """Copies of parameters and sums."""
    tensors = [*parameters, *(optimizer.state[parameter]["sum"] for parameter in parameters)]
    return [tensor.detach().clone() for tensor in tensors]


def by_the_equations(lr=0.01, lr_decay=0.0, weight_decay=0.0, initial_accumulator_value=0.0, eps=1e-10):
    parameters = parameters_of(torch.float64)
    weights = [parameter.detach().numpy().copy() for parameter in parameters]
    sums = [numpy.full_like(weight, initial_accumulator_value) for weight in weights]
    for step in range(NUM_STEPS):
        for number, gradient in enumerate(gradients_of(parameters, step)):
            gradient = gradient.numpy() + weight_decay * weights[number]
            sums[number] = sums[number] + gradient**2
            rate = lr / (1 + step * lr_decay)
            weights[number] = weights[number] - rate * gradient / (numpy.sqrt(sums[number]) + eps)
    return [torch.as_tensor(array) for array in (*weights, *sums)]


def error(found, expected):
    """The largest, relative to the largest number of each tensor."""
    pairs = [(one.double(), other) for one, other in zip(found, expected, strict=True) if other.numel() > 0]
    return max(float((one - other).abs().max() / other.abs().max()) for one, other in pairs)


def assert_equal(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype and torch.equal(one, other)


def saved(state):
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer)


@each_setting
def test_its_steps_are_those_of_the_equations(settings, fused):
    parameters = parameters_of(torch.float64)
    assert error(take_steps(optimizer_of(parameters, **settings), parameters), by_the_equations(**settings)) < 1e-15
    assert fused == SHAPES * NUM_STEPS


@each_setting
def test_in_float32_it_is_as_exact_as_torchs_own(settings, fused):
    ours, theirs = parameters_of(torch.float32), parameters_of(torch.float32)
    found = take_steps(optimizer_of(ours, **settings), ours)
    usual = take_steps(torch.optim.Adagrad(theirs, **settings), theirs)
    expected = by_the_equations(**settings)
    assert len(fused) == len(SHAPES) * NUM_STEPS
    assert error(found, expected) <= 1.5 * error(usual, expected) + 1e-8
    assert all(tensor.dtype == torch.float32 for tensor in found)


def test_gradients_are_left_as_they_are():
    parameters = parameters_of(torch.float32)
    take_steps(optimizer_of(parameters, weight_decay=0.1), parameters, [0])
    assert_equal([parameter.grad for parameter in parameters], gradients_of(parameters, 0))


@pytest.mark.parametrize("foreach", [None, True, False])
def test_dense_and_sparse_gradients_go_together_in_a_group(fused, foreach):
    # The default of torch, said aloud: else it warns.
    torch.sparse.check_sparse_tensor_invariants.disable()
    rows = torch.tensor([[3, 0, 3]])
    kinds = {"elmo_adagrad": {}, "adagrad": {}}
    for kind in kinds:
        dense, sparse = parameters_of(torch.float32, [(7, 4), (5, 4)])
        optimizer = optimizer_of([dense, sparse], kind, lr=0.2, initial_accumulator_value=1.0)
        optimizer.param_groups[0]["foreach"] = foreach
        for step in range(NUM_STEPS):
            dense.grad = numbers((7, 4), step, torch.float32)
            sparse.grad = torch.sparse_coo_tensor(rows, numbers((3, 4), 50 + step, torch.float32), (5, 4))
            optimizer.step()
        kinds[kind] = results(optimizer, [dense, sparse])
    assert fused == [(7, 4)] * NUM_STEPS
    for found, expected in zip(kinds["elmo_adagrad"], kinds["adagrad"]):
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-7)
    assert_equal(kinds["elmo_adagrad"][1::2], kinds["adagrad"][1::2])
    untouched = parameters_of(torch.float32, [(7, 4), (5, 4)])[1]
    assert torch.equal(kinds["elmo_adagrad"][1][[1, 2, 4]], untouched[[1, 2, 4]])


def test_parameters_without_gradients_are_left_alone():
    parameters = parameters_of(torch.float32, [(3, 2), (4,)])
    optimizer = optimizer_of(parameters, weight_decay=0.1, initial_accumulator_value=0.5)
    optimizer.step()
    parameters[0].grad = torch.ones(3, 2)
    optimizer.step()
    assert torch.equal(parameters[1], parameters_of(torch.float32, [(3, 2), (4,)])[1])
    assert [float(optimizer.state[parameter]["step"]) for parameter in parameters] == [1.0, 0.0]
    assert torch.equal(optimizer.state[parameters[1]]["sum"], torch.full((4,), 0.5))


def usual(tensor):
    return tensor


def every_other_column(tensor):
    wide = torch.zeros(*tensor.shape[:-1], 2 * tensor.shape[-1])
    wide[..., ::2] = tensor
    return wide[..., ::2]


def transposed(tensor):
    return tensor.t().contiguous().t()


def one_row_for_all(tensor):
    return tensor[:1].expand_as(tensor)


@pytest.mark.parametrize(
    "layout_of_weight, layout_of_gradient",
    [
        (usual, transposed),
        (usual, every_other_column),
        (usual, one_row_for_all),
        (transposed, usual),
        (every_other_column, usual),
    ],
)
def test_what_does_not_lie_in_memory_as_a_row_is_updated_the_usual_way(fused, layout_of_weight, layout_of_gradient):
    """The kernel would read and write other numbers than these, without a word."""
    found = {}
    for kind in ("elmo_adagrad", "adagrad"):
        weight = torch.nn.Parameter(layout_of_weight(numbers((6, 8), 0, torch.float32)))
        optimizer = optimizer_of([weight], kind, lr=0.2)
        weight.grad = layout_of_gradient(numbers((6, 8), 1, torch.float32))
        optimizer.step()
        found[kind] = [*results(optimizer, [weight]), torch.as_strided(weight.detach(), (6 * 8,), (1,))]
    assert fused == []
    assert_equal(found["elmo_adagrad"], found["adagrad"])


def test_sums_that_do_not_lie_so_are_taken_the_usual_way_too(fused):
    [weight] = parameters_of(torch.float32, [(6, 8)])
    optimizer = optimizer_of([weight])
    optimizer.state[weight]["sum"] = transposed(optimizer.state[weight]["sum"])
    weight.grad = numbers((6, 8), 1, torch.float32)
    optimizer.step()
    assert fused == []
    assert torch.equal(optimizer.state[weight]["sum"], weight.grad**2)


@pytest.mark.parametrize("foreach", [None, True])
@pytest.mark.parametrize(
    "dtype, weights, gradients",
    [(torch.complex64, [1.0 + 1.0j, 2.0], [0.5 - 2.0j, 1.0j]), (torch.bfloat16, [1.0, 2.0], [0.5, -2.0])],
)
def test_other_types_are_updated_the_usual_way(fused, dtype, weights, gradients, foreach):
    found = {}
    for kind in ("elmo_adagrad", "adagrad"):
        weight = torch.nn.Parameter(torch.tensor(weights, dtype=dtype))
        optimizer = optimizer_of([weight], kind, lr=0.2, initial_accumulator_value=0.1)
        optimizer.param_groups[0]["foreach"] = foreach
        weight.grad = torch.tensor(gradients, dtype=dtype)
        optimizer.step()
        found[kind] = results(optimizer, [weight])
    assert fused == []
    assert_equal(found["elmo_adagrad"], found["adagrad"])


def test_other_devices_are_updated_the_usual_way(fused):
    weight = torch.nn.Parameter(torch.ones(3, device="meta"))
    optimizer = optimizer_of([weight])
    weight.grad = torch.ones(3, device="meta")
    optimizer.step()
    assert fused == [] and optimizer.state[weight]["step"] == 1.0


@pytest.mark.parametrize("first, second", [("adagrad", "elmo_adagrad"), ("elmo_adagrad", "adagrad")])
def test_checkpoints_of_adagrad_go_on_with_it_and_the_other_way_round(first, second):
    settings = {"lr": 0.1, "lr_decay": 0.3, "initial_accumulator_value": 0.1}
    undisturbed = parameters_of(torch.float64)
    expected = take_steps(optimizer_of(undisturbed, first, **settings), undisturbed)
    before = parameters_of(torch.float64)
    optimizer = optimizer_of(before, first, **settings)
    take_steps(optimizer, before, range(3))
    parameters = copy.deepcopy(before)
    other = optimizer_of(parameters, second, **settings)
    fresh = other.state_dict()
    other.load_state_dict(saved(optimizer.state_dict()))
    assert other.state_dict()["param_groups"] == fresh["param_groups"]
    assert error(take_steps(other, parameters, range(3, NUM_STEPS)), expected) < 1e-15
    for number, state in other.state_dict()["state"].items():
        kept = fresh["state"][number]
        assert state.keys() == kept.keys() == {"step", "sum"}
        assert (state["step"].dtype, state["step"].device) == (kept["step"].dtype, kept["step"].device)
        assert state["step"] == NUM_STEPS


def test_a_state_that_was_saved_goes_on_bit_for_bit():
    settings = SETTINGS[2]
    undisturbed = parameters_of(torch.float32)
    expected = take_steps(optimizer_of(undisturbed, **settings), undisturbed)
    before = parameters_of(torch.float32)
    optimizer = optimizer_of(before, **settings)
    take_steps(optimizer, before, range(3))
    parameters = copy.deepcopy(before)
    other = optimizer_of(parameters, **settings)
    other.load_state_dict(saved(optimizer.state_dict()))
    assert_equal(take_steps(other, parameters, range(3, NUM_STEPS)), expected)


def test_groups_of_parameters_have_rates_of_their_own(fused):
    parameters = parameters_of(torch.float64, [(3,), (3,)])
    optimizer = optimizer_of(parameters, lr=0.2, parameter_groups=[[["weight_0"], {"lr": 0.05}]])
    for parameter in parameters:
        parameter.grad = torch.ones(3, dtype=torch.float64)
    before = [parameter.detach().clone() for parameter in parameters]
    optimizer.step()
    for moved, start, rate in zip(parameters, before, (0.05, 0.2)):
        torch.testing.assert_close(moved.detach(), start - rate)
    assert len(fused) == 2


def test_a_closure_computes_gradients_and_gives_its_loss():
    weight = torch.nn.Parameter(torch.tensor([3.0]))
    optimizer = optimizer_of([weight], lr=0.5)

    def closure():
        optimizer.zero_grad()
        loss = (weight**2).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 9.0
    assert weight.item() == pytest.approx(2.5)
    assert optimizer.step() is None


def test_hooks_of_a_step_are_called_once():
    [weight] = parameters_of(torch.float32, [(3,)])
    # torch puts the calls of hooks around the method of a class with its first object.
    torch.optim.Adagrad([weight])
    optimizer, calls = optimizer_of([weight]), []
    optimizer.register_step_pre_hook(lambda *_: calls.append("before"))
    optimizer.register_step_post_hook(lambda *_: calls.append("after"))
    take_steps(optimizer, [weight], [0])
    assert calls == ["before", "after"]


def test_a_scaled_loss_is_scaled_back_and_steps_that_overflow_are_left_out():
    weight = torch.nn.Parameter(torch.tensor([3.0]))
    optimizer, scaler = optimizer_of([weight], lr=0.5), torch.amp.GradScaler("cpu", init_scale=1024.0)
    for factor in (float("inf"), 2.0):
        optimizer.zero_grad()
        scaler.scale(factor * weight.sum()).backward()
        scaler.step(optimizer)
        scaler.update()
    assert weight.item() == pytest.approx(2.5)
    assert float(optimizer.state[weight]["sum"]) == 4.0 and optimizer.state[weight]["step"] == 1.0


def test_sparse_gradients_give_the_same_steps():
    parameters = parameters_of(torch.float32)
    assert steps_are_the_same(optimizer_of(parameters))
    assert not steps_are_the_same(optimizer_of(parameters, weight_decay=0.1))
