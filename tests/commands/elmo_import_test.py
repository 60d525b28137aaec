import argparse
import json
import re
import shlex
import shutil
import zipfile

import h5py
import numpy
import pytest
import torch
from allennlp.commands.evaluate import evaluate_from_archive
from allennlp.commands.train import train_model_from_file
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Batch, Instance, Token, TokenIndexer, Vocabulary
from allennlp.data.fields import TextField
from allennlp.models import load_archive
from allennlp.modules import TokenEmbedder

from elmo_plugin import ElmoEmbedder, ElmoLanguageModel
from elmo_plugin.bilm.sidecar import load_sidecar
from elmo_plugin.bilm.weights import load_bilm
from elmo_plugin.commands import elmo, elmo_export, elmo_import
from elmo_plugin.models import archive_writing, exported_files
from elmo_plugin.models.archived_bilm import load_archived_bilm
from tests.checkpoint_files import bilm_tf_arrays, write_checkpoint
from tests.conftest import PROJECT_ROOT
from tests.elmoformanylangs_files import configuration, random_weights, sentence_vectors, write_model
from tests.language_models import oracle_perplexities
from tests.oracle_weights import random_weights as random_bilm_weights
from tests.oracle_weights import variant, write_weights

FIXTURE = PROJECT_ROOT / "fixtures" / "bilm"
WORDS = ["<S>", "</S>", "<UNK>", "the", "river", "rose", "."]
SENTENCES = [["the", "river", "rose", "."], ["nobody", "saw", "it"]]
TEXT = "".join(" ".join(sentence) + "\n" for sentence in SENTENCES)


def run(command, name, *arguments):
    """`allennlp NAME` with these arguments."""
    parser = argparse.ArgumentParser()
    command.add_subparser(parser.add_subparsers())
    args = parser.parse_args([name, *map(str, arguments)])
    args.func(args)


def run_import(*arguments):
    run(elmo_import.ElmoImport(), "elmo-import", *arguments)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def metrics_of(archive, text, folder):
    (folder / "text.txt").write_text(text)
    return evaluate_from_archive(str(archive), str(folder / "text.txt"), batch_size=1)


@pytest.fixture
def checkpoint(tmp_path):
    """The prefix of a checkpoint of bilm-tf, with all that its training leaves beside it."""
    options, rng = variant("two layers"), numpy.random.default_rng(0)
    options["char_cnn"]["n_characters"] = 261
    softmax = rng.normal(size=(len(WORDS), 5)), rng.normal(size=len(WORDS))
    prefix = tmp_path / "out" / "model.ckpt-9"
    write_checkpoint(prefix, bilm_tf_arrays(random_bilm_weights(options, rng), softmax), num_shards=2)
    (prefix.parent / "options.json").write_text(json.dumps({**options, "n_tokens_vocab": len(WORDS)}))
    (prefix.parent / "vocab.txt").write_text("\n".join(WORDS))
    return prefix


@pytest.fixture
def bare(tmp_path):
    """A copy of the fixture as released models come: options and weights."""
    folder = tmp_path / "bare"
    folder.mkdir()
    for name in ("options.json", "weights.hdf5"):
        shutil.copy(FIXTURE / name, folder / name)
    return folder


@pytest.fixture
def foreign(tmp_path):
    """A zip with a model of ELMoForManyLangs, its configuration and its weights."""
    config = configuration()
    weights = random_weights(config)
    folder = write_model(tmp_path / "zz.model", config, weights)
    with zipfile.ZipFile(tmp_path / "136.zip", "w") as archive:
        for file in folder.iterdir():
            archive.write(file, file.name)
    return tmp_path / "136.zip", config, weights


def test_a_checkpoint_becomes_a_language_model_whose_perplexity_is_that_of_the_equations(checkpoint, tmp_path, capsys):
    archive = tmp_path / "models" / "mine.tar.gz"
    run_import(checkpoint.parent, archive)
    output = capsys.readouterr().out
    assert "Read the TensorFlow checkpoint" in output and "2 layers, memory 7, projection 5." in output
    assert "Left out: " in output and "slots of the optimizer" in output
    assert "Its softmax over 7 words came along." in output and f"evaluate {archive} TEXT" in output
    metrics = metrics_of(archive, TEXT, tmp_path)
    model = load_archive(str(archive)).model
    forward, backward = oracle_perplexities(model, SENTENCES, tmp_path)
    assert metrics["forward_perplexity"] == pytest.approx(forward, rel=1e-5)
    assert metrics["backward_perplexity"] == pytest.approx(backward, rel=1e-5)
    assert names(archive.parent) == ["mine.tar.gz"]


