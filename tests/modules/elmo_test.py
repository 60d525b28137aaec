import json
import logging
import shutil
import socket

import h5py
import numpy
import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Batch, Instance, Token, Vocabulary
from allennlp.data.fields import ListField, TextField
from allennlp.modules import TextFieldEmbedder, TokenEmbedder
from allennlp.modules.elmo import Elmo
from allennlp.nn.regularizers import RegularizerApplicator

from elmo_plugin.bilm.characters import words_to_characters
from elmo_plugin.bilm.sidecar import Sidecar, load_sidecar, save_sidecar
from elmo_plugin.bilm.weights import load_bilm, save_weights
from elmo_plugin.data.token_indexers.character_ids import ElmoCharacterIdsIndexer
from tests.bilm.small_models import random_state, small_bilm, small_options
from tests.closeness import assert_close

SENTENCES = [["Anna", "found", "the", "house", "in", "Lima", "."], ["zebra"], [], ["Why", "not", "?"]]


@pytest.fixture
def bilm_folder(project_root, tmp_path):
    """A copy of the fixture biLM, without its sidecar."""
    folder = tmp_path / "bilm"
    folder.mkdir()
    for name in ("options.json", "weights.hdf5"):
        shutil.copy(project_root / "fixtures" / "bilm" / name, folder / name)
    return folder


def embedder_of(folder, **arguments):
    settings = {
        "options_file": str(folder / "options.json"),
        "weight_file": str(folder / "weights.hdf5"),
        "dropout": 0.0,
    }
    return TokenEmbedder.from_params(Params({"type": "elmo", **settings, **arguments}))


def theirs_of(folder, **arguments):
    files = (str(folder / name) for name in ("options.json", "weights.hdf5"))
    return Elmo(*files, num_output_representations=1, dropout=0.0, **arguments)


def characters(sentences, width=50):
    result = torch.zeros(len(sentences), max(map(len, sentences)), width, dtype=torch.int64)
    for row, sentence in zip(result, sentences):
        row[: len(sentence)] = torch.from_numpy(words_to_characters(sentence, width))
    return result


def embed(embedder, sentences):
    with torch.no_grad():
        return embedder.eval()(characters(sentences))


BATCHES = [SENTENCES, SENTENCES[:2], SENTENCES + SENTENCES[::-1], SENTENCES[3:]]


@pytest.mark.parametrize("layer_norm", [False, True])
def test_with_the_state_carried_the_vectors_are_those_of_allennlps_elmo(bilm_folder, layer_norm):
    ours = embedder_of(bilm_folder, state="stateful", do_layer_norm=layer_norm)
    theirs = theirs_of(bilm_folder, do_layer_norm=layer_norm).eval()
    for sentences in BATCHES:
        with torch.no_grad():
            expected = theirs(characters(sentences))
        present = expected["mask"].unsqueeze(-1)
        vectors = embed(ours, sentences)
        assert_close(vectors, expected["elmo_representations"][0] * present)


def test_layer_norm_changes_the_vectors(bilm_folder):
    plain, normalised = (embedder_of(bilm_folder, do_layer_norm=on, state="zero") for on in (False, True))
    assert not torch.allclose(embed(plain, SENTENCES), embed(normalised, SENTENCES), atol=0.1)


@pytest.mark.parametrize("state", ["zero", "steady"])
def test_a_sentence_has_the_same_vectors_in_any_batch_under_a_state_of_its_own(bilm_folder, state):
    embedder = embedder_of(bilm_folder, state=state)
    together = embed(embedder, SENTENCES)
    for sentences in (SENTENCES[::-1], SENTENCES[:1] * 5, *([sentence] for sentence in SENTENCES if sentence)):
        vectors = embed(embedder, sentences)
        for row, sentence in enumerate(sentences):
            expected = together[SENTENCES.index(sentence), : len(sentence)]
            # A product sums in another order where the batch has another size.
            assert_close(vectors[row, : len(sentence)], expected)


def test_the_three_policies_give_three_vectors(bilm_folder):
    vectors = {
        state: embed(embedder_of(bilm_folder, state=state), SENTENCES) for state in ("zero", "steady", "stateful")
    }
    # With nothing read before, there is nothing to carry.
    assert torch.equal(vectors["zero"], vectors["stateful"])
    assert not torch.allclose(vectors["zero"], vectors["steady"], atol=1e-3)
    stateful = embedder_of(bilm_folder, state="stateful")
    embed(stateful, SENTENCES)
    assert not torch.allclose(embed(stateful, SENTENCES), vectors["zero"], atol=1e-3)


def test_steady_is_the_default(bilm_folder):
    assert torch.equal(
        embed(embedder_of(bilm_folder), SENTENCES), embed(embedder_of(bilm_folder, state="steady"), SENTENCES)
    )


