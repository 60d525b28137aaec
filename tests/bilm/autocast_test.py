"""Training under autocast: what is rounded to bfloat16, and what never is."""

import math

import pytest
import torch
from torch.nn import functional

from elmo_plugin.bilm.language_model import LanguageModel
from elmo_plugin.bilm.ops.projected_lstm import projected_lstm
from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.softmax import Softmax
from tests.bilm.small_models import small_options

NUM_WORDS = 300


def bfloat16():
    return torch.autocast("cpu", torch.bfloat16)


def model_and_window(autocast):
    options = {**small_options(), "n_tokens_vocab": NUM_WORDS}
    torch.manual_seed(1)
    model = LanguageModel(BilmOptions.from_dict(options), autocast=autocast)
    width = options["char_cnn"]["max_characters_per_token"]
    window = {
        "types": torch.randint(1, 262, (30, width)),
        "forward_inputs": torch.randint(0, 30, (4, 9)),
        "backward_inputs": torch.randint(0, 30, (4, 9)),
        "forward_targets": torch.randint(0, NUM_WORDS, (4, 9)),
        "backward_targets": torch.randint(0, NUM_WORDS, (4, 9)),
        "lengths": torch.tensor([9, 4, 0, 7]),
    }
    return model, window


def run(autocast, num_samples):
    model, window = model_and_window(autocast)
    torch.manual_seed(2)
    output = model(**window, state=model.zero_state(4), num_samples=num_samples)
    (output.forward_losses.mean() + output.backward_losses.mean()).backward()
    return output, {name: parameter.grad for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("num_samples", [None, 50])
def test_losses_and_gradients_are_near_those_of_float32_and_in_float32(num_samples):
    exact, exact_gradients = run(None, num_samples)
    rounded, gradients = run(torch.bfloat16, num_samples)
    for ours, theirs in zip(rounded[:2], exact[:2]):
        assert ours.dtype == torch.float32
        assert not torch.equal(ours, theirs), "nothing was rounded"
        torch.testing.assert_close(ours, theirs, rtol=0.01, atol=0.02)
    for name, gradient in exact_gradients.items():
        assert gradients[name].dtype == torch.float32
        assert float(functional.cosine_similarity(gradients[name].flatten(), gradient.flatten(), dim=0)) > 0.98, name


def test_states_that_are_carried_on_are_in_float32():
    rounded, _ = run(torch.bfloat16, None)
    exact, _ = run(None, None)
    for direction, expected in zip(rounded.state, exact.state):
        for tensor, close in zip(direction, expected):
            assert tensor.dtype == torch.float32
            torch.testing.assert_close(tensor, close, rtol=0.05, atol=0.02)


def test_an_evaluation_is_that_of_float32_bit_for_bit():
    outputs = []
    for autocast in (None, torch.bfloat16):
        model, window = model_and_window(autocast)
        with torch.no_grad():
            outputs.append(model.eval()(**window, state=model.zero_state(4)))
    assert torch.equal(outputs[0].forward_losses, outputs[1].forward_losses)
    assert torch.equal(outputs[0].backward_losses, outputs[1].backward_losses)


def test_a_memory_gathers_what_bfloat16_would_lose():
    """200 steps that add 0.001 each to a memory of 2, next to which bfloat16 has steps of 0.016."""
    gates = torch.zeros(200, 4)
    gates[:, 1], gates[:, 2] = math.atanh(0.002), 30.0
    with bfloat16():
        _, _, memory = projected_lstm(
            gates, [1] * 200, torch.zeros(1, 1), torch.full((1, 1), 2.0), torch.zeros(4, 1), torch.ones(1, 1), 3.0, None
        )
    assert memory.dtype == torch.float32
    assert memory.item() == pytest.approx(2.2, abs=0.01)


@pytest.mark.parametrize("num_samples", [None, 15_000])
def test_a_sum_over_many_words_is_not_one_of_bfloat16(num_samples):
    """16,384 words that are all alike: a sum of ones would stand still at 256 in bfloat16."""
    softmax, vectors, targets = Softmax(16_384, 2), torch.zeros(3, 2), torch.tensor([0, 5, 16_383])
    with torch.no_grad(), bfloat16():
        if num_samples is None:
            losses = softmax.full_loss(vectors, targets)
        else:
            sampled, zeros = torch.arange(1, num_samples), torch.zeros(num_samples)
            losses = softmax.loss_among(vectors, targets[:1].expand(3), sampled, zeros[:3], zeros[1:])
    assert losses.dtype == torch.float32
    assert losses.tolist() == pytest.approx([math.log(16_384 if num_samples is None else num_samples)] * 3, rel=1e-4)
