"""The model in torch against the float64 oracle in NumPy: values and gradients, in every variant of the file format."""

import numpy
import pytest
import torch

from elmo_plugin.bilm import characters
from elmo_plugin.bilm.ops.dispatch import IMPLEMENTATIONS, forced
from elmo_plugin.bilm.sampler import expected_count, log_uniform_probability
from elmo_plugin.bilm.scalar_mix import ScalarMix
from elmo_plugin.bilm.softmax import Softmax
from tests import oracle, oracle_softmax, oracle_words
from tests.oracle_models import gradients, random_batch, random_model, random_states, random_words, to_state
from tests.oracle_weights import VARIANTS

# Largest difference allowed, as a share of the largest number compared. float64 shows that the equations are the same,
# float32 that they are computed well.
TOLERANCES = {torch.float64: 1e-12, torch.float32: 5e-6}
dtypes = pytest.mark.parametrize("dtype", TOLERANCES, ids=lambda dtype: str(dtype).removeprefix("torch."))


@pytest.fixture(params=IMPLEMENTATIONS)
def implementation(request):
    """Each implementation of the hot operations in turn, whatever the device would choose."""
    with forced(request.param):
        yield request.param


def assert_equal(ours, expected, dtype, what=""):
    ours = ours.detach().numpy() if isinstance(ours, torch.Tensor) else ours
    assert ours.shape == expected.shape, what
    scale = max(1.0, numpy.abs(expected).max(initial=0.0))
    numpy.testing.assert_allclose(ours, expected, rtol=0, atol=TOLERANCES[dtype] * scale, err_msg=what)


def assert_states_equal(ours, expected, dtype):
    for direction, (memory, output) in zip(ours, expected):
        assert_equal(direction.memory, memory, dtype)
        assert_equal(direction.hidden, output, dtype)


@pytest.mark.parametrize("name", VARIANTS)
@dtypes
def test_representations_states_and_gradients_of_sentences_equal_the_oracle(name, dtype, tmp_path, implementation):
    rng = numpy.random.default_rng(1)
    model = random_model(name, tmp_path, dtype)
    words, marked = random_batch(model, rng, [4, 0, 6, 1])
    states = random_states(model, rng, 4)
    lengths = numpy.array([6, 2, 8, 3])
    expected, expected_states, cache = oracle.bilm(marked, lengths, model.weights, model.options, states)
    ours, ours_state = model.bilm.represent(torch.tensor(words), to_state(states, torch.empty(0, dtype=dtype)))
    assert ours.mask.tolist() == (numpy.arange(8) < lengths[:, None]).tolist()
    assert_equal(torch.stack(ours.layers), expected, dtype)
    assert_states_equal(ours_state, expected_states, dtype)
    d_layers = rng.normal(size=expected.shape)
    (torch.stack(ours.layers) * torch.tensor(d_layers, dtype=dtype)).sum().backward()
    expected_grads = oracle.bilm_backward(d_layers, cache)
    ours_grads = gradients(model.bilm, flat=not any("MultiRNNCell" in key for key in expected_grads))
    assert set(ours_grads) == set(expected_grads)
    for key, value in expected_grads.items():
        assert_equal(ours_grads[key], value, dtype, key)


@pytest.mark.parametrize("name", ["two layers", "no skip connections", "three layers", "one layer", "word ids"])
@dtypes
def test_windows_with_each_direction_on_its_own_words_equal_the_oracle(name, dtype, tmp_path, implementation):
    rng = numpy.random.default_rng(2)
    model = random_model(name, tmp_path, dtype)
    types = random_batch(model, rng, [9])[0][0]
    indices = rng.integers(0, 9, size=(2, 3, 5))
    states, lengths = random_states(model, rng, 3), numpy.array([5, 2, 0])
    vectors, words_cache = oracle_words.encode_words(types, model.weights, model.options)
    *ours, ours_state = model.bilm(
        torch.tensor(types),
        *torch.tensor(indices),
        to_state(states, torch.empty(0, dtype=dtype)),
        torch.tensor(lengths),
    )
    expected_states, expected_grads, d_vectors, loss = [], {}, numpy.zeros_like(vectors), 0.0
    present = (numpy.arange(5) < lengths[:, None])[:, :, None]
    for direction in range(2):
        x = vectors[indices[direction]] * present
        read = oracle.read_direction(x, lengths, model.weights, model.options, direction, states[direction])
        expected, state, cache = read
        assert_equal(torch.stack(ours[direction]), expected, dtype)
        expected_states.append(state)
        d_layers = rng.normal(size=expected.shape) * present
        d_x, _, grads = oracle.read_direction_backward(d_layers, None, cache)
        numpy.add.at(d_vectors, indices[direction], d_x * present)
        expected_grads.update(grads)
        loss = loss + (torch.stack(ours[direction]) * torch.tensor(d_layers, dtype=dtype)).sum()
    assert_states_equal(ours_state, expected_states, dtype)
    loss.backward()
    expected_grads.update(oracle_words.encode_words_backward(d_vectors, words_cache))
    ours_grads = gradients(model.bilm, flat=name == "one layer")
    for key, value in expected_grads.items():
        assert_equal(ours_grads[key], value, dtype, key)