def test_where_there_is_no_word_the_vector_is_zero(bilm_folder):
    vectors = embed(embedder_of(bilm_folder), SENTENCES)
    for row, sentence in zip(vectors, SENTENCES):
        assert row[: len(sentence)].any(dim=-1).all() and not row[len(sentence) :].any()


def layers_of(folder, state=None):
    """Word vectors and the two LSTM layers of the first sentence, without the boundaries."""
    bilm = load_bilm(folder / "options.json", folder / "weights.hdf5")
    with torch.no_grad():
        found, _ = bilm.represent(characters(SENTENCES[:1]), bilm.zero_state(1) if state is None else state)
    return [layer[0, 1:-1] for layer in found.layers]


def test_a_new_mix_is_the_mean_of_the_layers_times_gamma(bilm_folder):
    embedder = embedder_of(bilm_folder, state="zero", gamma=3.0)
    expected = 3.0 * sum(layers_of(bilm_folder)) / 3
    assert_close(embed(embedder, SENTENCES[:1])[0], expected)
    assert all(parameter.requires_grad for parameter in embedder.scalar_mix_0.parameters())


def test_a_fixed_mix_is_what_it_was_given_and_does_not_learn(bilm_folder):
    scalars = [-1e9, 0.0, 0.0]
    embedder = embedder_of(bilm_folder, state="zero", scalar_mix_parameters=scalars, gamma=0.5)
    _, first, second = layers_of(bilm_folder)
    assert_close(embed(embedder, SENTENCES[:1])[0], 0.5 * (first + second) / 2)
    assert not any(parameter.requires_grad for parameter in embedder.parameters())


def test_a_projection_gives_another_width_and_learns(bilm_folder):
    assert embedder_of(bilm_folder).get_output_dim() == 32
    embedder = embedder_of(bilm_folder, projection_dim=5)
    vectors = embedder(characters(SENTENCES))
    assert embedder.get_output_dim() == 5 and vectors.shape == (4, 7, 5)
    vectors.sum().backward()
    assert embedder._projection.weight.grad.any()


def test_dropout_acts_in_training_only(bilm_folder):
    embedder = embedder_of(bilm_folder, dropout=0.5).train()
    vectors, plain = embedder(characters(SENTENCES[:1])), embed(embedder_of(bilm_folder), SENTENCES[:1])
    dropped = vectors == 0
    assert 0.2 < dropped.float().mean() < 0.8
    assert_close(vectors[~dropped], 2 * plain[~dropped])
    assert torch.equal(embed(embedder, SENTENCES[:1]), plain)


@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize("state", ["zero", "steady", "stateful"])
def test_a_frozen_bilm_gets_no_gradients_but_its_mix_learns(bilm_folder, requires_grad, state):
    embedder = embedder_of(bilm_folder, requires_grad=requires_grad, state=state).train()
    for _ in range(2):
        weights = torch.arange(32.0)
        (embedder(characters(SENTENCES)) * weights).sum().backward()
    for name, parameter in embedder.named_parameters():
        is_mix = name.startswith("scalar_mix_0.")
        assert parameter.requires_grad == (is_mix or requires_grad), name
        assert (parameter.grad is not None and bool(parameter.grad.any())) == (is_mix or requires_grad), name


def test_parameters_of_the_mix_have_the_names_that_patterns_of_regularizers_match(bilm_folder):
    embedder = embedder_of(bilm_folder)
    names = {name for name, _ in embedder.named_parameters() if "scalar" in name}
    assert names == {"scalar_mix_0.gamma", *(f"scalar_mix_0.scalar_parameters.{j}" for j in range(3))}
    with torch.no_grad():
        embedder.scalar_mix_0.scalar_parameters[1].fill_(3.0)
    regularizer = RegularizerApplicator.from_params(
        Params({"regexes": [["scalar_parameters", {"type": "l2", "alpha": 0.1}]]})
    )
    assert regularizer(embedder).item() == pytest.approx(0.9)


def test_the_mix_can_be_read_as_metrics(bilm_folder):
    embedder = embedder_of(bilm_folder, gamma=2.0)
    with torch.no_grad():
        embedder.scalar_mix_0.scalar_parameters[2].fill_(numpy.log(2.0))
    expected = {"layer_0": 0.25, "layer_1": 0.25, "layer_2": 0.5, "gamma": 2.0}
    found = {name.split("/")[1]: value for name, value in embedder.mix_metrics().items()}
    assert found == pytest.approx(expected, abs=1e-6)


