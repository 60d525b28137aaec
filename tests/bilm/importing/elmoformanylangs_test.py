"""Models of ELMoForManyLangs give the vectors of that system's definition; what is wrong with their files is said."""

import json

import numpy
import pytest
import torch

from elmo_plugin import ElmoEmbedder
from elmo_plugin.bilm.importing import elmoformanylangs
from elmo_plugin.bilm.importing.elmoformanylangs import import_elmoformanylangs
from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.weights import load_bilm, save_weights
from tests.elmoformanylangs_files import CHARACTERS, configuration, random_weights, sentence_vectors, write_model

# Known words and others, unknown characters, a word too long, one that is a mark, one that is cut in the middle.
SENTENCES = [
    ["ab", "中国", "cab", "é"],
    ["中", "xyz", "abcabcabc", "中国中国中国", "ab"],
    ["<eos>", "c", "\u3000", "国é\U0001f600a"],
    ["ab"],
]
VARIANTS = {
    "as released": {},
    "characters alone": {"token_embedder__word_dim": 0},
    "tanh, no highway": {"token_embedder__activation": "tanh", "token_embedder__n_highway": 0},
    "no clips, one layer": {"encoder__cell_clip": 0, "encoder__proj_clip": 0, "encoder__n_layers": 1},
    "features as wide as the projection": {"token_embedder__word_dim": 0, "encoder__projection_dim": 7},
}


@pytest.fixture
def written(tmp_path):
    """The folder of a model, its configuration and its weights."""
    config = configuration()
    weights = random_weights(config)
    return write_model(tmp_path / "xx.model", config, weights), config, weights


def close(found, expected):
    numpy.testing.assert_allclose(found, expected, atol=1e-5 * numpy.abs(expected).max(), rtol=0)


@pytest.mark.parametrize("old_format", [True, False])
@pytest.mark.parametrize("name", VARIANTS)
def test_a_model_gives_the_vectors_of_that_systems_definition(name, old_format, tmp_path):
    config = configuration(**VARIANTS[name])
    weights = random_weights(config)
    folder = write_model(tmp_path / "xx.model", config, weights, old_format)
    embedder = ElmoEmbedder.from_bilm(import_elmoformanylangs(folder).bilm, state="zero")
    for sentence, found in zip(SENTENCES, embedder.embed_batch(SENTENCES)):
        close(found, sentence_vectors(sentence, config, weights))


def test_written_to_our_files_and_read_again_it_is_the_same_model(written, tmp_path):
    folder, config, weights = written
    bilm = import_elmoformanylangs(folder).bilm
    (tmp_path / "options.json").write_text(json.dumps(bilm.options.to_dict()))
    save_weights(bilm, tmp_path / "weights.hdf5")
    again = load_bilm(tmp_path / "options.json", tmp_path / "weights.hdf5")
    assert again.options == bilm.options
    assert all(torch.equal(value, bilm.state_dict()[name]) for name, value in again.state_dict().items())
    embedder = ElmoEmbedder(tmp_path / "options.json", tmp_path / "weights.hdf5", state="zero")
    close(embedder.embed_sentence(SENTENCES[0]), sentence_vectors(SENTENCES[0], config, weights))


def test_the_configuration_may_lie_in_the_folder_or_be_one_of_the_released(written, monkeypatch):
    folder, config, _ = written
    expected = import_elmoformanylangs(folder).bilm.options
    (folder / "config.json").write_text(json.dumps({"config_path": "sub/cnn.json"}))
    (folder / "sub").mkdir()
    (folder / "cnn.json").rename(folder / "sub" / "cnn.json")
    assert import_elmoformanylangs(folder).bilm.options == expected
    (folder / "config.json").write_text(json.dumps(config))
    assert import_elmoformanylangs(folder).bilm.options == expected
    monkeypatch.setattr(elmoformanylangs, "_RELEASED", config)
    (folder / "config.json").write_text(json.dumps({"config_path": "configs/cnn_50_100_512_4096_sample.json"}))
    assert import_elmoformanylangs(folder).bilm.options == expected


def test_a_saved_softmax_is_named_as_left_out(written):
    folder, _, _ = written
    assert import_elmoformanylangs(folder).left_out == ()
    (folder / "classifier.pkl").write_bytes(b"")
    assert import_elmoformanylangs(folder).left_out == ("classifier.pkl: its softmax does not come along",)


def test_an_entry_of_white_space_is_U_3000_and_the_last_of_several_lines_counts(written):
    folder, _, _ = written
    lines = [f"{entry}\t{index}" for index, entry in enumerate(CHARACTERS)]
    lines[8] = "\u00a0\t8"
    (folder / "char.dic").write_text("\n".join([*lines, "a\t0", ""]), encoding="utf-8")
    assert import_elmoformanylangs(folder).bilm.options.char_cnn.symbols.characters == tuple(CHARACTERS)


def test_every_tensor_that_does_not_fit_is_listed(written):
    folder, config, weights = written
    words, encoder = weights["token_embedder.pkl"], weights["encoder.pkl"]
    del words["projection.bias"]
    words["word_emb_layer.embedding.weight"] = words["word_emb_layer.embedding.weight"][:-1]
    write_model(folder, config, weights)
    with pytest.raises(ValueError, match="token_embedder.pkl does not fit") as caught:
        import_elmoformanylangs(folder)
    assert "word_emb_layer.embedding.weight: expected shape (7, 6), found (6, 6)" in str(caught.value)
    assert "projection.bias: expected shape (5,), found no such tensor" in str(caught.value)
    fresh = random_weights(config)
    encoder["backward_layer_1.state_linearity.bias"][0] = numpy.nan
    write_model(folder, config, {"token_embedder.pkl": fresh["token_embedder.pkl"], "encoder.pkl": encoder})
    with pytest.raises(ValueError, match="backward_layer_1.state_linearity.bias: expected finite numbers, found NaN"):
        import_elmoformanylangs(folder)


