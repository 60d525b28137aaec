"""The oracle judges the package; here finite differences, brute force and published vectors judge the oracle."""

import json
from pathlib import Path
from typing import Callable, Dict

import numpy
import pytest

from tests import oracle, oracle_softmax, oracle_words
from tests.oracle_weights import VARIANTS, random_weights, read_weights, variant, write_weights


@pytest.fixture()
def published(shared_data) -> Path:
    """A small biLM of AllenNLP's with the vectors that its makers computed."""
    return shared_data / "elmo" / "allennlp_fixture"


def check_gradients(
    loss: Callable[[], float], values: Dict[str, numpy.ndarray], grads: Dict[str, numpy.ndarray], rng
) -> None:
    """Every gradient against central differences, along two random directions of each array (changed and put back)."""
    step = 1e-6
    assert set(grads) == set(values)
    for name, value in values.items():
        assert grads[name].shape == value.shape, name
        kept = value.copy()
        for _ in range(2):
            direction = rng.normal(size=value.shape)
            value[...] = kept + step * direction
            above = loss()
            value[...] = kept - step * direction
            slope = (above - loss()) / (2 * step)
            value[...] = kept
            assert (grads[name] * direction).sum() == pytest.approx(slope, rel=1e-6, abs=1e-7), name


def random_words(rng: numpy.random.Generator, count: int) -> list:
    alphabet = list("abcdeé中.")
    return ["".join(rng.choice(alphabet, size=rng.integers(1, 9))) for _ in range(count)]


def random_ids(options, rng, batch_size: int, num_steps: int) -> numpy.ndarray:
    if "char_cnn" not in options:
        return rng.integers(1, options["n_tokens_vocab"] + 1, size=(batch_size, num_steps))
    width = options["char_cnn"]["max_characters_per_token"]
    words = random_words(rng, batch_size * num_steps)
    return oracle_words.words_to_characters(words, width).reshape(batch_size, num_steps, width)


def test_words_become_shifted_bytes_between_their_marks():
    ids = oracle_words.words_to_characters(["a", "<S>", "</S>", "中", "abcdefgh", ""], 6)
    assert ids.tolist() == [
        [259, 98, 260, 261, 261, 261],
        [259, 257, 260, 261, 261, 261],
        [259, 258, 260, 261, 261, 261],
        [259, 0xE4 + 1, 0xB8 + 1, 0xAD + 1, 260, 261],
        [259, 98, 99, 100, 101, 260],
        [259, 260, 261, 261, 261, 261],
    ]


# Those that differ in more than what their file looks like.
@pytest.mark.parametrize(
    "name", sorted(set(VARIANTS) - {"261 characters", "one layer, nested", "one highway", "other width"})
)
def test_gradients_of_the_whole_model_equal_finite_differences(name):
    rng = numpy.random.default_rng(7)
    options = variant(name)
    weights = random_weights(options, rng)
    lengths = numpy.array([4, 1, 0, 3])
    ids = random_ids(options, rng, 4, 4)
    states = [tuple(rng.normal(size=part.shape) * 0.3 for part in oracle.zero_state(options, 4)) for _ in range(2)]
    layers, _, cache = oracle.bilm(ids, lengths, weights, options, states)
    d_layers = rng.normal(size=layers.shape)
    grads = oracle.bilm_backward(d_layers, cache)
    check_gradients(
        lambda: (oracle.bilm(ids, lengths, weights, options, states)[0] * d_layers).sum(), weights, grads, rng
    )


@pytest.mark.parametrize("skip", [True, False])
def test_gradients_of_input_and_state_of_a_direction_equal_finite_differences(skip):
    rng = numpy.random.default_rng(8)
    options = variant("two layers")
    options["lstm"]["use_skip_connections"] = skip
    weights = random_weights(options, rng)
    lengths = numpy.array([5, 2])
    x = rng.normal(size=(2, 5, 5)) * (numpy.arange(5) < lengths[:, None])[:, :, None]
    state = tuple(rng.normal(size=part.shape) * 0.3 for part in oracle.zero_state(options, 2))
    layers, last, cache = oracle.read_direction(x, lengths, weights, options, 1, state)
    d_layers = rng.normal(size=layers.shape) * (numpy.arange(5) < lengths[:, None])[None, :, :, None]
    d_state = tuple(rng.normal(size=part.shape) for part in last)
    d_x, d_first, grads = oracle.read_direction_backward(d_layers, d_state, cache)

    def loss() -> float:
        y, (memories, outputs), _ = oracle.read_direction(x, lengths, weights, options, 1, state)
        return float((y * d_layers).sum() + (memories * d_state[0]).sum() + (outputs * d_state[1]).sum())

    values = {"x": x, "memories": state[0], "outputs": state[1]}
    check_gradients(loss, values, {"x": d_x, "memories": d_first[0], "outputs": d_first[1]}, rng)
    check_gradients(loss, {name: weights[name] for name in grads}, grads, rng)


