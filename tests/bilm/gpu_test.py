"""The model on a GPU gives what it gives on the CPU. Skipped where there is none."""

import pytest
import torch

from elmo_plugin.bilm.language_model import LanguageModel
from elmo_plugin.bilm.ops import dispatch
from elmo_plugin.bilm.ops.graph_store import GraphStore, captured_in
from elmo_plugin.bilm.ops.projected_lstm import Chain, projected_lstm, projected_lstms
from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.sampler import sample_words
from elmo_plugin.bilm.softmax import Softmax
from elmo_plugin.bilm.state import LstmState
from tests.bilm.ops.projected_lstm_test import CLIPS, SHAPES, random_inputs, run

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here: torch.cuda.is_available() is false")

OPTIONS = BilmOptions.from_dict(
    {
        "char_cnn": {
            "embedding": {"dim": 8},
            "filters": [[1, 8], [3, 24]],
            "max_characters_per_token": 12,
            "n_highway": 1,
        },
        "lstm": {
            "dim": 48,
            "projection_dim": 16,
            "n_layers": 2,
            "cell_clip": 3,
            "proj_clip": 3,
            "use_skip_connections": True,
        },
        "n_tokens_vocab": 40,
    }
)


@pytest.fixture
def window():
    generator = torch.Generator().manual_seed(1)
    types = torch.randint(1, 262, (30, 12), generator=generator)
    inputs = torch.randint(0, 30, (2, 4, 7), generator=generator)
    targets = torch.randint(0, 40, (2, 4, 7), generator=generator)
    return {
        "types": types,
        "forward_inputs": inputs[0],
        "backward_inputs": inputs[1],
        "forward_targets": targets[0],
        "backward_targets": targets[1],
        "lengths": torch.tensor([7, 3, 0, 5]),
    }


def test_losses_and_gradients_of_a_ragged_window_equal_those_of_the_cpu(window):
    torch.manual_seed(2)
    on_cpu = LanguageModel(OPTIONS)
    on_gpu = LanguageModel(OPTIONS).cuda()
    on_gpu.load_state_dict(on_cpu.state_dict())
    outputs = []
    for model, device in ((on_cpu, "cpu"), (on_gpu, "cuda")):
        tensors = {name: tensor.to(device) for name, tensor in window.items()}
        output = model(**tensors, state=model.zero_state(4))
        (output.forward_losses.sum() + output.backward_losses.sum()).backward()
        outputs.append(output)
    assert torch.allclose(outputs[0].forward_losses, outputs[1].forward_losses.cpu(), atol=1e-4)
    assert torch.allclose(outputs[0].backward_losses, outputs[1].backward_losses.cpu(), atol=1e-4)
    for (name, cpu), (_, gpu) in zip(on_cpu.named_parameters(), on_gpu.named_parameters()):
        assert torch.allclose(cpu.grad, gpu.grad.cpu(), atol=1e-3), name


def test_a_sampled_step_runs_on_the_gpu_and_draws_there(window):
    model = LanguageModel(OPTIONS).cuda()
    tensors = {name: tensor.cuda() for name, tensor in window.items()}
    output = model(**tensors, state=model.zero_state(4), num_samples=10)
    assert output.forward_losses.device.type == "cuda" and bool(torch.isfinite(output.forward_losses).all())


def test_represented_sentences_equal_those_of_the_cpu(window):
    model = LanguageModel(OPTIONS).bilm.eval()
    words = window["types"][window["forward_inputs"]]
    words[1, 4:] = 0
    with torch.no_grad():
        expected, _ = model.represent(words, model.zero_state(4))
        model.cuda()
        found, _ = model.represent(words.cuda(), model.zero_state(4))
    for layer, gpu_layer in zip(expected.layers, found.layers):
        assert torch.allclose(layer, gpu_layer.cpu(), atol=1e-4)


