import argparse
import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from allennlp.commands.train import train_model_from_file
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.models import load_archive
from allennlp.modules import TokenEmbedder
from allennlp.modules.elmo import Elmo

from elmo_plugin.bilm.characters import words_to_characters
from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.sidecar import load_sidecar
from elmo_plugin.bilm.steady_state import RUNNING_TEXT, compute_steady_state
from elmo_plugin.bilm.weights import load_bilm
from elmo_plugin.commands import elmo_export, elmo_prepare
from elmo_plugin.data.dataset_readers.sentences import ElmoSentencesReader
from elmo_plugin.models import exported_files
from elmo_plugin.models.archived_bilm import NUM_SENTENCES
from tests.bilm.small_models import equal
from tests.closeness import assert_close
from tests.language_models import read_sentences, train

FILES = ["options.json", "sidecar.hdf5", "vocabulary.txt", "weights.hdf5"]
HELDOUT = "fixtures/corpus/heldout.txt"


@pytest.fixture(scope="module")
def place(project_root, tmp_path_factory):
    """A folder with the fixtures and the archive of a language model that was trained on them from there."""
    folder = tmp_path_factory.mktemp("export")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("fixtures", "training_configs"):
            shutil.copytree(project_root / name, folder / name)
        train(folder / "out", dataset_reader__max_instances=100)
    return folder


@pytest.fixture(autouse=True)
def in_its_place(place, monkeypatch):
    monkeypatch.chdir(place)


@pytest.fixture
def model(place):
    return load_archive(str(place / "out" / "model.tar.gz")).model.eval()


def export(*arguments):
    """`allennlp elmo-export` with these arguments."""
    parser = argparse.ArgumentParser()
    elmo_export.ElmoExport().add_subparser(parser.add_subparsers())
    args = parser.parse_args(["elmo-export", *map(str, arguments)])
    args.func(args)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("archive", ["out/model.tar.gz", "out"])
def test_it_writes_options_weights_vocabulary_and_sidecar(archive, model, tmp_path, project_root):
    export(archive, tmp_path / "deep" / "bilm")
    folder = tmp_path / "deep" / "bilm"
    assert names(folder) == FILES
    assert BilmOptions.from_file(folder / "options.json") == model.options
    bilm, expected = load_bilm(folder / "options.json", folder / "weights.hdf5"), model.language_model.bilm
    assert all(torch.equal(value, expected.state_dict()[name]) for name, value in bilm.state_dict().items())
    vocabulary = (folder / "vocabulary.txt").read_bytes()
    assert vocabulary == (project_root / "fixtures" / "corpus" / "vocabulary.txt").read_bytes()
    softmax = load_sidecar(folder / "sidecar.hdf5", bilm.options).softmax
    assert torch.equal(softmax.weight, model.language_model.softmax.weight)
    assert torch.equal(softmax.bias, model.language_model.softmax.bias)


def test_allennlps_own_elmo_makes_the_same_vectors_of_the_files(model, tmp_path, project_root):
    export("out", tmp_path / "bilm")
    files = [str(tmp_path / "bilm" / name) for name in ("options.json", "weights.hdf5")]
    theirs = Elmo(*files, 1, dropout=0.0).eval()
    sentences = read_sentences(project_root / HELDOUT)[:9]
    characters = torch.zeros(9, max(map(len, sentences)), 50, dtype=torch.int64)
    for row, sentence in zip(characters, sentences):
        row[: len(sentence)] = torch.from_numpy(words_to_characters(sentence, 50))
    bilm = model.language_model.bilm
    with torch.no_grad():
        expected = theirs(characters)["elmo_representations"][0]
        ours, _ = bilm.represent(characters, bilm.zero_state(9))
    present = (characters != 0).any(dim=2, keepdim=True)
    mixed = ours.without_boundaries(sum(ours.layers) / 3)
    assert_close(mixed, expected * present)


