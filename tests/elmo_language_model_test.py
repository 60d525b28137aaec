import shutil

import pytest

from elmo_plugin import ElmoLanguageModel
from elmo_plugin.bilm.sidecar import Sidecar, load_sidecar, save_sidecar
from elmo_plugin.bilm.weights import load_bilm
from tests.archives import FIXTURE, embedding_model_archive, language_model_archive
from tests.conftest import PROJECT_ROOT

TEXT = (PROJECT_ROOT / "fixtures/corpus/heldout.txt").read_text()
SENTENCE = "Samuel Miller found the house in Berlin .".split()


def test_an_export_scores_words_and_texts():
    model = ElmoLanguageModel.from_export(FIXTURE)
    sentences = [line.split() for line in TEXT.splitlines()]
    assert model.perplexity(TEXT + "\n \n") == model.perplexity(sentences)
    scores = model.log_probabilities(SENTENCE)
    assert scores.forward_.shape == scores.backward_.shape == (9,)
    assert scores.forward_.max() <= 0
    assert len(model.substitutes(SENTENCE, 6, count=4)) == 4


@pytest.mark.parametrize("state", ["zero", "stateful"])
def test_an_archive_gives_what_its_export_gives(tmp_path, state):
    archived = ElmoLanguageModel.from_archive(language_model_archive(tmp_path / "archive"), state=state)
    exported = ElmoLanguageModel.from_export(FIXTURE, state=state)
    assert archived.perplexity(TEXT).mean == pytest.approx(exported.perplexity(TEXT).mean, rel=1e-4)


def test_an_archive_has_a_steady_state_too(tmp_path):
    model = ElmoLanguageModel.from_archive(language_model_archive(tmp_path / "archive"))
    assert model.perplexity(TEXT).mean == pytest.approx(
        ElmoLanguageModel.from_export(FIXTURE).perplexity(TEXT).mean, rel=0.2
    )


def test_a_bilm_without_a_softmax_is_refused(tmp_path):
    with pytest.raises(
        ValueError, match="holds a biLM that embeds words but no softmax .* an archive of a language model"
    ):
        ElmoLanguageModel.from_archive(embedding_model_archive(tmp_path / "archive"))
    shutil.copytree(FIXTURE, tmp_path / "export")
    bilm = load_bilm(FIXTURE / "options.json", FIXTURE / "weights.hdf5")
    stored = load_sidecar(FIXTURE / "sidecar.hdf5", bilm.options)
    save_sidecar(tmp_path / "export" / "sidecar.hdf5", Sidecar(None, stored.steady_state))
    with pytest.raises(
        ValueError, match="sidecar.hdf5 holds no softmax, so this biLM can embed words but not predict them"
    ):
        ElmoLanguageModel.from_export(tmp_path / "export")


@pytest.mark.parametrize("others", [["vocabulary.txt"], []])
def test_files_without_a_sidecar_are_said_to_predict_nothing(tmp_path, others):
    for name in ("options.json", "weights.hdf5", *others):
        shutil.copy(FIXTURE / name, tmp_path / name)
    with pytest.raises(
        ValueError, match="sidecar.hdf5 is not there, so this biLM can embed words but not predict them"
    ):
        ElmoLanguageModel.from_export(tmp_path)


def test_a_file_in_place_of_an_exports_folder_is_named():
    with pytest.raises(FileNotFoundError, match="There is no options file .*weights.hdf5/options.json"):
        ElmoLanguageModel.from_export(FIXTURE / "weights.hdf5")


def test_a_string_is_not_taken_for_a_sentence_of_characters():
    model = ElmoLanguageModel.from_export(FIXTURE)
    message = "must be a list of words, but it is the string 'I ate'. Give sentence.split()"
    for score in (model.log_probabilities, lambda s: model.substitutes(s, 0), lambda s: model.perplexity([s])):
        with pytest.raises(ValueError, match=message):
            score("I ate")


def test_a_missing_gpu_is_refused():
    with pytest.raises(ValueError, match="There is no device cuda:99"):
        ElmoLanguageModel.from_export(FIXTURE, cuda_device=99)
