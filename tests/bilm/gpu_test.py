"""The model on a GPU gives what it gives on the CPU. Skipped where there is none."""

import pytest
import torch

from elmo_plugin.bilm.language_model import LanguageModel
from elmo_plugin.bilm.options import BilmOptions

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here: torch.cuda.is_available() is false")

OPTIONS = BilmOptions.from_dict(
    {
        "char_cnn": {"embedding": {"dim": 8}, "filters": [[1, 8], [3, 24]], "max_characters_per_token": 12, "n_highway": 1},
        "lstm": {"dim": 48, "projection_dim": 16, "n_layers": 2, "cell_clip": 3, "proj_clip": 3, "use_skip_connections": True},
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