@pytest.mark.parametrize("name", ["two layers", "three layers", "word ids"])
def test_random_weights_clip_a_part_of_the_memories_and_of_the_outputs(name):
    rng = numpy.random.default_rng(9)
    options = variant(name)
    weights = random_weights(options, rng)
    lengths = numpy.array([6, 6])
    _, _, cache = oracle.bilm(random_ids(options, rng, 2, 6), lengths, weights, options)
    steps = [step for way in cache["directions"] for _, _, layer in way["layers"] for step in layer["steps"]]
    for slope in ("new_slope", "out_slope"):
        assert 0.1 < numpy.mean([step[slope] for step in steps]) < 0.95, slope


def test_one_window_equals_two_with_the_state_carried():
    rng = numpy.random.default_rng(10)
    options = variant("three layers")
    weights = random_weights(options, rng)
    x = rng.normal(size=(2, 7, 5))
    whole, last, _ = oracle.read_direction(x, numpy.array([7, 7]), weights, options, 0)
    first, state, _ = oracle.read_direction(x[:, :3], numpy.array([3, 3]), weights, options, 0)
    second, state, _ = oracle.read_direction(x[:, 3:], numpy.array([4, 4]), weights, options, 0, state)
    numpy.testing.assert_allclose(numpy.concatenate([first, second], axis=2), whole, atol=1e-12)
    numpy.testing.assert_allclose(state[0], last[0], atol=1e-12)
    numpy.testing.assert_allclose(state[1], last[1], atol=1e-12)


def test_a_short_row_is_what_it_would_be_alone():
    rng = numpy.random.default_rng(11)
    options = variant("two layers")
    weights = random_weights(options, rng)
    together, states = oracle.embed_sentences([["a", "b", "c", "d"], ["e"]], weights, options)
    alone, alone_states = oracle.embed_sentences([["e"]], weights, options)
    assert together[1].shape == (3, 1, 10)
    numpy.testing.assert_allclose(together[1], alone[0], atol=1e-12)
    for state, alone_state in zip(states, alone_states):
        numpy.testing.assert_allclose(state[0][:, 1:], alone_state[0], atol=1e-12)


def test_a_smaller_batch_leaves_the_other_rows_states_alone():
    rng = numpy.random.default_rng(12)
    options = variant("two layers")
    weights = random_weights(options, rng)
    _, states = oracle.embed_sentences([["a"], ["b"], ["c"]], weights, options)
    _, later = oracle.embed_sentences([["d"]], weights, options, states)
    for state, late in zip(states, later):
        numpy.testing.assert_array_equal(state[0][:, 1:], late[0][:, 1:])
        assert numpy.abs(state[0][:, 0] - late[0][:, 0]).max() > 1e-3


@pytest.mark.parametrize("layer_norm", [False, True])
def test_gradients_of_the_mix_equal_finite_differences(layer_norm):
    rng = numpy.random.default_rng(13)
    layers, mask = rng.normal(size=(3, 2, 4, 6)) * 2 + 1, numpy.arange(4) < numpy.array([[4], [2]])
    scalars, gamma = rng.normal(size=3), numpy.array([0.7])
    y, cache = oracle.scalar_mix(layers, mask, scalars, float(gamma[0]), layer_norm)
    d_y = rng.normal(size=y.shape)
    d_layers, d_scalars, d_gamma = oracle.scalar_mix_backward(d_y, cache)

    def loss() -> float:
        return float((oracle.scalar_mix(layers, mask, scalars, float(gamma[0]), layer_norm)[0] * d_y).sum())

    values = {"layers": layers, "scalars": scalars, "gamma": gamma}
    check_gradients(loss, values, {"layers": d_layers, "scalars": d_scalars, "gamma": numpy.array([d_gamma])}, rng)


def test_layer_norm_gives_the_unmasked_numbers_of_a_layer_mean_zero_and_variance_one():
    rng = numpy.random.default_rng(14)
    layers, mask = rng.normal(size=(1, 3, 5, 4)) * 3 + 2, numpy.arange(5) < numpy.array([[5], [1], [3]])
    y, _ = oracle.scalar_mix(layers, mask, numpy.zeros(1), 1.0, layer_norm=True)
    assert y[mask].mean() == pytest.approx(0.0, abs=1e-12)
    assert y[mask].var() == pytest.approx(1.0)
    assert not y[~mask].any()


