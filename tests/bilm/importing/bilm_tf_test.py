"""bilm-tf's checkpoints become the models that they are, softmax included, whatever TensorFlow wrote them."""

import json

import numpy
import pytest
import torch

from elmo_plugin import ElmoEmbedder
from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.importing.bilm_tf import import_checkpoint, name_in_hdf5
from elmo_plugin.bilm.weights import load_weights
from tests import oracle
from tests.checkpoint_files import STYLES, bilm_tf_arrays, variable_name, write_checkpoint
from tests.oracle_weights import VARIANTS, random_weights, variant, write_weights

NUM_WORDS = 11
WORDS = ["<S>", "</S>", "<UNK>", *(f"word{i}" for i in range(NUM_WORDS - 3))]
SENTENCES = [["a", "stone", "é"], ["word3"]]


@pytest.fixture
def write(tmp_path):
    """Writes a folder of a training and gives the checkpoint's prefix, the oracle's weights and the softmax."""

    def write(options, style="1.2", nested=None, words=WORDS, change=None, **settings):
        rng = numpy.random.default_rng(0)
        weights = random_weights(options, rng, nested)
        softmax = rng.normal(size=(NUM_WORDS, options["lstm"]["projection_dim"])), rng.normal(size=NUM_WORDS)
        arrays = bilm_tf_arrays(weights, softmax, style)
        if change is not None:
            change(arrays)
        prefix = write_checkpoint(tmp_path / "out" / "model.ckpt-17", arrays, **settings)
        content = {"n_tokens_vocab": NUM_WORDS, "dropout": 0.1, **options}
        (prefix.parent / "options.json").write_text(json.dumps(content))
        if words is not None:
            (prefix.parent / "vocab.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
        return prefix, weights, [array.astype(numpy.float32) for array in softmax]

    return write


def expected_state(bilm, weights, tmp_path):
    """What the same weights are, read from an HDF5 file."""
    write_weights(tmp_path / "same.hdf5", weights)
    other = Bilm(bilm.options)
    load_weights(other, tmp_path / "same.hdf5")
    return other.state_dict()


@pytest.mark.parametrize(
    "name, style",
    [*((name, "1.2") for name in VARIANTS), *(("two layers", style) for style in STYLES), ("one layer", "1.0")],
)
def test_every_variant_comes_out_bit_by_bit_whatever_version_wrote_it(name, style, write, tmp_path):
    options = variant(name)
    if "char_cnn" in options:
        options["char_cnn"]["n_characters"] = 261
    nested = True if name == "one layer, nested" else None
    prefix, weights, softmax = write(options, style, nested, num_shards=3)
    imported = import_checkpoint(prefix)
    state = imported.bilm.state_dict()
    for key, value in expected_state(imported.bilm, weights, tmp_path).items():
        assert torch.equal(state[key], value), key
    numpy.testing.assert_array_equal(imported.softmax.weight.detach(), softmax[0])
    numpy.testing.assert_array_equal(imported.softmax.bias.detach()[:, 0], softmax[1])
    assert imported.vocabulary.words == WORDS
    assert imported.kind == f"the TensorFlow checkpoint {prefix}"
    (slots,) = imported.left_out
    assert slots.startswith(f"{len(weights) + 2} slots of the optimizer (such as lm/") and "/Adagrad" in slots


def test_the_model_gives_the_vectors_of_the_equations(write):
    prefix, weights, _ = write(variant("two layers"))
    bilm = import_checkpoint(prefix).bilm
    expected, _ = oracle.embed_sentences(SENTENCES, weights, variant("two layers"))
    found = ElmoEmbedder.from_bilm(bilm, state="zero").embed_batch(SENTENCES)
    for ours, theirs in zip(found, expected):
        numpy.testing.assert_allclose(ours, theirs, atol=1e-5 * numpy.abs(theirs).max(), rtol=0)


def test_names_are_understood_in_any_scope():
    path = "RNN_1/RNN/MultiRNNCell/Cell0/LSTMCell"
    for style in STYLES:
        for part in ("W_0", "B", "W_P_0"):
            for scope in ("lm/", "", "model/lm/"):
                assert name_in_hdf5(variable_name(f"{path}/{part}", style, scope)) == f"{path}/{part}"
    assert name_in_hdf5("lm/RNN_0/rnn/lstm_cell/kernel:0") == "RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/W_0"
    assert name_in_hdf5("lm/CNN_high_0/W_carry") == "CNN_high_0/W_carry"
    assert name_in_hdf5("global_step") is None


def test_without_a_projection_the_cells_output_goes_on_as_it_is(write):
    options = variant("two layers")
    options["lstm"].update(dim=5, projection_dim=5, proj_clip=3.0)

    def change(arrays):
        for name in [name for name in arrays if "projection" in name]:
            del arrays[name]

    prefix, _, _ = write(options, change=change)
    layers = import_checkpoint(prefix).bilm.forward_lstm.layers
    assert all(torch.equal(layer.weight_projection, torch.eye(5)) for layer in layers)
    options["lstm"]["proj_clip"] = 0.4
    prefix, _, _ = write(options, change=change)
    with pytest.raises(ValueError, match="lstm_cell/projection/kernel: not there, so bilm-tf does not clip .* 0.4"):
        import_checkpoint(prefix)


def test_an_embedding_that_is_the_softmax_too_is_both(write):
    def change(arrays):
        del arrays["lm/softmax/W"]

    prefix, weights, _ = write({**variant("word ids"), "share_embedding_softmax": True}, change=change)
    softmax = import_checkpoint(prefix).softmax
    numpy.testing.assert_array_equal(softmax.weight.detach(), weights["embedding"].astype(numpy.float32))


def test_the_number_of_words_of_a_word_id_model_may_be_missing(write):
    prefix, _, _ = write(variant("word ids"))
    options = variant("word ids")
    del options["n_tokens_vocab"]
    (prefix.parent / "options.json").write_text(json.dumps(options))
    assert import_checkpoint(prefix).bilm.options.num_words == 11


def test_the_softmax_may_be_missing_or_be_left_out(write):
    prefix, _, _ = write(variant("two layers"), words=None)
    imported = import_checkpoint(prefix, with_softmax=False)
    assert imported.softmax is None and imported.vocabulary is None
    assert "no place for: lm/softmax/W, lm/softmax/b" in imported.left_out[1]

    def change(arrays):
        for name in [name for name in arrays if "softmax" in name]:
            del arrays[name]

    prefix, _, _ = write(variant("two layers"), words=None, change=change)
    assert import_checkpoint(prefix).softmax is None


def test_words_in_an_order_of_their_own_hinder_nothing_that_needs_none(write):
    prefix, _, _ = write(variant("two layers"), words=[*WORDS[3:], *WORDS[:3]])
    message = "must begin with the lines <S>, .*trained already must stay as they are; import it --without-softmax"
    with pytest.raises(ValueError, match=message):
        import_checkpoint(prefix)
    imported = import_checkpoint(prefix, with_softmax=False)
    assert imported.softmax is None and imported.vocabulary is None
    assert imported.left_out[-1].startswith(f"the vocabulary, which nothing needs here: {prefix.parent / 'vocab.txt'}")


def test_a_softmax_needs_its_words(write, tmp_path):
    prefix, _, _ = write(variant("two layers"), words=None)
    message = "holds a softmax of 11 words, but not the words.*--vocabulary-file.*--without-soft"
    with pytest.raises(ValueError, match=message):
        import_checkpoint(prefix)
    (tmp_path / "mine.txt").write_text("\n".join(WORDS))
    assert import_checkpoint(prefix, vocabulary_file=tmp_path / "mine.txt").vocabulary.words == WORDS
    (tmp_path / "mine.txt").write_text("\n".join(WORDS[:-1]))
    with pytest.raises(ValueError, match="mine.txt has 10 words, but the softmax in .*model.ckpt-17 has 11"):
        import_checkpoint(prefix, vocabulary_file=tmp_path / "mine.txt")


def test_every_variable_that_is_missing_or_has_another_shape_is_listed_with_what_was_expected(write):
    def change(arrays):
        del arrays["lm/RNN_0/rnn/multi_rnn_cell/cell_1/lstm_cell/kernel"]
        del arrays["lm/RNN_1/rnn/multi_rnn_cell/cell_0/lstm_cell/projection/kernel"]
        arrays["lm/CNN/b_cnn_1"] = numpy.zeros(9, numpy.float32)
        arrays["lm/CNN_proj/b_proj"] = numpy.zeros(5, numpy.int64)
        arrays["lm/char_embed"][3, 1] = numpy.inf

    prefix, _, _ = write(variant("two layers"), change=change)
    with pytest.raises(ValueError, match="does not fit the options") as caught:
        import_checkpoint(prefix)
    lines = str(caught.value).splitlines()
    assert lines[1:-1] == [
        "  lm/char_embed: expected finite numbers, found NaN or infinity",
        "  lm/CNN/b_cnn_1: expected shape (4,), found (9,)",
        "  lm/CNN_proj/b_proj: expected floating-point numbers, found int64",
        "  lm/RNN_0/rnn/multi_rnn_cell/cell_1/lstm_cell/kernel: expected shape (10, 28), found no such variable",
        "  lm/RNN_1/rnn/multi_rnn_cell/cell_0/lstm_cell/projection/kernel: "
        "expected shape (7, 5), found no such variable",
    ]
    assert "It holds: global_step, lm/CNN/W_cnn_0" in lines[-1]


def test_a_softmax_of_another_shape_is_an_error(write):
    def change(arrays):
        arrays["lm/softmax/W"] = numpy.zeros((11, 4), numpy.float32)

    prefix, _, _ = write(variant("two layers"), change=change)
    with pytest.raises(ValueError, match=r"the softmax:\n  lm/softmax/W: expected shape \(11, 5\), found \(11, 4\)"):
        import_checkpoint(prefix)


def test_more_layers_than_the_options_ask_for_are_named(write):
    prefix, _, _ = write(variant("two layers"))
    options = variant("two layers")
    options["lstm"]["n_layers"] = 1
    (prefix.parent / "options.json").write_text(json.dumps(options))
    assert "no place for: lm/RNN_0/rnn/multi_rnn_cell/cell_1/lstm_cell/bias" in import_checkpoint(prefix).left_out[1]


def test_two_variables_of_one_name_are_an_error(write):
    def change(arrays):
        arrays["other/char_embed"] = arrays["lm/char_embed"]

    prefix, _, _ = write(variant("two layers"), change=change)
    with pytest.raises(ValueError, match="holds lm/char_embed and other/char_embed, which both stand for char_embed"):
        import_checkpoint(prefix)


def test_options_are_found_or_named(write, tmp_path):
    prefix, _, _ = write(variant("two layers"))
    (prefix.parent / "options.json").rename(tmp_path / "mine.json")
    message = "There is no options file beside the weights: expected .*options.json. Name"
    with pytest.raises(FileNotFoundError, match=message):
        import_checkpoint(prefix)
    assert import_checkpoint(prefix, options_file=tmp_path / "mine.json").bilm.options.projection_dim == 5