def test_a_checkpoint_exported_again_is_the_same_bit_by_bit(checkpoint, tmp_path):
    run_import(f"{checkpoint}.index", tmp_path / "direct")
    run_import(checkpoint, tmp_path / "model.tar.gz")
    run(elmo_export.ElmoExport(), "elmo-export", tmp_path / "model.tar.gz", tmp_path / "exported")
    assert names(tmp_path / "direct") == names(tmp_path / "exported")
    folders = tmp_path / "direct", tmp_path / "exported"
    direct, exported = (load_bilm(folder / "options.json", folder / "weights.hdf5") for folder in folders)
    assert direct.options == exported.options
    assert all(torch.equal(value, exported.state_dict()[name]) for name, value in direct.state_dict().items())
    one, other = (load_sidecar(folder / "sidecar.hdf5", direct.options) for folder in folders)
    assert torch.equal(one.softmax.weight, other.softmax.weight) and torch.equal(one.softmax.bias, other.softmax.bias)
    assert one.steady_state is None and other.steady_state is not None


def test_an_export_imported_again_gives_the_same_vectors_and_perplexity_exactly(tmp_path, capsys):
    run_import(FIXTURE, tmp_path / "model.tar.gz")
    assert "Left out: its steady state, which archives of language models have no place for" in capsys.readouterr().out
    run_import(FIXTURE, tmp_path / "again")
    expected = ElmoLanguageModel.from_export(FIXTURE, state="zero").perplexity(TEXT)
    assert ElmoLanguageModel.from_archive(str(tmp_path / "model.tar.gz"), state="zero").perplexity(TEXT) == expected
    assert ElmoLanguageModel.from_export(tmp_path / "again", state="zero").perplexity(TEXT) == expected
    assert names(tmp_path / "again") == ["options.json", "sidecar.hdf5", "vocabulary.txt", "weights.hdf5"]
    vectors = ElmoEmbedder(FIXTURE / "options.json", FIXTURE / "weights.hdf5").embed_batch(SENTENCES)
    files = [tmp_path / "again" / name for name in ("options.json", "weights.hdf5")]
    again = ElmoEmbedder(*files).embed_batch(SENTENCES)
    for one, other in zip(vectors, again):
        numpy.testing.assert_array_equal(one, other)


def test_an_archive_without_a_softmax_says_so_and_is_not_taken_for_one_that_has_one(bare, tmp_path, capsys):
    shutil.copy(FIXTURE / "vocabulary.txt", bare / "vocabulary.txt")
    num_words = len((bare / "vocabulary.txt").read_text().splitlines())
    archive = tmp_path / "model.tar.gz"
    run_import(bare, archive)
    output = capsys.readouterr().out
    assert f"It has no softmax. The archive holds a blank one over {num_words:,} words" in output
    assert "allennlp-elmo evaluate" not in output and "bilm_finetune.jsonnet" in output
    assert metrics_of(archive, TEXT, tmp_path)["perplexity"] == pytest.approx(num_words, rel=1e-5)
    assert load_archived_bilm(str(archive), needs_steady=False).softmax is None
    with pytest.raises(ValueError, match="holds a biLM that embeds words but no softmax to predict them"):
        ElmoLanguageModel.from_archive(str(archive))
    run(elmo_export.ElmoExport(), "elmo-export", archive, tmp_path / "exported")
    assert "It has no softmax: the archive was imported without one and not trained since." in capsys.readouterr().out
    options = load_bilm(FIXTURE / "options.json", FIXTURE / "weights.hdf5").options
    assert load_sidecar(tmp_path / "exported" / "sidecar.hdf5", options).softmax is None


def test_without_a_vocabulary_the_archive_has_the_three_special_words(bare, tmp_path, capsys):
    run_import(bare, tmp_path / "model.tar.gz")
    assert "a blank one over 3 (no vocabulary was found) words" in capsys.readouterr().out
    assert load_archived_bilm(str(tmp_path / "model.tar.gz"), needs_steady=False).vocabulary.words == WORDS[:3]
    run_import(bare, tmp_path / "files")
    assert names(tmp_path / "files") == ["options.json", "weights.hdf5"]
    assert "It has no softmax, so it embeds words but does not predict them." in capsys.readouterr().out