@pytest.mark.parametrize("num_samples", [None, 10])
def test_a_step_under_bfloat16_is_near_that_of_float32(window, num_samples):
    tensors = {name: tensor.cuda() for name, tensor in window.items()}
    outputs = []
    for autocast in (None, torch.bfloat16):
        torch.manual_seed(2)
        model = LanguageModel(OPTIONS, autocast=autocast).cuda()
        torch.manual_seed(3)
        outputs.append(model(**tensors, state=model.zero_state(4), num_samples=num_samples))
        outputs[-1].forward_losses.sum().backward()
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        assert {gradient.dtype for gradient in gradients} == {torch.float32}
    assert outputs[1].forward_losses.dtype == outputs[1].state.forward_.memory.dtype == torch.float32
    assert not torch.equal(outputs[0].forward_losses, outputs[1].forward_losses)
    torch.testing.assert_close(outputs[1].forward_losses, outputs[0].forward_losses, rtol=0.02, atol=0.05)


def on_gpu(autocast=None):
    """The recurrence as it is dispatched on a GPU, for tensors of the CPU."""

    def recurrence(gates, rows, *others):
        tensors, clips = [tensor.cuda() for tensor in (gates, *others[:4])], others[4:]
        if autocast is not None:
            tensors[0] = tensors[0].to(autocast)
        with torch.autocast("cuda", autocast, enabled=autocast is not None):
            output = dispatch.projected_lstms([Chain(*tensors)], rows, *clips)[0]
        return [tensor.cpu() for tensor in output]

    return recurrence


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("clip", CLIPS, ids=str)
@pytest.mark.parametrize("autocast", [None, torch.bfloat16], ids=str)
def test_kernels_are_as_near_to_float64_as_the_plain_recurrence_in_the_same_precision(shape, clip, autocast):
    pytest.importorskip("triton")
    assert dispatch.has_own_kernels(torch.device("cuda"), torch.float32)
    inputs, rows = [tensor.float().double() for tensor in random_inputs(shape)], shape[1]
    exact = run(projected_lstm, inputs, rows, clip)
    fast = run(on_gpu(autocast), inputs, rows, clip, dtype=torch.float32)
    with dispatch.forced("plain"):
        plain = run(on_gpu(autocast), inputs, rows, clip, dtype=torch.float32)
    for exact_one, plain_one, fast_one in zip(exact, plain, fast):
        assert fast_one.dtype == torch.float32
        # Whether a clip cuts may be a matter of the last digit: errors as a whole.
        allowed = 1.5 * (plain_one - exact_one).norm() + (4e-6 if autocast is None else 4e-3) * exact_one.norm()
        assert (fast_one - exact_one).norm() <= allowed


def test_both_directions_of_the_original_model_in_one_launch_are_each_what_they_are_alone():
    pytest.importorskip("triton")
    shape = (64, [64] * 3 + [17] * 2, 4096, 512)
    chains = [Chain(*(tensor.float().cuda() for tensor in random_inputs(shape, seed))) for seed in range(2)]
    together = dispatch.projected_lstms(chains, shape[1], 3.0, 3.0)
    for found, expected in zip(together, projected_lstms(chains, shape[1], 3.0, 3.0)):
        for tensor, close in zip(found, expected):
            torch.testing.assert_close(tensor, close, rtol=0, atol=1e-4)


def test_neither_the_recurrence_nor_a_sampled_softmax_waits_for_the_gpu():
    chains = [Chain(*(tensor.float().cuda().requires_grad_() for tensor in random_inputs((8, [8] * 5, 64, 32))))]
    softmax, targets = Softmax(5000, 32).cuda(), torch.randint(0, 5000, (40,)).cuda()

    def step():
        outputs, _, _ = dispatch.projected_lstms(chains, [8] * 5, 3.0, 3.0)[0]
        sampled, _ = sample_words(200, 5000, outputs.device)
        softmax.sampled_loss(outputs, targets, 200).sum().backward()
        return sampled

    # The first compiles kernels.
    step()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        sampled = step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert len(set(sampled.tolist())) == 200


