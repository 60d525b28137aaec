"""The compiled convolutions against their definition: any words and filters, and every word by itself."""

import re

import pytest
import torch

from elmo_plugin.bilm.characters import words_to_characters
from elmo_plugin.bilm.ops import dispatch
from elmo_plugin.bilm.ops.char_convolutions import char_convolutions
from elmo_plugin.bilm.ops.char_convolutions_blocked import char_convolutions_blocked
from elmo_plugin.bilm.ops.char_convolutions_compiled import char_convolutions_compiled, is_for
from elmo_plugin.bilm.ops.char_convolutions_learning import char_convolutions_learning
from elmo_plugin.bilm.ops.compiled_program import why_not
from elmo_plugin.bilm.ops.fixed_rows import char_convolutions_fixed
from tests.bilm.ops.char_convolutions_test import MAX_CHARACTERS, WORDS, characters_of, random_inputs, words
from tests.compiled import forced_if, runs_here

pytestmark = pytest.mark.usefixtures("each_program")

FILTERS = {
    "widths in order": [(1, 16), (2, 32), (4, 16)],
    "widths out of order": [(4, 16), (1, 48), (7, 16), (2, 16)],
    "one width": [(3, 80)],
    "as wide as a word may be": [(MAX_CHARACTERS, 16)],
    "a width twice": [(2, 16), (2, 32)],
}
filters = pytest.mark.parametrize("filters", FILTERS.values(), ids=FILTERS.keys())


def random_floats(filters, dim=3):
    embedding, weights, biases = random_inputs(filters, dim)
    return embedding.float(), [weight.float() for weight in weights], [bias.float() for bias in biases]


def doubled(inputs):
    embedding, weights, biases = inputs
    return embedding.double(), [weight.double() for weight in weights], [bias.double() for bias in biases]


@runs_here
@filters
@words
@pytest.mark.parametrize("dim, num_threads", [(1, 1), (3, 2), (16, 3), (120, 2)])
def test_its_error_is_that_of_the_plain_ones(filters, words, dim, num_threads, threads):
    threads(num_threads)
    characters, inputs = characters_of(words), random_floats(filters, dim)
    found = char_convolutions_compiled(characters, *inputs)
    assert found.shape == (len(characters), sum(count for _, count in filters)) and found.dtype == torch.float32
    if words:
        exact = char_convolutions(characters, *doubled(inputs))
        plain = char_convolutions(characters, *inputs)
        assert (found - exact).abs().max() <= (plain - exact).abs().max() + 1e-6 * exact.abs().max()


@runs_here
def test_words_of_more_windows_and_more_words_than_are_taken_at_a_time():
    spelled = ["x" * length + chr(97 + length % 26) for length in range(110)]
    characters = torch.from_numpy(words_to_characters(spelled, 120))
    inputs = random_floats([(1, 16), (5, 32)], dim=4)
    found = char_convolutions_compiled(characters, *inputs)
    torch.testing.assert_close(found, char_convolutions(characters, *inputs), rtol=0, atol=1e-5)


@runs_here
@pytest.mark.parametrize("num_threads", [1, 2, 3])
def test_a_word_has_the_same_bits_alone_and_on_any_number_of_threads(num_threads, threads):
    characters, inputs = characters_of(WORDS["words"] * 4), random_floats(FILTERS["widths in order"], dim=16)
    threads(1)
    alone = [char_convolutions_compiled(one, *inputs) for one in characters.split(1)]
    threads(num_threads)
    assert torch.equal(char_convolutions_compiled(characters, *inputs), torch.cat(alone))


@runs_here
@pytest.mark.parametrize("place", [0, 3, 5])
def test_what_is_not_a_number_is_never_the_smaller_one(place):
    characters, inputs = characters_of(["banana", "cotton"]), random_floats([(1, 16), (3, 16)])
    inputs[0][characters[0, place]] = torch.nan
    expected, found = (run(characters, *inputs) for run in (char_convolutions, char_convolutions_compiled))
    assert expected.isnan().any() and torch.equal(found.isnan(), expected.isnan())


@runs_here
def test_what_does_not_fit_together_is_refused_before_it_is_read():
    characters, (embedding, weights, biases) = characters_of(["word"]), random_floats([(2, 16), (3, 16)])
    for wrong in (weights[1][:8], weights[1][:, :2], weights[1].repeat(1, 1, 5)):
        expected = f"should have the shape (a multiple of 16, 3, at most 12), but it has {tuple(wrong.shape)}."
        with pytest.raises(ValueError, match=re.escape(expected)):
            char_convolutions_compiled(characters, embedding, [weights[0], wrong], biases)
    with pytest.raises(ValueError, match="`embedding` should be on the CPU, but it is on meta"):
        char_convolutions_compiled(characters, embedding.to("meta"), weights, biases)


def test_it_is_for_float32_on_a_cpu_and_whole_panels():
    embedding, weights, _ = random_floats([(2, 16), (3, 32)])
    assert is_for(embedding, weights) is (why_not() is None)
    assert not is_for(embedding.double(), weights) and not is_for(embedding.to("meta"), weights)
    assert not is_for(embedding, [weights[0], weights[1][:20]])


@runs_here
def test_dispatch_takes_it_for_reading_and_for_fixed_rows_and_another_for_training():
    embedding, weights, biases = random_floats([(2, 16)])
    tensors = [embedding, *weights, *biases]
    learning = [embedding, weights[0].clone().requires_grad_(), *biases]
    for implementation, given, may_compile, expected in [
        (None, tensors, True, char_convolutions_compiled),
        (None, tensors, False, char_convolutions_blocked),
        (None, learning, True, char_convolutions_learning),
        (None, learning, False, char_convolutions_blocked),
        ("fast", learning, True, char_convolutions_blocked),
        ("fast", tensors, True, char_convolutions_blocked),
        ("plain", tensors, True, char_convolutions),
        ("fixed", tensors, True, char_convolutions_compiled),
        ("fixed", tensors, False, char_convolutions_fixed),
    ]:
        with forced_if(implementation):
            assert dispatch._convolutions_of(given, may_compile) is expected
    with torch.no_grad():
        assert dispatch._convolutions_of(learning, True) is char_convolutions_compiled