def test_a_softmax_can_be_left_out_and_files_can_be_named(checkpoint, tmp_path, capsys):
    for name in ("options.json", "vocab.txt"):
        (checkpoint.parent / name).rename(tmp_path / name)
    named = ["--options-file", tmp_path / "options.json", "--vocabulary-file", tmp_path / "vocab.txt"]
    run_import(checkpoint, tmp_path / "with", *named)
    assert "softmax over 7 words" in capsys.readouterr().out
    run_import(checkpoint, tmp_path / "without", "--without-softmax", *named[:2])
    assert names(tmp_path / "without") == ["options.json", "weights.hdf5"]
    assert "no place for: lm/softmax/W, lm/softmax/b" in capsys.readouterr().out


def test_a_zip_of_elmoformanylangs_becomes_an_embedder_of_a_configuration(foreign, tmp_path, capsys):
    path, config, weights = foreign
    run_import(path, tmp_path / "files")
    output = capsys.readouterr().out
    assert f"Read the model of ELMoForManyLangs in {path}" in output
    assert "AllenNLP's own Elmo (elmo_token_embedder) can't read these files" in output
    embedder_params, indexer_params = re.findall(r"\{[^{}]*\}", output)[:2]
    embedder = TokenEmbedder.from_params(Params({**json.loads(embedder_params), "state": "zero"})).eval()
    indexer = TokenIndexer.from_params(Params(json.loads(indexer_params)))
    sentence = ["ab", "中国", "xyz"]
    batch = Batch([Instance({"text": TextField([Token(word) for word in sentence], {"elmo": indexer})})])
    batch.index_instances(Vocabulary())
    found = embedder(batch.as_tensor_dict()["text"]["elmo"]["elmo_tokens"])[0]
    expected = sentence_vectors(sentence, config, weights).mean(axis=0)
    numpy.testing.assert_allclose(found.detach(), expected, atol=1e-5 * numpy.abs(expected).max(), rtol=0)


def test_an_archive_of_elmoformanylangs_embeds_text(foreign, tmp_path):
    path, config, weights = foreign
    run_import(path, tmp_path / "model.tar.gz")
    (tmp_path / "text.txt").write_text("ab 中国\ncab\n", encoding="utf-8")
    flags = ["--all", "--archive", tmp_path / "model.tar.gz", "--state", "zero"]
    run(elmo.Elmo(), "elmo", tmp_path / "text.txt", tmp_path / "vectors.hdf5", *flags)
    with h5py.File(tmp_path / "vectors.hdf5") as file:
        for index, sentence in enumerate([["ab", "中国"], ["cab"]]):
            expected = sentence_vectors(sentence, config, weights)
            numpy.testing.assert_allclose(file[str(index)][()], expected, atol=1e-5 * numpy.abs(expected).max(), rtol=0)
    assert metrics_of(tmp_path / "model.tar.gz", TEXT, tmp_path)["perplexity"] == pytest.approx(3, rel=1e-5)


def test_the_command_that_goes_on_training_works_as_it_is_printed(foreign, tmp_path, capsys, monkeypatch):
    archive = tmp_path / "model.tar.gz"
    run_import(foreign[0], archive)
    command = shlex.split(re.search(r"allennlp-elmo (train .*)", capsys.readouterr().out).group(1))
    assert command[:4] == ["train", "training_configs/bilm_finetune.jsonnet", "-s", "DIR"]
    assert json.loads(command[5])["data_loader.max_characters"] == 26
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "train").write_text(TEXT)
    (corpus / "heldout").write_text(TEXT)
    shutil.copy(PROJECT_ROOT / "fixtures" / "corpus" / "vocabulary.txt", corpus)
    changes = {**json.loads(command[5].replace("CORPUS", str(corpus))), "trainer.num_epochs": 2}
    assert [changes[key] for key in ("train_data_path", "validation_data_path", "vocabulary.file")] == [
        str(corpus / name) for name in ("train", "heldout", "vocabulary.txt")
    ]
    monkeypatch.chdir(PROJECT_ROOT)
    train_model_from_file(command[1], str(tmp_path / "tuned"), overrides=json.dumps(changes))
    before = load_archived_bilm(str(archive), needs_steady=False).bilm
    tuned = load_archived_bilm(str(tmp_path / "tuned" / "model.tar.gz"), needs_steady=False)
    assert tuned.bilm.options.char_cnn.symbols == before.options.char_cnn.symbols
    assert not torch.equal(tuned.bilm.forward_lstm.layers[0].bias, before.forward_lstm.layers[0].bias)
    assert tuned.softmax is not None


