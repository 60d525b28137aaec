"""A published biLM with the vectors that its makers computed: AllenNLP's own test model, where it is at hand."""

import json

import numpy
import pytest
import torch

from elmo_plugin.bilm.characters import words_to_characters
from elmo_plugin.bilm.weights import load_bilm
from tests.closeness import assert_close
from tests.oracle_weights import read_weights



@pytest.fixture()
def published(shared_data):
    return shared_data / "elmo" / "allennlp_fixture"


@pytest.fixture()
def bilm(published):
    return load_bilm(published / "options.json", published / "lm_weights.hdf5").eval()


def as_batch(sentences):
    """Shape: (batch_size, num_tokens, max_characters)"""
    words = [words_to_characters(sentence, 50) for sentence in sentences]
    batch = numpy.zeros((len(words), max(map(len, words)), 50), dtype=numpy.int64)
    for row, ids in zip(batch, words):
        row[: len(ids)] = ids
    return torch.tensor(batch)


def published_batches(published):
    """Batches of three sentences and the top layer of each; sentence k of row i is dataset k of lm_embeddings_i."""
    rows = json.loads((published / "sentences.json").read_text())
    vectors = [read_weights(published / f"lm_embeddings_{row}.hdf5") for row in range(len(rows))]
    for number, sentences in enumerate(zip(*rows)):
        # In the file the directions lie behind one another: (2, num_tokens, projection_dim).
        tops = [numpy.concatenate(list(row[str(number)]), axis=1) for row in vectors]
        yield [sentence.split() for sentence in sentences], tops


def test_published_vectors_come_out_of_batches_of_three_with_states_carried(bilm, published):
    state, batches = bilm.zero_state(3), list(published_batches(published))
    assert len(batches) == 10
    for sentences, tops in batches:
        with torch.no_grad():
            representations, state = bilm.represent(as_batch(sentences), state)
        ours = representations.without_boundaries(representations.layers[-1])
        for row, (sentence, top) in enumerate(zip(sentences, tops)):
            assert top.shape == (len(sentence), 32)
            assert_close(ours[row, : len(sentence)], top)
            assert not ours[row, len(sentence) :].any()


def test_published_vectors_do_need_the_carried_states(bilm, published):
    *_, (sentences, tops) = published_batches(published)
    with torch.no_grad():
        representations, _ = bilm.represent(as_batch(sentences), bilm.zero_state(3))
    ours = representations.without_boundaries(representations.layers[-1])
    assert numpy.abs(ours[0, : len(sentences[0])].numpy() - tops[0]).max() > 1e-3


def test_published_word_vectors_come_out_of_the_character_encoder(bilm, published):
    words = (published / "vocab_test.txt").read_text(encoding="utf-8").split("\n")
    expected = read_weights(published / "elmo_token_embeddings.hdf5")["embedding"]
    with torch.no_grad():
        ours = bilm.encoder(torch.from_numpy(words_to_characters(words, 50)))
    assert_close(ours, expected)