@dtypes
def test_gradients_of_vectors_and_state_of_a_direction_equal_the_oracle(dtype, tmp_path, implementation):
    rng = numpy.random.default_rng(3)
    model = random_model("three layers", tmp_path, dtype)
    lengths, states = numpy.array([2, 6, 0, 4]), random_states(model, rng, 4)
    present = (numpy.arange(6) < lengths[:, None])[:, :, None]
    x = rng.normal(size=(4, 6, 5)) * present
    expected, last, cache = oracle.read_direction(x, lengths, model.weights, model.options, 1, states[1])
    d_layers, d_last = rng.normal(size=expected.shape) * present, [rng.normal(size=part.shape) for part in last]
    d_x, d_state, _ = oracle.read_direction_backward(d_layers, tuple(d_last), cache)
    vectors = torch.tensor(x, dtype=dtype, requires_grad=True)
    state = to_state(states, vectors).backward_
    for tensor in state:
        tensor.requires_grad_()
    layers, after = model.bilm.backward_lstm(vectors, state, torch.tensor(lengths))
    targets = [(torch.stack(layers), d_layers), (after.memory, d_last[0]), (after.hidden, d_last[1])]
    sum((value * torch.tensor(slope, dtype=dtype)).sum() for value, slope in targets).backward()
    assert_equal(vectors.grad, d_x, dtype)
    assert_equal(state.memory.grad, d_state[0], dtype)
    assert_equal(state.hidden.grad, d_state[1], dtype)


@pytest.mark.parametrize("max_characters", [5, 7, 50])
def test_characters_of_words_equal_the_oracle(max_characters):
    words = [
        "<S>",
        "</S>",
        "<UNK>",
        "",
        "a",
        "中文中文中文中文中文中文中文中文中文",
        "x" * 10000,
        "\x00",
        "🙂",
        "e\u0301",
    ]
    words += random_words(numpy.random.default_rng(4), 50)
    expected = oracle_words.words_to_characters(words, max_characters).tolist()
    assert characters.words_to_characters(words, max_characters).tolist() == expected
    assert [characters.word_to_characters(word, max_characters) for word in words] == expected


@pytest.mark.parametrize("layer_norm", [False, True])
@dtypes
def test_the_mix_and_its_gradients_equal_the_oracle(layer_norm, dtype):
    rng = numpy.random.default_rng(5)
    layers, mask = rng.normal(size=(3, 4, 6, 10)) * 2 + 0.5, numpy.arange(6) < numpy.array([[6], [1], [0], [4]])
    layers *= mask[None, :, :, None]
    scalars, gamma, d_y = rng.normal(size=3), 0.7, rng.normal(size=(4, 6, 10)) * mask[:, :, None]
    expected, cache = oracle.scalar_mix(layers, mask, scalars, gamma, layer_norm)
    d_layers, d_scalars, d_gamma = oracle.scalar_mix_backward(d_y, cache)
    mix = ScalarMix(3, do_layer_norm=layer_norm, initial_parameters=scalars.tolist()).to(dtype)
    with torch.no_grad():
        mix.gamma.fill_(gamma)
        # Again, for the constructor rounded them to float32.
        for parameter, value in zip(mix.scalar_parameters, scalars):
            parameter.fill_(value)
    tensors = [torch.tensor(layer, dtype=dtype, requires_grad=True) for layer in layers]
    ours = mix(tensors, torch.tensor(mask))
    assert_equal(ours * torch.tensor(mask[:, :, None]), expected, dtype)
    (ours * torch.tensor(d_y, dtype=dtype)).sum().backward()
    assert_equal(torch.stack([tensor.grad for tensor in tensors]), d_layers, dtype)
    assert_equal(torch.cat([parameter.grad for parameter in mix.scalar_parameters]), d_scalars, dtype)
    assert_equal(mix.gamma.grad, numpy.array([d_gamma]), dtype)


