"""What must hold of any biLM, whatever its weights: who may see whom, and that batching and windows change nothing."""

import numpy
import pytest
import torch

from elmo_plugin.bilm.ops.dispatch import IMPLEMENTATIONS, forced
from tests.oracle_models import gradients, model_of, random_batch, random_model, random_states, to_state
from tests.oracle_weights import variant

# float64 all through: what is said to change nothing changes the last digits at most.
CLOSE = {"rtol": 0, "atol": 1e-12}
variants = pytest.mark.parametrize(
    "name", ["two layers", "no skip connections", "three layers", "one layer", "word ids"]
)


@pytest.fixture(params=IMPLEMENTATIONS)
def implementation(request):
    """Each implementation of the hot operations in turn, whatever the device would choose."""
    with forced(request.param):
        yield request.param


def slopes_of_words(output, bilm):
    """How strongly a number depends on each word of a model of word ids: by id, the sum of the absolute gradients."""
    return torch.autograd.grad(output, bilm.encoder.embedding.weight, retain_graph=True)[0].abs().sum(dim=1)


@pytest.mark.parametrize("num_layers, skip", [(1, False), (2, True), (2, False), (3, True)])
def test_each_direction_sees_exactly_the_words_on_its_own_side(num_layers, skip, tmp_path, implementation):
    options = variant("word ids")
    # A clip stops gradients too; here each one that may flow has to.
    options["lstm"].update(n_layers=num_layers, use_skip_connections=skip, cell_clip=100.0, proj_clip=100.0)
    model = model_of(options, tmp_path)
    # Every word stands once, so its embedding's gradient is that of its position. Ids 1 and 2 are the sentence marks.
    words = torch.tensor([[3, 4, 5, 6], [7, 8, 0, 0]])
    representations, _ = model.bilm.represent(words, model.bilm.zero_state(2))
    for layer in representations.layers[1:]:
        for row, position in words.nonzero().tolist():
            forward, backward = layer[row, position + 1].chunk(2)
            before, after = words[row, : position + 1].tolist(), words[row, position:].tolist()
            # Exactly zero for every other word, those of the other row included.
            assert slopes_of_words(forward.sum(), model.bilm).nonzero().flatten().tolist() == [1, *before]
            expected = [2, *(word for word in after if word)]
            assert slopes_of_words(backward.sum(), model.bilm).nonzero().flatten().tolist() == expected


def test_the_layer_of_words_sees_one_word_alone(tmp_path):
    model = random_model("word ids", tmp_path)
    words = torch.tensor([[3, 4, 5, 6], [7, 8, 0, 0]])
    representations, _ = model.bilm.represent(words, model.bilm.zero_state(2))
    for row, position in words.nonzero().tolist():
        slopes = slopes_of_words(representations.layers[0][row, position + 1].sum(), model.bilm)
        assert slopes.nonzero().flatten().tolist() == [int(words[row, position])]


def test_windows_see_no_later_step_in_either_stream(tmp_path, implementation):
    options = variant("word ids")
    options["lstm"].update(cell_clip=100.0, proj_clip=100.0)
    model = model_of(options, tmp_path)
    types = torch.arange(12)
    forward_inputs, backward_inputs = torch.tensor([[3, 4, 5]]), torch.tensor([[6, 7, 8]])
    forward, backward, _ = model.bilm(types, forward_inputs, backward_inputs, model.bilm.zero_state(1))
    for layers, inputs in ((forward, forward_inputs), (backward, backward_inputs)):
        for step in range(3):
            slopes = slopes_of_words(layers[-1][0, step].sum(), model.bilm)
            assert slopes.nonzero().flatten().tolist() == inputs[0, : step + 1].tolist()


@variants
def test_a_sentence_gives_the_same_vectors_and_state_in_any_batch(name, tmp_path, implementation):
    rng = numpy.random.default_rng(2)
    model = random_model(name, tmp_path)
    lengths = [3, 7, 0, 1, 5]
    words = torch.tensor(random_batch(model, rng, lengths)[0])
    state = to_state(random_states(model, rng, 5), torch.empty(0, dtype=torch.float64))
    together, after = model.bilm.represent(words, state)
    for row, length in enumerate(lengths):
        alone, after_alone = model.bilm.represent(
            words[row : row + 1, :length], state.map(lambda t: t[:, row : row + 1])
        )
        for ours, expected in zip(together.layers, alone.layers):
            numpy.testing.assert_allclose(ours[row, : length + 2].detach(), expected[0].detach(), **CLOSE)
            assert not ours[row, length + 2 :].any()
        for ours, expected in zip(after, after_alone):
            numpy.testing.assert_allclose(ours.hidden[:, row].detach(), expected.hidden[:, 0].detach(), **CLOSE)
            numpy.testing.assert_allclose(ours.memory[:, row].detach(), expected.memory[:, 0].detach(), **CLOSE)