def test_it_ends_with_a_piece_of_configuration_that_works(tmp_path, capsys):
    export("out", tmp_path / "bilm")
    output = capsys.readouterr().out
    assert f"The steady state was computed from {HELDOUT}." in output
    params = json.loads(re.search(r"\{\n.*?\n\}", output, re.DOTALL).group())
    embedder = TokenEmbedder.from_params(Params(params))
    assert embedder.get_output_dim() == 32
    sidecar = load_sidecar(tmp_path / "bilm" / "sidecar.hdf5", embedder.bilm.options)
    assert torch.equal(embedder.steady_backward_memory, sidecar.steady_state.backward_.memory)


def exported_state(folder):
    return load_sidecar(folder / "sidecar.hdf5", BilmOptions.from_file(folder / "options.json")).steady_state


def test_the_steady_state_is_that_of_the_held_out_text_or_of_the_text_that_is_named(model, tmp_path, capsys, place):
    bilm, sentences = model.language_model.bilm, read_sentences(place / HELDOUT)
    export("out", tmp_path / "a")
    assert equal(exported_state(tmp_path / "a"), compute_steady_state(bilm, sentences))
    (tmp_path / "text.txt").write_text("\n".join(map(" ".join, sentences[:20])))
    export("out", tmp_path / "b", "--text", tmp_path / "text.txt")
    assert equal(exported_state(tmp_path / "b"), compute_steady_state(bilm, sentences[:20]))
    assert f"The steady state was computed from {tmp_path / 'text.txt'}." in capsys.readouterr().out


def prepare(folder, *arguments):
    parser = argparse.ArgumentParser()
    elmo_prepare.ElmoPrepare().add_subparser(parser.add_subparsers())
    presplit = ("--segmenter", "whitespace", "--presplit", "--processes", "1")
    args = parser.parse_args(["elmo-prepare", HELDOUT, str(folder), *presplit, *arguments])
    args.func(args)
    return [line.split() for line in (folder / "heldout" / "00000.txt").read_text().splitlines()]


def test_the_steady_state_is_that_of_a_prepared_corpus(tmp_path, capsys):
    sentences = prepare(tmp_path / "corpus", "--held-out", "0.2")
    trained = train(
        tmp_path / "out",
        train_data_path=str(tmp_path / "corpus" / "train"),
        validation_data_path=str(tmp_path / "corpus" / "heldout"),
        vocabulary__file=str(tmp_path / "corpus" / "vocabulary.txt"),
    )
    export(tmp_path / "out", tmp_path / "bilm")
    assert f"The steady state was computed from {tmp_path / 'corpus' / 'heldout'}." in capsys.readouterr().out
    bilm = load_archive(str(trained)).model.language_model.bilm.eval()
    expected = compute_steady_state(bilm, sentences[:NUM_SENTENCES])
    assert equal(exported_state(tmp_path / "bilm"), expected)


def test_the_steady_state_is_that_of_the_column_of_words_that_was_read(tmp_path):
    trained = train(
        tmp_path / "out",
        train_data_path="fixtures/tagged/train.conll",
        validation_data_path="fixtures/tagged/dev.conll",
        dataset_reader__word_column=0,
    )
    export(tmp_path / "out", tmp_path / "bilm")
    sentences = list(ElmoSentencesReader(word_column=0).sentences("fixtures/tagged/dev.conll"))
    bilm = load_archive(str(trained)).model.language_model.bilm.eval()
    expected = compute_steady_state(bilm, sentences[:NUM_SENTENCES])
    assert equal(exported_state(tmp_path / "bilm"), expected)


def test_a_file_that_is_no_archive_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ConfigurationError, match=f"{HELDOUT}: expected the archive of a training, such as model"):
        export(HELDOUT, tmp_path / "bilm")
    assert names(tmp_path) == []


