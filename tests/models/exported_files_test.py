"""What people are told about the files of a biLM."""

import json

import h5py
import numpy
import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.modules.elmo import Elmo

from elmo_plugin.bilm.importing.elmoformanylangs import import_elmoformanylangs
from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.sidecar import Sidecar
from elmo_plugin.bilm.weights import load_bilm
from elmo_plugin.models.exported_files import obstacles_for_allennlp, usage, write_files
from tests.elmoformanylangs_files import configuration, random_weights, write_model
from tests.oracle_models import model_of, random_model
from tests.oracle_weights import VARIANTS, variant


def allennlp_reads(folder):
    """Whether AllenNLP's own Elmo reads the files and takes words of the model's width."""
    try:
        elmo = Elmo(str(folder / "options.json"), str(folder / "weights.hdf5"), 1, dropout=0.0).eval()
        with torch.no_grad():
            elmo(torch.full((1, 2, 50), 7))
    except (KeyError, ConfigurationError, RuntimeError):
        return False
    return True


@pytest.mark.parametrize("name", [*VARIANTS, "50 characters"])
def test_the_obstacles_named_are_those_that_allennlp_stumbles_over(name, tmp_path):
    """Of models with words of 50 characters: other widths AllenNLP reads, but gives `<S>` its own 50."""
    options = variant("two layers" if name == "50 characters" else name)
    if "char_cnn" in options:
        options["char_cnn"].update(max_characters_per_token=50, n_highway=options["char_cnn"].get("n_highway", 0))
    bilm = model_of(options, tmp_path, torch.float32).bilm
    write_files(tmp_path / "files", bilm, None, Sidecar(None, None))
    assert allennlp_reads(tmp_path / "files") == (obstacles_for_allennlp(bilm.options) == [])


def test_each_obstacle_has_its_sentence():
    def obstacles(name, **lstm):
        options = variant(name)
        options["lstm"].update(lstm)
        return obstacles_for_allennlp(BilmOptions.from_dict(options))

    assert obstacles("word ids") == ["the model reads word ids"]
    assert obstacles("two layers") == ["a word has 12 characters, there always 50"]
    assert obstacles("no projection", use_skip_connections=False)[1:] == [
        "the layers have no skip connections (use_skip_connections)",
        "the filters add up to projection_dim, so that there is no CNN_proj",
    ]


def test_a_width_of_words_other_than_50_is_in_the_indexer_and_the_warning(tmp_path):
    options = BilmOptions.from_dict(variant("two layers"))
    text = usage(tmp_path, options)
    assert 'the indexer {"type": "elmo_character_ids", "max_characters": 12}' in text
    assert "AllenNLP's own Elmo (elmo_token_embedder) can't read these files: a word has 12 characters" in text
    fifty = variant("two layers")
    fifty["char_cnn"]["max_characters_per_token"] = 50
    text = usage(tmp_path, BilmOptions.from_dict(fifty))
    assert 'the indexer {"type": "elmo_character_ids"};' in text and "can't read" not in text


def test_a_model_that_bilm_tf_reads_otherwise_says_so(tmp_path):
    options = variant("two layers")
    assert "bilm-tf" not in usage(tmp_path, BilmOptions.from_dict(options))
    options["lstm"]["dim"] = options["lstm"]["projection_dim"]
    assert "passes over those of these files (W_P_0)" in usage(tmp_path, BilmOptions.from_dict(options))


def test_a_model_of_word_ids_is_no_embedder_of_a_configuration(tmp_path):
    text = usage(tmp_path, BilmOptions.from_dict(variant("word ids")))
    assert "elmo_character_ids" not in text and "which no indexer makes" in text
    assert f"--vocabulary-file {tmp_path / 'vocabulary.txt'}" in text


def test_a_model_of_symbols_says_that_allennlp_cant_read_it(tmp_path):
    config = configuration()
    bilm = import_elmoformanylangs(write_model(tmp_path / "m", config, random_weights(config))).bilm
    text = usage(tmp_path, bilm.options)
    assert '"max_characters": 26' in text and "the model reads characters from a table of its own" in text
    write_files(tmp_path / "files", bilm, None, Sidecar(None, None))
    assert not allennlp_reads(tmp_path / "files")


def test_what_is_not_there_is_not_written(tmp_path):
    bilm = random_model("two layers", tmp_path, torch.float32).bilm
    write_files(tmp_path / "files", bilm, None, Sidecar(None, None))
    assert sorted(path.name for path in (tmp_path / "files").iterdir()) == ["options.json", "weights.hdf5"]
    again = load_bilm(tmp_path / "files" / "options.json", tmp_path / "files" / "weights.hdf5")
    assert all(torch.equal(value, bilm.state_dict()[name]) for name, value in again.state_dict().items())
    assert json.loads((tmp_path / "files" / "options.json").read_text())["char_cnn"]["n_characters"] == 262
    with h5py.File(tmp_path / "files" / "weights.hdf5") as file:
        assert file["char_embed"].dtype == numpy.float32