def test_the_steady_state_beside_the_weights_is_taken(bilm_folder, project_root):
    shutil.copy(project_root / "fixtures" / "bilm" / "sidecar.hdf5", bilm_folder)
    bilm = load_bilm(bilm_folder / "options.json", bilm_folder / "weights.hdf5")
    steady = load_sidecar(bilm_folder / "sidecar.hdf5", bilm.options).steady_state
    vectors = embed(embedder_of(bilm_folder), SENTENCES[:1])
    assert_close(vectors[0], sum(layers_of(bilm_folder, steady)) / 3)


def test_a_sidecar_elsewhere_is_taken_where_it_is_named(bilm_folder, project_root, tmp_path):
    shutil.copy(project_root / "fixtures" / "bilm" / "sidecar.hdf5", tmp_path / "other.hdf5")
    named = embed(embedder_of(bilm_folder, sidecar_file=str(tmp_path / "other.hdf5")), SENTENCES)
    assert not torch.allclose(named, embed(embedder_of(bilm_folder), SENTENCES), atol=1e-4)
    (tmp_path / "other.hdf5").rename(bilm_folder / "sidecar.hdf5")
    assert torch.equal(named, embed(embedder_of(bilm_folder), SENTENCES))


def test_without_a_stored_steady_state_it_is_computed_and_the_log_says_so(bilm_folder, caplog):
    with caplog.at_level(logging.INFO, "elmo_plugin"):
        first = embed(embedder_of(bilm_folder), SENTENCES)
    assert "weights.hdf5; it is computed from a few sentences of English" in caplog.text
    assert torch.equal(first, embed(embedder_of(bilm_folder), SENTENCES))
    bilm = load_bilm(bilm_folder / "options.json", bilm_folder / "weights.hdf5")
    save_sidecar(bilm_folder / "sidecar.hdf5", Sidecar(None, bilm.zero_state(1)))
    zeros = embed(embedder_of(bilm_folder, state="zero"), SENTENCES)
    assert torch.equal(zeros, embed(embedder_of(bilm_folder), SENTENCES))


def save_bilm(bilm, folder):
    folder.mkdir(exist_ok=True)
    (folder / "options.json").write_text(json.dumps(bilm.options.to_dict()))
    save_weights(bilm, folder / "weights.hdf5")
    return folder


def test_the_width_of_a_word_is_that_of_the_options(tmp_path):
    embedder = embedder_of(save_bilm(small_bilm(), tmp_path / "small"), state="zero").eval()
    assert embedder(characters(SENTENCES, width=10)).shape == (4, 7, 8)
    with pytest.raises(
        ConfigurationError, match="The embedder elmo: .*num_tokens, 10.* shape is .4, 7, 50.*token indexer"
    ):
        embedder(characters(SENTENCES))


def break_weights(folder):
    with h5py.File(folder / "weights.hdf5", "r+") as file:
        del file["char_embed"]


@pytest.mark.parametrize(
    "break_it, arguments, message",
    [
        (None, {"state": "steddy"}, "`state` of the embedder elmo must be one of .*zero.* but it is 'steddy'"),
        (
            None,
            {"scalar_mix_parameters": [1, 2]},
            "The embedder elmo: `scalar_mix_parameters` must hold one number .* 3 ",
        ),
        (
            lambda f: (f / "options.json").unlink(),
            {},
            "options.json.*Give the paths .* `allennlp elmo-export ARCHIVE DIR`",
        ),
        (
            lambda f: (f / "weights.hdf5").unlink(),
            {},
            "weights.hdf5.*Give the paths .* `allennlp elmo-export ARCHIVE DIR`",
        ),
        (lambda f: (f / "options.json").write_text("{}"), {}, "The embedder elmo: .*The options have no 'lstm'"),
        (lambda f: (f / "weights.hdf5").write_bytes(b"x"), {}, "The embedder elmo: .*is not a readable HDF5 file"),
        (break_weights, {}, "The embedder elmo: .*does not fit the options:\n  char_embed: expected shape .261, 8."),
        (
            lambda f: (f / "sidecar.hdf5").write_bytes(b"x"),
            {},
            "The embedder elmo, steady state: .*sidecar.hdf5 is not a",
        ),
        (None, {"sidecar_file": "none.hdf5"}, "The embedder elmo, steady state: .*none.hdf5"),
    ],
)
def test_what_can_not_work_is_an_error_that_names_it(bilm_folder, break_it, arguments, message):
    if break_it is not None:
        break_it(bilm_folder)
    with pytest.raises(ConfigurationError, match=f"(?s){message}"):
        embedder_of(bilm_folder, **arguments)