def random_softmax(rng, num_words, projection_dim, dtype, sparse=False):
    softmax = Softmax(num_words, projection_dim, sparse=sparse).to(dtype)
    weight, bias = rng.normal(size=(num_words, projection_dim)), rng.normal(size=num_words)
    with torch.no_grad():
        softmax.weight.copy_(torch.tensor(weight))
        softmax.bias.copy_(torch.tensor(bias)[:, None])
    return softmax, weight, bias


@pytest.mark.parametrize("max_logits", [1, 40, 2**24])
@dtypes
def test_the_full_softmax_and_its_gradients_equal_the_oracle(max_logits, dtype):
    rng = numpy.random.default_rng(6)
    softmax, weight, bias = random_softmax(rng, 23, 5, dtype)
    hidden, targets, d_losses = rng.normal(size=(9, 5)), rng.integers(0, 23, size=9), rng.normal(size=9)
    expected, cache = oracle_softmax.full_softmax(hidden, targets, weight, bias)
    vectors = torch.tensor(hidden, dtype=dtype, requires_grad=True)
    losses = softmax.full_loss(vectors, torch.tensor(targets), max_logits)
    assert_equal(losses, expected, dtype)
    losses.backward(torch.tensor(d_losses, dtype=dtype))
    d_hidden, d_weight, d_bias = oracle_softmax.full_softmax_backward(d_losses, cache)
    assert_equal(vectors.grad, d_hidden, dtype)
    assert_equal(softmax.weight.grad, d_weight, dtype)
    assert_equal(softmax.bias.grad, d_bias[:, None], dtype)


@pytest.mark.parametrize("sparse", [False, True])
@dtypes
def test_the_sampled_softmax_and_its_gradients_equal_the_oracle_accidental_hits_included(sparse, dtype):
    rng = numpy.random.default_rng(7)
    softmax, weight, bias = random_softmax(rng, 23, 5, dtype, sparse)
    hidden, targets, d_losses = rng.normal(size=(9, 5)), rng.integers(0, 23, size=9), rng.normal(size=9)
    sampled = numpy.array([targets[2], targets[5], *(k for k in range(8) if k not in targets[[2, 5]])])
    counts = oracle_softmax.expected_counts(23, 14)
    expected, cache = oracle_softmax.sampled_softmax(hidden, targets, sampled, counts, weight, bias)
    vectors = torch.tensor(hidden, dtype=dtype, requires_grad=True)
    log_counts = torch.tensor(numpy.log(counts), dtype=dtype)
    losses = softmax.loss_among(
        vectors, torch.tensor(targets), torch.tensor(sampled), log_counts[targets], log_counts[sampled]
    )
    assert_equal(losses, expected, dtype)
    losses.backward(torch.tensor(d_losses, dtype=dtype))
    d_hidden, d_weight, d_bias = oracle_softmax.sampled_softmax_backward(d_losses, cache)
    assert softmax.weight.grad.is_sparse == softmax.bias.grad.is_sparse == sparse
    assert_equal(vectors.grad, d_hidden, dtype)
    assert_equal(softmax.weight.grad.to_dense(), d_weight, dtype)
    assert_equal(softmax.bias.grad.to_dense(), d_bias[:, None], dtype)


@pytest.mark.parametrize("num_words, num_tries", [(12, 1), (12, 8), (50000, 30000), (793471, 40000)])
def test_probabilities_and_expected_counts_equal_the_oracle_for_the_rarest_words_too(num_words, num_tries):
    ids = torch.tensor([0, 1, 2, num_words // 2, num_words - 1])
    expected = oracle_softmax.log_uniform_probabilities(num_words)[ids]
    numpy.testing.assert_allclose(log_uniform_probability(ids, num_words), expected, rtol=1e-9)
    expected = oracle_softmax.expected_counts(num_words, num_tries)[ids]
    numpy.testing.assert_allclose(expected_count(ids, num_words, num_tries), expected, rtol=1e-9)