@variants
def test_padding_changes_neither_vectors_nor_gradients(name, tmp_path, implementation):
    rng = numpy.random.default_rng(3)
    model = random_model(name, tmp_path)
    words = torch.tensor(random_batch(model, rng, [4, 2])[0])
    padded = torch.cat([words, torch.zeros(2, 3, *words.shape[2:], dtype=torch.int64)], dim=1)
    slopes, results = torch.randn(2, 6, model.bilm.options.representation_dim, dtype=torch.float64), []
    for batch in (words, padded):
        model.bilm.zero_grad()
        representations, _ = model.bilm.represent(batch, model.bilm.zero_state(2))
        assert not any(layer[:, 6:].any() for layer in representations.layers)
        sum((layer[:, :6] * slopes).sum() for layer in representations.layers).backward()
        results.append(
            (torch.stack([layer[:, :6] for layer in representations.layers]).detach(), gradients(model.bilm, False))
        )
    (plain, plain_grads), (with_padding, padded_grads) = results
    numpy.testing.assert_allclose(with_padding, plain, **CLOSE)
    for key, value in plain_grads.items():
        numpy.testing.assert_allclose(padded_grads[key], value, err_msg=key, **CLOSE)


@variants
def test_one_long_window_equals_two_with_the_state_carried_gradients_too(name, tmp_path, implementation):
    rng = numpy.random.default_rng(4)
    model = random_model(name, tmp_path)
    types = torch.tensor(random_batch(model, rng, [9])[0][0])
    inputs = torch.tensor(rng.integers(0, 9, size=(2, 3, 8)))
    start = to_state(random_states(model, rng, 3), torch.empty(0, dtype=torch.float64))
    slopes, results = torch.randn(2, 1, 3, 8, model.bilm.options.projection_dim, dtype=torch.float64), []
    for cuts in ([0, 8], [0, 3, 8], [0, 1, 2, 7, 8]):
        model.bilm.zero_grad()
        state, pieces = start, []
        for first, last in zip(cuts, cuts[1:]):
            forward, backward, state = model.bilm(types, *inputs[:, :, first:last], state)
            pieces.append(torch.stack([torch.stack(forward), torch.stack(backward)]))
        layers = torch.cat(pieces, dim=3)
        (layers * slopes).sum().backward()
        results.append([layers.detach(), *(tensor.detach() for direction in state for tensor in direction)])
        results[-1] += list(gradients(model.bilm, False).values())
    for cut in results[1:]:
        for ours, expected in zip(cut, results[0]):
            numpy.testing.assert_allclose(ours, expected, **CLOSE)


def test_a_row_whose_text_has_ended_keeps_its_state_in_later_windows(tmp_path):
    rng = numpy.random.default_rng(5)
    model = random_model("two layers", tmp_path)
    types = torch.tensor(random_batch(model, rng, [6])[0][0])
    inputs = torch.tensor(rng.integers(0, 6, size=(2, 2, 4)))
    start = to_state(random_states(model, rng, 2), torch.empty(0, dtype=torch.float64))
    forward, _, state = model.bilm(types, *inputs, start, torch.tensor([4, 0]))
    assert all(torch.equal(new[:, 1], old[:, 1]) for ours, given in zip(state, start) for new, old in zip(ours, given))
    assert not any(
        torch.equal(new[:, 0], old[:, 0]) for ours, given in zip(state, start) for new, old in zip(ours, given)
    )
    assert not any(layer[1].any() for layer in forward)


def test_dropout_acts_in_training_only_and_takes_its_randomness_from_torch_alone(tmp_path):
    model = random_model("two layers", tmp_path)
    model.bilm.forward_lstm.dropout = model.bilm.backward_lstm.dropout = 0.5
    words = torch.tensor(random_batch(model, numpy.random.default_rng(6), [4])[0])

    def top(seed):
        torch.manual_seed(seed)
        return model.bilm.represent(words, model.bilm.zero_state(1))[0].layers[-1]

    assert torch.equal(top(1), top(1))
    assert not torch.equal(top(1), top(2))
    model.bilm.eval()
    assert torch.equal(top(1), top(2))


def test_the_model_keeps_nothing_between_two_calls(tmp_path):
    model = random_model("two layers", tmp_path)
    words = torch.tensor(random_batch(model, numpy.random.default_rng(7), [4, 2])[0])
    before = {key: value.clone() for key, value in model.bilm.state_dict().items()}
    first, state = model.bilm.represent(words, model.bilm.zero_state(2))
    second, _ = model.bilm.represent(words, model.bilm.zero_state(2))
    carried, _ = model.bilm.represent(words, state)
    assert all(torch.equal(a, b) for a, b in zip(first.layers, second.layers))
    assert not torch.equal(first.layers[-1], carried.layers[-1])
    assert all(torch.equal(value, before[key]) for key, value in model.bilm.state_dict().items())