@pytest.mark.parametrize("name", ["options_file", "weight_file", "sidecar_file"])
def test_a_url_whose_host_does_not_answer_is_told_at_once(bilm_folder, monkeypatch, tmp_path, name):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr("allennlp.common.file_utils.CACHE_DIRECTORY", tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{taken.getsockname()[1]}/{name}"
        with pytest.raises(ConfigurationError, match=f"The embedder elmo.*: {url} could not be fetched .*refused"):
            embedder_of(bilm_folder, **{name: url})


def test_the_sidecar_of_another_model_is_refused(bilm_folder):
    save_sidecar(bilm_folder / "sidecar.hdf5", Sidecar(None, random_state(1)))
    with pytest.raises(ConfigurationError, match="steady state: .*steady_state/forward/hidden should .* another model"):
        embedder_of(bilm_folder)
    embedder_of(bilm_folder, state="zero")


def test_a_bilm_of_word_ids_needs_another_policy_or_a_sidecar(tmp_path):
    given = small_options()
    del given["char_cnn"]
    bilm = type(small_bilm())(small_bilm().options.from_dict(given))
    folder = save_bilm(bilm, tmp_path / "words")
    with pytest.raises(
        ConfigurationError, match="word ids has no steady state without a sidecar file. Give one .`sidecar_file`"
    ):
        embedder_of(folder)
    embedder = embedder_of(folder, state="zero")
    assert embedder(torch.tensor([[3, 4, 0], [5, 6, 7]])).shape == (2, 3, 8)


def text_field(words):
    return TextField([Token(word) for word in words], {"elmo": ElmoCharacterIdsIndexer()})


def test_in_lists_of_sentences_each_has_the_vectors_that_it_has_alone(bilm_folder):
    settings = {"options_file": str(bilm_folder / "options.json"), "weight_file": str(bilm_folder / "weights.hdf5")}
    params = {"token_embedders": {"elmo": {"type": "elmo", "dropout": 0.0, **settings}}}
    embedder = TextFieldEmbedder.from_params(Params(params), vocab=Vocabulary()).eval()
    lists = [SENTENCES, SENTENCES[:2], [["zebra"]]]
    batch = Batch([Instance({"texts": ListField([text_field(words) for words in texts])}) for texts in lists])
    batch.index_instances(Vocabulary())
    vectors = embedder(batch.as_tensor_dict()["texts"], num_wrapping_dims=1)
    assert vectors.shape == (3, 4, 7, 32)
    alone = embed(embedder_of(bilm_folder), SENTENCES)
    for number, texts in enumerate(lists):
        for row, words in enumerate(texts):
            expected = alone[SENTENCES.index(words)]
            assert_close(vectors[number, row], expected)
        assert not vectors[number, len(texts) :].any()


def test_two_mixes_stand_side_by_side_each_with_its_own_weights(bilm_folder):
    one, two = embedder_of(bilm_folder), embedder_of(bilm_folder, num_output_representations=2)
    with torch.no_grad():
        two.scalar_mix_1.scalar_parameters[0].fill_(50.0)
        two.scalar_mix_1.gamma.fill_(2.0)
    first, second = embed(two, SENTENCES).chunk(2, dim=-1)
    assert two.get_output_dim() == 2 * one.get_output_dim()
    assert torch.equal(first, embed(one, SENTENCES))
    # The mix of nothing but word vectors, twice as large.
    words = embedder_of(bilm_folder, scalar_mix_parameters=[50.0, 0.0, 0.0], gamma=2.0)
    assert_close(second, embed(words, SENTENCES))
    assert two.mix_metrics()["elmo_1/layer_0"] == pytest.approx(1.0)
    assert two.mix_metrics()["elmo_1/gamma"] == 2.0
    assert two.mix_metrics()["elmo/gamma"] == 1.0


def test_two_mixes_are_those_of_allennlps_elmo_in_one_run_of_the_bilm(bilm_folder, monkeypatch):
    embedder = embedder_of(bilm_folder, num_output_representations=2, state="zero")
    runs = []
    represent = embedder.bilm.represent
    monkeypatch.setattr(embedder.bilm, "represent", lambda *arguments: runs.append(1) or represent(*arguments))
    embed(embedder, SENTENCES)
    assert len(runs) == 1
    files = (str(bilm_folder / name) for name in ("options.json", "weights.hdf5"))
    theirs = Elmo(*files, num_output_representations=2, dropout=0.0)
    mixes = {name for name in theirs.state_dict() if name.startswith("scalar_mix_")}
    assert mixes == {name for name in embedder.state_dict() if name.startswith("scalar_mix_")}


def test_at_least_one_mix_is_asked_for(bilm_folder):
    with pytest.raises(ConfigurationError, match="num_output_representations.*at least 1, but it is 0"):
        embedder_of(bilm_folder, num_output_representations=0)
