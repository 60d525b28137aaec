import pytest
import torch
from allennlp.common.checks import ConfigurationError

from elmo_plugin.bilm.embedding import steady_state_of
from elmo_plugin.bilm.fingerprint import fingerprint
from elmo_plugin.bilm.weights import load_bilm
from elmo_plugin.models.archived_bilm import load_archived_bilm
from tests.archives import FIXTURE, embedding_model_archive, language_model_archive


@pytest.fixture(scope="module")
def bilm():
    return load_bilm(FIXTURE / "options.json", FIXTURE / "weights.hdf5")


def test_a_language_models_archive_holds_its_bilm_vocabulary_and_softmax(tmp_path, bilm):
    path = language_model_archive(tmp_path / "archive")
    found = load_archived_bilm(path)
    assert fingerprint(found.bilm) == fingerprint(bilm)
    assert found.vocabulary.words[:3] == ["<S>", "</S>", "<UNK>"]
    assert found.softmax.num_words == len(found.vocabulary) == 167
    assert found.steady.forward_.hidden.shape == (2, 1, 16)
    assert load_archived_bilm(path, needs_steady=False).steady is None


def test_a_tasks_archive_holds_the_bilm_of_its_embedder_and_its_steady_state(tmp_path, bilm):
    found = load_archived_bilm(embedding_model_archive(tmp_path / "archive"))
    assert fingerprint(found.bilm) == fingerprint(bilm)
    stored = steady_state_of(bilm, FIXTURE / "weights.hdf5")
    assert torch.equal(found.steady.backward_.memory, stored.backward_.memory)
    assert (found.vocabulary, found.softmax) == (None, None)


def test_an_archive_of_two_bilms_is_refused(tmp_path):
    path = embedding_model_archive(tmp_path / "archive", num_embedders=2)
    with pytest.raises(ConfigurationError, match="holds a BasicClassifier with 2 biLMs; expected a language model"):
        load_archived_bilm(path)