@pytest.mark.parametrize(
    "name, content, error, message",
    [
        ("config.json", None, FileNotFoundError, "There is no .*config.json, which a model of ELMoForManyLangs has"),
        ("config.json", b"{", ValueError, "config.json is not JSON in UTF-8"),
        ("config.json", b"[]", ValueError, "config.json holds a JSON list; expected an object"),
        ("config.json", b'{"config_path": "x/y.json"}', FileNotFoundError, "there is no .*y.json. Put that file there"),
        (
            "cnn.json",
            b'{"encoder": {}}',
            ValueError,
            "cnn.json: expected the configuration of a model, but it has no 'token",
        ),
        ("char.dic", None, FileNotFoundError, "There is no .*char.dic, which this model needs"),
        ("char.dic", b"\xe9\t0\n", ValueError, "char.dic is not UTF-8 .*Get the file again"),
        (
            "char.dic",
            b"a\tb\tc\n",
            ValueError,
            r"char.dic, line 1: expected an entry, a tab and its id, but found 'a\\tb",
        ),
        ("char.dic", b"a\t0\n", ValueError, "xx.model: The options symbol_cnn .*characters lacks <bos>, <eos>, <oov>"),
        ("encoder.pkl", None, FileNotFoundError, "There is no .*encoder.pkl, .*there is no model yet"),
        ("encoder.pkl", b"", ValueError, "encoder.pkl can't be read as weights of PyTorch"),
        ("token_embedder.pkl", b"PK\x03\x04 cut", ValueError, "token_embedder.pkl can't be read as weights of PyTorch"),
    ],
)
def test_a_damaged_file_is_named(written, name, content, error, message):
    folder, _, _ = written
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(error, match=message):
        import_elmoformanylangs(folder)


class Harmful:
    def __reduce__(self):
        return print, ("harm",)


def test_a_pickle_that_would_run_something_is_refused(written, capsys):
    folder, _, _ = written
    torch.save({"weight": Harmful()}, folder / "encoder.pkl")
    with pytest.raises(ValueError, match="encoder.pkl can't be read as weights of PyTorch .*or hold more than weights"):
        import_elmoformanylangs(folder)
    assert "harm" not in capsys.readouterr().out
    torch.save([1], folder / "encoder.pkl")
    with pytest.raises(ValueError, match="encoder.pkl holds no weights: expected tensors under their names"):
        import_elmoformanylangs(folder)


@pytest.mark.parametrize(
    "change", [{"token_embedder__name": "lstm"}, {"encoder__name": "lstm"}, {"token_embedder__char_dim": 0}]
)
def test_a_model_that_is_no_elmo_is_refused(change, tmp_path):
    folder = write_model(tmp_path / "xx.model", configuration(**change), {})
    with pytest.raises(ValueError, match="Only 'cnn', with characters, and 'elmo' make an ELMo; .*Take its vectors"):
        import_elmoformanylangs(folder)


def test_vectors_of_another_width_than_the_configuration_says_are_named_with_what_to_write_there(tmp_path):
    config = configuration(token_embedder__word_dim=9)
    weights = random_weights(config)
    folder = write_model(tmp_path / "xx.model", configuration(token_embedder__word_dim=6), weights)
    with pytest.raises(ValueError, match="the words have vectors of 9, but the configuration says 6 .*Write 9 there"):
        import_elmoformanylangs(folder)
    write_model(folder, config, weights)
    embedder = ElmoEmbedder.from_bilm(import_elmoformanylangs(folder).bilm, state="zero")
    close(embedder.embed_sentence(SENTENCES[0]), sentence_vectors(SENTENCES[0], config, weights))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"characters": [1]}, "The option symbol_cnn → 'characters' must be a list of strings"),
        ({"characters": []}, "The table of characters lacks <bos>, <eos>, <oov>, <pad>, <bow>, <eow>"),
        ({"words": ["a"]}, "The table of words lacks <bos>, <eos>, <oov>"),
        ({"word_dim": 0}, "'word_dim' is 0 and there are 7 'words': expected both, or neither"),
        ({"max_symbols_per_token": 2}, "at least 3 positions"),
        ({"filters": [[9, 2]]}, "'max_symbols_per_token' is 8, less than the widest filter, 9"),
    ],
)
def test_options_that_make_no_sense_are_refused(written, changes, message):
    options = import_elmoformanylangs(written[0]).bilm.options.to_dict()
    options["symbol_cnn"].update(changes)
    with pytest.raises(ValueError, match=message):
        BilmOptions.from_dict(options)


def test_options_with_two_ways_to_read_a_word_are_refused(written):
    options = import_elmoformanylangs(written[0]).bilm.options.to_dict()
    options["char_cnn"] = {"embedding": {"dim": 4}, "filters": [[1, 2]]}
    with pytest.raises(ValueError, match="The options have both 'char_cnn' and 'symbol_cnn'"):
        BilmOptions.from_dict(options)


def test_gradients_reach_the_tables(written):
    bilm = import_elmoformanylangs(written[0]).bilm
    bilm.encoder(bilm.boundaries).sum().backward()
    assert bilm.encoder.word_embedding.weight.grad[1:3].abs().sum(dim=1).gt(0).all()
    assert bilm.encoder.embedding.weight.grad[1 + CHARACTERS.index("<bow>")].abs().sum() > 0
