"""
Windows captured as CUDA graphs against the same launched step by step: the same numbers to the last bit. A replay is an
execution on the captured tensors (`executed_graphs`), and torch computes what kernels would: no GPU is needed.
"""

import gc
import itertools
import logging

import pytest
import torch

from elmo_plugin.bilm.language_model import LanguageModel
from elmo_plugin.bilm.ops import cuda_graphs, dispatch
from elmo_plugin.bilm.ops.graph_store import GraphStore, captured_in
from elmo_plugin.bilm.ops.projected_lstm import Chain, projected_lstms
from elmo_plugin.bilm.options import BilmOptions
from tests.bilm.ops.executed_graphs import ExecutedGraphs
from tests.bilm.ops.interpreted import interpreted, launch_without_triton
from tests.bilm.small_models import small_options

pytest.importorskip("triton", reason="Triton comes with torch's builds for GPUs, and this is none")

from elmo_plugin.bilm.ops import projected_lstm_triton_steps  # noqa: E402
from elmo_plugin.bilm.ops.projected_lstm_triton import projected_lstms_triton  # noqa: E402

LAUNCH = projected_lstm_triton_steps._launch
CELL_DIM, DIM = 5, 3
FULL, RAGGED = [2, 2], [2, 1]
CLIPS = (0.375, 0.25)


@pytest.fixture(autouse=True, scope="module")
def without_kernels():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(projected_lstm_triton_steps, "_launch", launch_without_triton)
        yield


@pytest.fixture
def graphs(monkeypatch):
    return ExecutedGraphs(monkeypatch)