@pytest.mark.parametrize("kind", ["full", "sampled"])
def test_gradients_of_the_softmaxes_equal_finite_differences(kind):
    rng = numpy.random.default_rng(15)
    hidden, weight, bias = rng.normal(size=(5, 4)), rng.normal(size=(9, 4)), rng.normal(size=9)
    targets, d_losses = rng.integers(0, 9, size=5), rng.normal(size=5)
    sampled = numpy.array([targets[0], (targets[0] + 1) % 9, (targets[0] + 5) % 9])
    expected = oracle_softmax.expected_counts(9, 6)

    def losses():
        if kind == "full":
            return oracle_softmax.full_softmax(hidden, targets, weight, bias)
        return oracle_softmax.sampled_softmax(hidden, targets, sampled, expected, weight, bias)

    backward = oracle_softmax.full_softmax_backward if kind == "full" else oracle_softmax.sampled_softmax_backward
    d_hidden, d_weight, d_bias = backward(d_losses, losses()[1])
    values = {"hidden": hidden, "weight": weight, "bias": bias}
    check_gradients(
        lambda: float((losses()[0] * d_losses).sum()),
        values,
        {"hidden": d_hidden, "weight": d_weight, "bias": d_bias},
        rng,
    )


def test_a_softmax_over_all_words_as_samples_equals_the_full_one():
    rng = numpy.random.default_rng(16)
    hidden, weight, bias, targets = (
        rng.normal(size=(6, 4)),
        rng.normal(size=(9, 4)),
        rng.normal(size=9),
        rng.integers(0, 9, size=6),
    )
    full, _ = oracle_softmax.full_softmax(hidden, targets, weight, bias)
    sampled, _ = oracle_softmax.sampled_softmax(hidden, targets, numpy.arange(9), numpy.ones(9), weight, bias)
    numpy.testing.assert_allclose(sampled, full, atol=1e-12)


def test_log_uniform_probabilities_add_up_to_one():
    assert oracle_softmax.log_uniform_probabilities(793471).sum() == pytest.approx(1.0)


def test_expected_counts_equal_the_share_of_draws_that_hold_the_id():
    rng = numpy.random.default_rng(17)
    num_words, num_tries, repeats = 12, 8, 40000
    draws = rng.choice(num_words, size=(repeats, num_tries), p=oracle_softmax.log_uniform_probabilities(num_words))
    seen = numpy.array([(draws == k).any(axis=1).mean() for k in range(num_words)])
    expected = oracle_softmax.expected_counts(num_words, num_tries)
    numpy.testing.assert_allclose(seen, expected, atol=5 * 0.5 / numpy.sqrt(repeats))


@pytest.mark.parametrize("name", VARIANTS)
def test_weights_come_back_from_a_file_as_they_were(name, tmp_path):
    weights = random_weights(variant(name), numpy.random.default_rng(18))
    write_weights(tmp_path / "weights.hdf5", weights)
    read = read_weights(tmp_path / "weights.hdf5")
    assert set(read) == set(weights)
    for key, value in weights.items():
        numpy.testing.assert_array_equal(read[key], value)
    cells = [key for key in weights if "LSTMCell/B" in key]
    assert all(("MultiRNNCell" in key) == (variant(name)["lstm"]["n_layers"] > 1) for key in cells)


def test_published_vectors_are_reproduced_with_states_carried_by_row(published):
    """Sentence j of row i is dataset j of lm_embeddings_i: the top layer, (2, num_tokens, projection_dim)."""
    options, weights = json.loads((published / "options.json").read_text()), read_weights(published / "lm_weights.hdf5")
    rows = json.loads((published / "sentences.json").read_text())
    files = [read_weights(published / f"lm_embeddings_{row}.hdf5") for row in range(3)]
    states = [oracle.zero_state(options, 3)] * 2
    for number, batch in enumerate(zip(*rows)):
        layers, states = oracle.embed_sentences([sentence.split() for sentence in batch], weights, options, states)
        for row, file in enumerate(files):
            top = numpy.concatenate(list(file[str(number)]), axis=1)
            numpy.testing.assert_allclose(layers[row][-1], top, atol=3e-6)


def test_published_word_vectors_are_reproduced(published):
    options, weights = json.loads((published / "options.json").read_text()), read_weights(published / "lm_weights.hdf5")
    words = (published / "vocab_test.txt").read_text(encoding="utf-8").split("\n")
    vectors, _ = oracle_words.encode_words(oracle_words.words_to_characters(words, 50), weights, options)
    expected = read_weights(published / "elmo_token_embeddings.hdf5")["embedding"]
    numpy.testing.assert_allclose(vectors, expected, atol=3e-6)