def test_a_model_of_word_ids_becomes_an_archive_and_an_export_that_say_how_to_use_it(tmp_path, capsys):
    tmp_path = tmp_path / "a folder's name"
    folder = tmp_path / "words"
    folder.mkdir(parents=True)
    write_weights(folder / "weights.hdf5", random_bilm_weights(variant("word ids"), numpy.random.default_rng(0)))
    (folder / "options.json").write_text(json.dumps(variant("word ids")))
    (folder / "vocab.txt").write_text("\n".join([*WORDS, *"abcd"]))
    run_import(folder, tmp_path / "model.tar.gz")
    assert metrics_of(tmp_path / "model.tar.gz", TEXT, tmp_path)["perplexity"] == pytest.approx(11, rel=1e-5)
    commands = [re.search(r"allennlp-elmo (elmo TEXT.*)", capsys.readouterr().out).group(1)]
    run(elmo_export.ElmoExport(), "elmo-export", tmp_path / "model.tar.gz", tmp_path / "exported")
    output = capsys.readouterr().out
    assert "It has no steady state, which is computed for biLMs that read characters only." in output
    assert "This biLM reads word ids, which no indexer makes" in output and "elmo_character_ids" not in output
    assert names(tmp_path / "exported") == ["options.json", "vocabulary.txt", "weights.hdf5"]
    commands.append(re.search(r"allennlp-elmo (elmo TEXT.*)", output).group(1))
    for command in commands:
        given = {"TEXT": tmp_path / "text.txt", "OUTPUT": tmp_path / "v.hdf5"}
        run(elmo.Elmo(), *(given.get(word, word) for word in shlex.split(command)), "--force")
        with h5py.File(tmp_path / "v.hdf5") as file:
            assert file["0"].shape == (3, 4, 10)



def test_an_existing_output_is_left_alone_unless_force_is_used(bare, tmp_path):
    archive, folder = tmp_path / "model.tar.gz", tmp_path / "files"
    archive.write_text("mine")
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    for output in (archive, folder):
        with pytest.raises(ConfigurationError, match=f"{output.name}: already exists. Use --force to overwrite it"):
            run_import(bare, output)
    assert archive.read_text() == "mine" and names(folder) == ["mine.txt"]
    for output in (archive, folder):
        run_import(bare, output, "--force")
    assert load_archived_bilm(str(archive), needs_steady=False).bilm.options.projection_dim == 16
    assert names(folder) == ["options.json", "weights.hdf5"]
    assert names(tmp_path) == ["bare", "files", "model.tar.gz"]


def test_an_output_of_the_wrong_kind_or_over_the_source_is_refused(bare, tmp_path):
    (tmp_path / "folder.tar.gz").mkdir()
    with pytest.raises(ConfigurationError, match="folder.tar.gz: expected an archive to write to, found a folder"):
        run_import(bare, tmp_path / "folder.tar.gz", "--force")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigurationError, match="file: expected a directory to write to, found a file"):
        run_import(bare, tmp_path / "file", "--force")
    for source, output in ((bare, bare), (bare / "weights.hdf5", bare), (bare, tmp_path)):
        with pytest.raises(ConfigurationError, match="is the source or holds it, and would be replaced"):
            run_import(source, output, "--force")
    assert names(bare) == ["options.json", "weights.hdf5"]


@pytest.mark.parametrize("output", ["model.tar.gz", "files"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("no space left on device")])
def test_what_is_interrupted_leaves_nothing(bare, tmp_path, monkeypatch, output, error):
    def interrupt(*_):
        raise error

    monkeypatch.setattr(archive_writing, "archive_model", interrupt)
    monkeypatch.setattr(exported_files, "save_weights", interrupt)
    with pytest.raises(ConfigurationError if isinstance(error, OSError) else error):
        run_import(bare, tmp_path / output)
    assert names(tmp_path) == ["bare"]


def test_what_cant_be_imported_is_an_error_of_configuration_and_leaves_nothing(tmp_path, checkpoint):
    with pytest.raises(ConfigurationError, match="There is nothing at .*none. Expected a folder with options.json"):
        run_import(tmp_path / "none", tmp_path / "model.tar.gz")
    (checkpoint.parent / "model.ckpt-9.data-00001-of-00002").unlink()
    with pytest.raises(ConfigurationError, match="has 2 data files, but these are missing: .*00001-of-00002"):
        run_import(checkpoint, tmp_path / "files")
    (tmp_path / "text.txt").write_text("no model")
    with pytest.raises(ConfigurationError, match="text.txt is nothing that can be imported. Expected"):
        run_import(tmp_path / "text.txt", tmp_path / "files")
    assert names(tmp_path) == ["out", "text.txt"]