@pytest.mark.parametrize("autocast", [None, torch.bfloat16], ids=str)
def test_windows_captured_as_cuda_graphs_are_what_they_are_step_by_step(window, autocast):
    pytest.importorskip("triton")
    full = {name: tensor.cuda() for name, tensor in window.items() if name != "lengths"}
    results = []
    for cuda_graphs in (True, False):
        torch.manual_seed(2)
        model = LanguageModel(OPTIONS, autocast=autocast, cuda_graphs=cuda_graphs).cuda()
        state, seen = model.zero_state(4), []
        for number in range(6):
            lengths = window["lengths"].cuda() if number == 5 else None
            output = model(**full, state=state, lengths=lengths)
            total = output.forward_losses.sum() + output.backward_losses.sum()
            gradients = torch.autograd.grad(total, list(model.parameters()))
            state = output.state.detach()
            seen += [output.forward_losses.detach(), output.backward_losses.detach(), *gradients]
        results.append(seen)
        # Both layers are of one shape, and there is another graph for each.
        assert model.graphs is None or model.graphs.num_bytes > 0
    tolerance = 1e-5 if autocast is None else 1e-2
    for found, expected in zip(*results):
        torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


def test_captured_windows_may_be_under_way_together_and_none_waits_for_the_gpu():
    pytest.importorskip("triton")
    shape, store = (8, [8] * 5, 64, 32), GraphStore()

    def windows():
        inputs = [[x.float().cuda().requires_grad_() for x in random_inputs(shape, seed)] for seed in range(2)]
        chains = [[Chain(*tensors)] for tensors in inputs]
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("error" if store.num_bytes > 0 else "default")
        try:
            outputs = [dispatch.projected_lstms(one, shape[1], 3.0, 3.0)[0] for one in chains]
            totals = [output.outputs.square().sum() + output.memory.sum() for output in outputs]
            return [torch.autograd.grad(total, one[0]) for total, one in zip(totals, chains)]
        finally:
            torch.cuda.set_sync_debug_mode("default")

    expected = windows()
    with captured_in(store):
        for _ in range(4):
            found = windows()
    assert store.num_bytes > 0
    for of_one, of_other in zip(found, expected):
        for one, close in zip(of_one, of_other):
            torch.testing.assert_close(one, close, rtol=1e-5, atol=1e-5)


def test_a_perplexity_is_whole_at_the_end_of_a_pass():
    module = pytest.importorskip("elmo_plugin.training.metrics.perplexity", reason="AllenNLP is not installed")
    perplexity, losses = module.BidirectionalPerplexity(), torch.ones(1000, device="cuda")
    for _ in range(10):
        perplexity(losses, 2 * losses)
    metrics = perplexity.get_metric(reset=True)
    assert metrics["tokens"] == 10_000 and metrics["forward_perplexity"] == pytest.approx(2.718281828)


def test_states_are_carried_through_the_kernels():
    model = LanguageModel(OPTIONS).cuda().bilm.eval()
    types = torch.randint(1, 262, (30, 12), device="cuda")
    words = torch.randint(0, 30, (2, 4, 6), device="cuda")
    zeros = model.zero_state(4)
    with torch.no_grad():
        whole, _, expected = model(types, words[0], words[1], zeros)
        _, _, between = model(types, words[0, :, :3], words[1, :, :3], zeros)
        second, _, found = model(types, words[0, :, 3:], words[1, :, 3:], between)
    torch.testing.assert_close(second[-1], whole[-1][:, 3:], rtol=0, atol=1e-5)
    for direction, close in zip(found, expected):
        assert isinstance(direction, LstmState)
        for tensor, expected_tensor in zip(direction, close):
            torch.testing.assert_close(tensor, expected_tensor, rtol=0, atol=1e-5)
