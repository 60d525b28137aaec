import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.char_cnn import CharCnnEncoder
from elmo_plugin.bilm.characters import words_to_characters
from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.out_of_memory import OutOfMemory
from elmo_plugin.bilm.vocabulary import WordVocabulary
from elmo_plugin.bilm.weights import load_bilm
from elmo_plugin.bilm.word_vectors import WordVectors
from tests.closeness import assert_close
from tests.conftest import PROJECT_ROOT

FIXTURE = PROJECT_ROOT / "fixtures" / "bilm"
WORDS = [f"word{number}" for number in range(40)]


@pytest.fixture()
def bilm():
    return load_bilm(FIXTURE / "options.json", FIXTURE / "weights.hdf5").eval()


def of_encoder(bilm, words):
    with torch.no_grad():
        return bilm.encoder(torch.from_numpy(words_to_characters(words, 50)))


def assert_right(bilm, vectors, words):
    with torch.no_grad():
        assert_close(vectors(words), of_encoder(bilm, words))


def count_encoded(monkeypatch):
    counts, encode = [], CharCnnEncoder.forward
    monkeypatch.setattr(CharCnnEncoder, "forward", lambda self, ids: counts.append(len(ids)) or encode(self, ids))
    return counts


def test_vectors_are_the_encoders_new_and_remembered_mixed(bilm):
    vectors = WordVectors(bilm, 100)
    assert_right(bilm, vectors, WORDS[:10])
    assert_right(bilm, vectors, WORDS[20:4:-1])
    assert_right(bilm, vectors, ["<S>", "</S>", "č" * 60, ""])


def test_a_word_is_computed_once(bilm, monkeypatch):
    counts = count_encoded(monkeypatch)
    vectors = WordVectors(bilm, 100)
    for start in (0, 5, 0):
        vectors(WORDS[start : start + 10])
    assert counts == [10, 5, 0]


def test_no_more_words_are_remembered_than_the_capacity_and_the_oldest_go_first(bilm, monkeypatch):
    vectors = WordVectors(bilm, 4)
    vectors(WORDS[:4])
    vectors(WORDS[:1])
    vectors(WORDS[4:6])
    assert len(vectors) == 4
    counts = count_encoded(monkeypatch)
    vectors([WORDS[0], WORDS[3], WORDS[4], WORDS[5]])
    vectors([WORDS[1]])
    assert counts == [0, 1]
    assert_right(bilm, vectors, WORDS[:6])


@pytest.mark.parametrize("capacity", [0, 1, 7])
def test_more_words_at_once_than_are_remembered_are_right(bilm, capacity):
    vectors = WordVectors(bilm, capacity)
    for _ in range(2):
        assert_right(bilm, vectors, WORDS)
    assert len(vectors) == capacity


def test_an_error_of_the_encoder_is_raised_and_nothing_wrong_is_remembered(bilm, monkeypatch):
    vectors = WordVectors(bilm, 100)
    vectors(WORDS[:3])
    with monkeypatch.context() as patch:
        patch.setattr(CharCnnEncoder, "forward", lambda self, ids: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            vectors(WORDS[:5])
    assert len(vectors) == 3
    assert_right(bilm, vectors, WORDS[:5])


def test_threads_share_it(bilm):
    vectors = WordVectors(bilm, 8)
    parts = [WORDS[start : start + 6] for start in range(30)] * 4
    with ThreadPoolExecutor(8) as pool, torch.no_grad():
        results = list(pool.map(vectors, parts))
    for part, result in zip(parts, results):
        assert_close(result, of_encoder(bilm, part))


def test_forgotten_words_are_computed_with_the_weights_as_they_are(bilm):
    vectors = WordVectors(bilm, 100)
    vectors(WORDS)
    torch.nn.init.ones_(bilm.encoder.projection.bias)
    vectors.forget()
    assert len(vectors) == 0
    assert_right(bilm, vectors, WORDS)


def test_it_can_be_pickled(bilm):
    vectors = WordVectors(bilm, 9)
    vectors(WORDS)
    copy = pickle.loads(pickle.dumps(vectors))
    assert (copy.capacity, len(copy)) == (9, 0)
    assert_right(bilm, copy, WORDS)


def test_a_model_of_word_ids_looks_its_words_up():
    options = BilmOptions.from_dict(
        {"lstm": {"dim": 4, "projection_dim": 3, "n_layers": 1}, "n_tokens_vocab": 5}
    )
    bilm = Bilm(options).eval()
    vocabulary = WordVocabulary(["<S>", "</S>", "<UNK>", "a", "b"])
    vectors = WordVectors(bilm, 10, vocabulary)
    found = vectors(["b", "absent", "<S>"])
    assert torch.equal(found, bilm.encoder.embedding.weight[[5, 3, 1]])
    with pytest.raises(ValueError, match=r"reads word ids .* give the file as `vocabulary_file` \(--vocabulary-file\)"):
        WordVectors(bilm, 10)
    with pytest.raises(ValueError, match="The vocabulary has 4 words, but this biLM has vectors for 5"):
        WordVectors(bilm, 10, WordVocabulary(["<S>", "</S>", "<UNK>", "a"]))


def test_a_model_of_characters_refuses_a_vocabulary(bilm):
    with pytest.raises(ValueError, match="reads characters, so it needs no vocabulary"):
        WordVectors(bilm, 10, WordVocabulary(["<S>", "</S>", "<UNK>"]))


def test_a_negative_capacity_is_refused(bilm):
    with pytest.raises(ValueError, match="must be 0 or more, but it is -1"):
        WordVectors(bilm, -1)


def test_a_capacity_beyond_the_memory_says_what_to_change(bilm):
    message = r"vectors of 1,000,000,000,000 words, 64,000,000,000,000 bytes. Remember fewer"
    with pytest.raises(OutOfMemory, match=message):
        WordVectors(bilm, 10**12)(WORDS)
