import pytest
import torch

from elmo_plugin.bilm import word_types
from elmo_plugin.bilm.characters import words_to_characters
from elmo_plugin.bilm.word_types import distinct_words

SENTENCES = [["the", "cat", "saw", "the"], ["cat", "THE", "", "cat"]]


def characters(max_characters=50):
    words = torch.tensor([words_to_characters(sentence, max_characters).tolist() for sentence in SENTENCES])
    words[1, 3] = 0
    return words


def check(words):
    types, indices = distinct_words(words)
    assert torch.equal(types[indices], words)
    assert len(torch.unique(types, dim=0)) == len(types)
    assert indices.shape == words.shape[:2]
    return len(types)


@pytest.mark.parametrize("max_characters", [3, 8, 50])
def test_each_distinct_word_is_there_once_and_every_position_points_to_its_own(max_characters):
    # "the" and "THE", "" and the mask; with three characters a word is its first byte.
    assert check(characters(max_characters)) == 6


def test_distinct_ids_are_found_too():
    assert check(torch.tensor([[5, 0, 7], [7, 5, 5]])) == 3


def test_many_random_words_are_told_apart():
    words = torch.randint(0, 3, (40, 50, 6), generator=torch.Generator().manual_seed(0))
    assert check(words) == len(torch.unique(words.flatten(0, 1), dim=0))


@pytest.mark.parametrize("multipliers", [[0] * 50, [1] * 50, [1] + [0] * 49])
def test_words_that_share_a_hash_are_told_apart_all_the_same(multipliers, monkeypatch):
    monkeypatch.setattr(word_types, "_multipliers", lambda max_characters: torch.tensor(multipliers))
    assert check(characters()) == 6


def test_the_hash_is_the_same_at_every_call_and_leaves_torchs_randomness_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first, second = word_types._multipliers(50), word_types._multipliers(50)
    assert torch.equal(first, second) and bool((first % 2 != 0).all())
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("shape", [(0, 3, 50), (3, 0, 50), (0, 0, 50)])
def test_a_batch_without_words_has_no_types(shape):
    types, indices = distinct_words(torch.zeros(shape, dtype=torch.int64))
    assert types.shape == (0, 50) and indices.shape == shape[:2]
