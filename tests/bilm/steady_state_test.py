import numpy
import pytest
import torch

from elmo_plugin.bilm.characters import words_to_characters
from elmo_plugin.bilm.steady_state import RUNNING_TEXT, compute_steady_state
from tests.bilm.small_models import equal, small_bilm

SENTENCES = [sentence[:count] for sentence, count in zip(RUNNING_TEXT, (3, 9, 1, 5, 2, 7, 4))]


def state_after_sentence(bilm, sentence, state):
    words = torch.from_numpy(words_to_characters(sentence, 10)).unsqueeze(0)
    return bilm.represent(words, state)[1]


@pytest.mark.parametrize("num_rows", [1, 3])
def test_it_is_the_mean_of_the_states_after_each_sentence_of_the_later_rounds(num_rows):
    bilm = small_bilm().double().eval()
    found = compute_steady_state(bilm, SENTENCES, num_rows, num_rounds=3)
    states = []
    with torch.no_grad():
        for row in range(num_rows):
            # Every row reads as many sentences, its own ones, three times over.
            own, state = SENTENCES[row::num_rows][: len(SENTENCES) // num_rows], bilm.zero_state(1)
            for number in range(3):
                for sentence in own:
                    state = state_after_sentence(bilm, sentence, state)
                    if number > 0:
                        states.append(state)
    assert found.batch_size == 1
    for direction in range(2):
        for part in range(2):
            mean = torch.stack([state[direction][part] for state in states]).mean(dim=0)
            numpy.testing.assert_allclose(found[direction][part], mean, atol=1e-12)


def test_it_is_the_same_each_time_and_leaves_the_model_as_it_was():
    bilm = small_bilm().train()
    before = {name: value.clone() for name, value in bilm.state_dict().items()}
    assert equal(compute_steady_state(bilm, SENTENCES), compute_steady_state(bilm, SENTENCES))
    assert bilm.training
    assert all(torch.equal(value, before[name]) for name, value in bilm.state_dict().items())
    assert all(parameter.grad is None for parameter in bilm.parameters())


def test_no_gradient_hangs_on_it():
    state = compute_steady_state(small_bilm(), RUNNING_TEXT)
    assert not any(tensor.requires_grad for direction in state for tensor in direction)


@pytest.mark.parametrize("num_sentences", [1, 2, 8])
def test_one_sentence_is_enough(num_sentences):
    state = compute_steady_state(small_bilm(), RUNNING_TEXT[:num_sentences])
    assert all(torch.isfinite(tensor).all() and tensor.any() for direction in state for tensor in direction)