def test_an_archive_that_is_cut_short_is_an_error_that_names_it(tmp_path):
    whole = Path("out/model.tar.gz").read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ConfigurationError, match="cut.tar.gz: .*it is cut short or damaged"):
        export(tmp_path / "cut.tar.gz", tmp_path / "bilm")
    assert names(tmp_path) == ["cut.tar.gz"]


def test_it_works_where_the_text_of_the_training_is_gone(model, tmp_path, monkeypatch, capsys, place):
    monkeypatch.chdir(tmp_path)
    export(place / "out" / "model.tar.gz", "bilm")
    assert names(tmp_path / "bilm") == FILES
    assert "from a few sentences of English (the text it was trained with is not here; name some with --text)" in (
        capsys.readouterr().out
    )
    assert equal(exported_state(tmp_path / "bilm"), compute_steady_state(model.language_model.bilm, RUNNING_TEXT))


def test_a_text_that_is_not_there_is_an_error_and_leaves_nothing(tmp_path):
    with pytest.raises(ConfigurationError, match="There is no file none.txt"):
        export("out", tmp_path / "bilm", "--text", "none.txt")
    assert names(tmp_path) == []


def test_an_existing_directory_is_left_alone_unless_force_is_used(tmp_path):
    (tmp_path / "bilm").mkdir()
    (tmp_path / "bilm" / "mine.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="bilm: already exists. Use --force to overwrite it"):
        export("out", tmp_path / "bilm")
    assert names(tmp_path / "bilm") == ["mine.txt"]
    export("out", tmp_path / "bilm", "--force")
    assert names(tmp_path / "bilm") == FILES
    assert names(tmp_path) == ["bilm"]


def test_a_file_in_the_place_of_the_directory_is_an_error(tmp_path):
    (tmp_path / "bilm").write_text("mine")
    with pytest.raises(ConfigurationError, match="bilm: expected a directory to write to, found a file"):
        export("out", tmp_path / "bilm", "--force")


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("no space left on device")])
@pytest.mark.parametrize("existing", [False, True])
def test_what_is_interrupted_leaves_all_as_it_was(tmp_path, monkeypatch, error, existing):
    def interrupt(*_):
        raise error

    if existing:
        (tmp_path / "bilm").mkdir()
        (tmp_path / "bilm" / "mine.txt").write_text("mine")
    monkeypatch.setattr(exported_files, "save_sidecar", interrupt)
    with pytest.raises(ConfigurationError if isinstance(error, OSError) else error):
        export("out", tmp_path / "bilm", "--force")
    assert names(tmp_path) == (["bilm"] if existing else [])
    assert not existing or names(tmp_path / "bilm") == ["mine.txt"]


def test_the_archive_of_another_model_is_refused(tmp_path, place):
    tagger = {"trainer.num_epochs": 1, "model.encoder.hidden_size": 4, "dataset_reader.max_instances": 4}
    config = str(place / "training_configs" / "ner_baseline.jsonnet")
    train_model_from_file(config, str(tmp_path / "tagger"), overrides=json.dumps(tagger))
    with pytest.raises(ConfigurationError, match="tagger holds a ElmoTagger; expected a language model, as .*bilm"):
        export(tmp_path / "tagger", tmp_path / "bilm")
    assert names(tmp_path) == ["tagger"]


def test_a_missing_archive_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match="none.tar.gz can't be opened .*Give the archive that a training ends"):
        export(tmp_path / "none.tar.gz", tmp_path / "bilm")
    (tmp_path / "begun").mkdir()
    with pytest.raises(ConfigurationError, match="begun can't be opened .*config.json.*or the folder of that training"):
        export(tmp_path / "begun", tmp_path / "bilm")
    assert names(tmp_path) == ["begun"]


def test_the_settings_of_the_archive_are_not_told(tmp_path, caplog):
    caplog.set_level("INFO")
    export("out", tmp_path / "bilm")
    assert not [record for record in caplog.records if record.name.startswith("allennlp")]