def random(*shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def weights_of(layer):
    """Of two chains: recurrent and projection."""
    seeds = range(10 * layer, 10 * layer + 2)
    return [(random(4 * CELL_DIM, DIM, seed=k), random(DIM, CELL_DIM, seed=k + 5)) for k in seeds]


def zeros():
    return [(torch.zeros(2, DIM), torch.zeros(2, CELL_DIM)) for _ in range(2)]


def layer_of(inputs, rows, states, weights, recurrence=projected_lstms_triton):
    """The inputs' share of the gates is made of them without a product."""
    gates = [x.repeat(1, 4 * CELL_DIM // DIM + 1)[:, : 4 * CELL_DIM] for x in inputs]
    return recurrence([Chain(*one) for one in _chains(gates, states, weights)], rows, *CLIPS)


def _chains(gates, states, weights):
    return [(gate, *state, *pair) for gate, state, pair in zip(gates, states, weights)]


def train(windows, store, autocast=None):
    """
    Two layers over windows of the given rows, weights moved a little after each. All that came out of them: it is
    looked at when all of them are over.
    """
    weights = [[tuple(x.requires_grad_() for x in pair) for pair in weights_of(layer)] for layer in range(2)]
    leaves = [tensor for layer in weights for pair in layer for tensor in pair]
    states, seen = [zeros(), zeros()], []
    for number, rows in enumerate(windows):
        inputs = [random(sum(rows), DIM, seed=100 + 2 * number + chain).requires_grad_() for chain in range(2)]
        with captured_in(store), torch.autocast("cpu", autocast, enabled=autocast is not None):
            first = layer_of(inputs, rows, states[0], weights[0])
            second = layer_of([output.outputs for output in first], rows, states[1], weights[1])
        total = sum((output.outputs * output.outputs.sin()).sum() + output.memory.sum() for output in (*first, *second))
        gradients = torch.autograd.grad(total, [*inputs, *leaves])
        states = [[(x.hidden.detach(), x.memory.detach()) for x in layer] for layer in (first, second)]
        with torch.no_grad():
            for leaf, gradient in zip(leaves, gradients[2:]):
                leaf -= 0.1 * gradient
        seen += [total, *gradients, *(tensor for output in (*first, *second) for tensor in output)]
    return [tensor.detach() for tensor in seen]


def assert_same(found, expected):
    assert len(found) == len(expected)
    assert all(torch.equal(one, other) for one, other in zip(found, expected))


@pytest.mark.parametrize("autocast", [None, torch.bfloat16], ids=str)
def test_several_windows_of_two_layers_with_ragged_ones_at_the_end_are_what_they_are_without_graphs(autocast, graphs):
    windows, store = [FULL] * 5 + [RAGGED, [1]], GraphStore()
    assert_same(train(windows, store, autocast), train(windows, None, autocast))
    # Both layers are one key, seen for the third time in the second window. There and back, of each layer.
    assert graphs.replays == [4, 4, 4, 4]
    assert store.num_bytes > 0


def test_shapes_take_turns_and_those_that_come_again_are_captured_too(graphs):
    # The first and the last have as many tokens.
    windows, store = [FULL, RAGGED, [2, 1, 1]] * 4, GraphStore()
    assert_same(train(windows, store), train(windows, None))
    assert len(graphs.replays) == 12 and min(graphs.replays) >= 2


def test_with_room_for_one_shape_they_are_captured_again_and_again(graphs):
    windows, store = ([FULL] * 3 + [RAGGED] * 3) * 2, GraphStore(max_captured=1)
    assert_same(train(windows, store), train(windows, None))
    assert len(graphs.replays) == 16


def test_with_room_for_one_layer_the_other_is_launched_step_by_step(graphs):
    roomy = GraphStore()
    train([FULL] * 3, roomy)
    graphs.replays.clear()
    store = GraphStore(max_bytes=roomy.num_bytes // 2)
    assert_same(train([FULL] * 5, store), train([FULL] * 5, None))
    assert len(graphs.replays) == 2
    assert store.num_bytes == roomy.num_bytes // 2


def window(number, store, rows=FULL, recurrence=projected_lstms_triton):
    """One layer: leaves, and what it makes of them."""
    inputs = [random(sum(rows), DIM, seed=200 + 2 * number + chain).requires_grad_() for chain in range(2)]
    weights = [tuple(x.requires_grad_() for x in pair) for pair in weights_of(number)]
    states = [tuple(random(*x.shape, seed=300 + number).requires_grad_() for x in state) for state in zeros()]
    with captured_in(store):
        outputs = layer_of(inputs, rows, states, weights, recurrence)
    leaves = [*inputs, *(x for pair in (*weights, *states) for x in pair)]
    return leaves, sum((number + 1) * tensor.square().sum() for output in outputs for tensor in output)


def gone_through(store, times=3):
    for _ in range(times):
        leaves, total = window(9, store)
        torch.autograd.grad(total, leaves)


@pytest.mark.parametrize("has_kernels", [False, True], ids=["by torch", "interpreted"])
def test_a_captured_window_is_what_the_plain_recurrence_computes(has_kernels, graphs, monkeypatch):
    if has_kernels:
        monkeypatch.setattr(projected_lstm_triton_steps, "_launch", LAUNCH)
        monkeypatch.setattr(
            projected_lstm_triton_steps, "kernels", interpreted(projected_lstm_triton_steps.kernels)
        )
    store, rows = GraphStore(), [2, 1]
    for number in (1, 1, 1):
        leaves, total = window(number, store, rows)
    found = torch.autograd.grad(total, leaves)
    assert graphs.replays == [1, 1]
    leaves, plain = window(1, None, rows, projected_lstms)
    for one, close in zip((total, *found), (plain, *torch.autograd.grad(plain, leaves))):
        torch.testing.assert_close(one, close, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_several_windows_may_be_under_way_and_are_gone_back_through_in_any_order(order, graphs):
    store = GraphStore()
    gone_through(store)
    under_way = [window(number, store) for number in range(3)]
    found = {number: torch.autograd.grad(under_way[number][1], under_way[number][0]) for number in order}
    assert len(graphs.replays) == 6
    for number, gradients in found.items():
        leaves, total = window(number, None)
        assert_same(gradients, torch.autograd.grad(total, leaves))


def test_gradients_stay_what_they_are_when_the_same_graphs_run_again(graphs):
    store = GraphStore()
    gone_through(store)
    found = []
    for number in range(3):
        leaves, total = window(number, store)
        found.append(torch.autograd.grad(total, leaves))
    assert len(graphs.replays) == 2
    for number, gradients in enumerate(found):
        leaves, total = window(number, None)
        assert_same(gradients, torch.autograd.grad(total, leaves))


def test_what_is_never_gone_back_through_is_free_again_once_it_is_forgotten(graphs):
    store = GraphStore()
    gone_through(store)
    for number in range(3):
        under_way = window(number, store)
        del under_way
        gc.collect()
    assert len(graphs.replays) == 2


def test_it_can_be_gone_back_through_twice_but_not_when_another_window_came_between(graphs):
    store = GraphStore()
    gone_through(store)
    leaves, total = window(1, store)
    once = torch.autograd.grad(total, leaves, retain_graph=True)
    assert_same(torch.autograd.grad(total, leaves, retain_graph=True), once)
    other = window(2, store)
    with pytest.raises(RuntimeError, match="leave `cuda_graphs` off"):
        torch.autograd.grad(total, leaves)
    plain_leaves, plain_total = window(2, None)
    assert_same(torch.autograd.grad(other[1], other[0]), torch.autograd.grad(plain_total, plain_leaves))


@pytest.mark.parametrize("surroundings", [torch.no_grad, torch.inference_mode])
def test_reading_without_gradients_takes_one_graph_and_leaves_training_its_own(surroundings, graphs):
    store = GraphStore()
    for number in range(4):
        with surroundings():
            _, found = window(number, store)
            _, expected = window(number, None)
            assert torch.equal(found, expected)
    # Two windows were captured, each used and given back.
    assert graphs.replays == [2]
    gone_through(store, times=4)
    assert graphs.replays == [2, 2, 2]


def test_clips_and_precisions_are_part_of_what_is_captured(graphs):
    store, chains = GraphStore(), [Chain(*one) for one in _chains([random(4, 20, seed=1)] * 2, zeros(), weights_of(0))]
    for clips, is_rounded in ((CLIPS, False), ((None, None), False), ((0.125, None), False), (CLIPS, True)):
        with torch.autocast("cpu", torch.bfloat16, enabled=is_rounded):
            for _ in range(4):
                with captured_in(store):
                    found = projected_lstms_triton(chains, FULL, *clips)
            for output, expected in zip(found, projected_lstms_triton(chains, FULL, *clips)):
                assert_same(output, expected)
    assert graphs.replays == [2, 2, 2, 2]


def test_without_a_step_there_is_nothing_to_capture(graphs):
    store = GraphStore()
    for _ in range(4):
        leaves, total = window(1, store, rows=[0, 0])
    assert not graphs.replays and total.requires_grad


def test_where_capturing_fails_training_goes_on_and_it_is_told(monkeypatch, caplog):
    def fail(function, device, pool=None):
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing")

    monkeypatch.setattr(cuda_graphs, "capture", fail)
    with caplog.at_level(logging.WARNING):
        found = train([FULL] * 4, GraphStore())
    assert_same(found, train([FULL] * 4, None))
    (record,) = caplog.records
    assert "launched step by step" in record.getMessage()


def test_bytes_are_those_of_all_that_is_held_of_a_window(graphs):
    store, num_chains, num_tokens, num_rows = GraphStore(), 2, 4, 2
    gone_through(store)
    widths = {
        # Gates and their gradients; memories, what is exposed; what is projected and its gradient, outputs and theirs.
        num_tokens: 8 * CELL_DIM + 2 * CELL_DIM + 4 * DIM,
        # Hidden and memory and their gradients, and the first memory.
        num_rows: 2 * DIM + 3 * CELL_DIM,
        4 * CELL_DIM + CELL_DIM: DIM,
    }
    assert store.num_bytes == 4 * num_chains * sum(size * width for size, width in widths.items())


@pytest.mark.parametrize("cuda_graphs", [True, False])
def test_a_language_model_that_is_asked_to_captures_its_windows(cuda_graphs, graphs, monkeypatch):
    monkeypatch.setattr(dispatch, "has_own_kernels", lambda device, dtype: True)
    monkeypatch.setattr(dispatch, "kernels_run", lambda device, dtype: True)
    results = []
    for is_asked in (cuda_graphs, False):
        torch.manual_seed(1)
        model = LanguageModel(BilmOptions.from_dict(small_options()), 0.1, cuda_graphs=is_asked)
        generator, state = torch.Generator().manual_seed(2), model.zero_state(2)
        for number in range(4):
            types = torch.randint(1, 262, (5, 10), generator=generator)
            ids = [torch.randint(0, size, (2, 2), generator=generator) for size in (5, 5, 12, 12)]
            output = model(types, *ids, state, torch.tensor([2, 1]) if number == 3 else None)
            state = output.state.detach()
            (output.forward_losses.sum() + output.backward_losses.sum()).backward()
            results.append(output.forward_losses.detach())
        results += [parameter.grad for parameter in model.parameters()]
    half = len(results) // 2
    assert_same(results[:half], results[half:])
    assert graphs.replays == ([2, 2, 2, 2] if cuda_graphs else [])
