import pytest
import torch

from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.characters import words_to_characters
from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.sampler import log_uniform_probability
from elmo_plugin.bilm.softmax import Softmax
from elmo_plugin.bilm.softmax_from_words import KnownSoftmax, softmax_for_words
from elmo_plugin.bilm.vocabulary import WordVocabulary

SPECIAL = ["<S>", "</S>", "<UNK>"]
LSTM = {"dim": 8, "projection_dim": 6, "n_layers": 1, "cell_clip": 3, "proj_clip": 3, "use_skip_connections": True}


@pytest.fixture
def bilm():
    torch.manual_seed(3)
    char_cnn = {"embedding": {"dim": 4}, "filters": [[1, 4], [2, 8]], "max_characters_per_token": 12, "n_highway": 1}
    return Bilm(BilmOptions.from_dict({"char_cnn": char_cnn, "lstm": LSTM}))


def vectors_of(bilm, words):
    with torch.no_grad():
        return bilm.encoder(torch.as_tensor(words_to_characters(words, 12)))


def linear_softmax(bilm, vocabulary, matrix, slope):
    """Rows that are a linear map of the words' vectors, biases one of their log probabilities."""
    softmax = Softmax(len(vocabulary), 6)
    log_probability = log_uniform_probability(torch.arange(len(vocabulary)), len(vocabulary)).log().float()
    softmax.weight.data = vectors_of(bilm, vocabulary.words) @ matrix
    softmax.bias.data = slope * log_probability.unsqueeze(1)
    return softmax


def test_rows_of_new_words_follow_the_relation_of_vectors_and_rows_among_the_known(bilm):
    words = [f"word{number}" for number in range(200)]
    old, new = (WordVocabulary(SPECIAL + part) for part in (words[:150], words[50:]))
    matrix = torch.randn(6, 6)
    known = linear_softmax(bilm, old, matrix, 0.5)
    made = softmax_for_words(bilm, new, KnownSoftmax(old, known))
    expected = vectors_of(bilm, new.words) @ matrix
    assert torch.equal(made.weight[3:103], known.weight[53:])
    unknown = made.weight[103:]
    assert torch.allclose(unknown, expected[103:], atol=0.05 * float(expected.std()))


def test_without_known_words_rows_are_as_long_as_new_ones_and_biases_are_zipfs(bilm):
    vocabulary = WordVocabulary(SPECIAL + [f"w{number}" for number in range(500)])
    made = softmax_for_words(bilm, vocabulary)
    made.requires_grad_(False)
    lengths = made.weight.norm(dim=1)
    assert 0.5 < float(lengths.mean()) < 1.5
    assert torch.allclose(made.weight.mean(dim=0), torch.zeros(6), atol=1e-5)
    assert float(made.bias.exp().sum()) == pytest.approx(1.0, abs=1e-5)
    assert bool((made.bias[1:] < made.bias[:-1]).all())


def test_a_model_of_word_ids_keeps_what_it_knows_and_makes_nothing_up():
    bilm = Bilm(BilmOptions.from_dict({"lstm": LSTM, "n_tokens_vocab": 5}))
    vocabulary = WordVocabulary([*SPECIAL, "a", "b"])
    softmax = Softmax(5, 6)
    same = softmax_for_words(bilm, vocabulary, KnownSoftmax(vocabulary, softmax))
    assert torch.equal(same.weight, softmax.weight) and torch.equal(same.bias, softmax.bias)
    with pytest.raises(ValueError, match="word ids has no vectors for new words"):
        softmax_for_words(bilm, vocabulary)
