"""The compiled convolutions of training against their definition: values and gradients, any words and filters."""

import pytest
import torch

from elmo_plugin.bilm.characters import words_to_characters
from elmo_plugin.bilm.ops.char_convolutions import char_convolutions
from elmo_plugin.bilm.ops.char_convolutions_compiled import char_convolutions_compiled
from elmo_plugin.bilm.ops.char_convolutions_learning import char_convolutions_learning
from tests.bilm.ops.char_convolutions_compiled_test import filters, random_floats
from tests.bilm.ops.char_convolutions_test import WORDS, characters_of, run, words
from tests.compiled import runs_here

pytestmark = pytest.mark.usefixtures("each_program")

SOME = [(1, 16), (2, 32), (4, 16)]


@runs_here
@filters
@words
@pytest.mark.parametrize("dim, num_threads", [(1, 1), (3, 2), (16, 3), (20, 2)])
def test_values_and_gradients_are_as_near_to_float64_as_the_plain_ones(filters, words, dim, num_threads, threads):
    threads(num_threads)
    characters, inputs = characters_of(words), random_floats(filters, dim)
    found = run(char_convolutions_learning, characters, inputs, torch.float32)
    assert torch.equal(found[0], char_convolutions_compiled(characters, *inputs))
    if not words:
        assert not any(map(torch.any, found))
        return
    exact = run(char_convolutions, characters, inputs)
    usual = run(char_convolutions, characters, inputs, torch.float32)
    for exact_one, usual_one, found_one in zip(exact, usual, found):
        assert found_one.shape == exact_one.shape
        allowed = (usual_one - exact_one).abs().max() + 2e-6 * max(1.0, float(exact_one.abs().max()))
        assert (found_one - exact_one).abs().max() <= allowed


@runs_here
def test_words_of_more_windows_and_more_words_than_are_taken_at_a_time():
    spelled = ["x" * length + chr(97 + length % 26) + "y" * (length % 3) for length in range(110)]
    characters, inputs = torch.from_numpy(words_to_characters(spelled, 120)), random_floats([(1, 16), (5, 32)], dim=4)
    exact = run(char_convolutions, characters, inputs)
    found = run(char_convolutions_learning, characters, inputs, torch.float32)
    for exact_one, found_one in zip(exact, found):
        torch.testing.assert_close(found_one.double(), exact_one, rtol=0, atol=4e-6 * float(exact_one.abs().max()))


@runs_here
def test_any_number_of_threads_gives_the_same_bits(threads):
    characters, inputs = characters_of(WORDS["words"] * 40), random_floats(SOME, dim=16)
    threads(1)
    expected = run(char_convolutions_learning, characters, inputs, torch.float32)
    for num_threads in (2, 3, 7):
        threads(num_threads)
        found = run(char_convolutions_learning, characters, inputs, torch.float32)
        assert all(torch.equal(one, other) for one, other in zip(found, expected))


@runs_here
def test_of_windows_that_are_alike_the_first_gets_the_gradient_of_all():
    # With weights of zero every window holds the maximum; the plain ones share the gradient among them.
    characters, (embedding, weights, biases) = characters_of(["ab"])[:1], random_floats([(2, 16)], dim=8)
    inputs = embedding, [torch.zeros_like(weights[0])], biases
    _, of_embedding, of_weight, of_bias = run(char_convolutions_learning, characters, inputs, torch.float32)
    first = embedding[characters[0, :2]]
    torch.testing.assert_close(of_weight, of_bias[:, None, None] * first.t(), rtol=0, atol=1e-6)
    assert not of_embedding.any()


@runs_here
@pytest.mark.parametrize("needing", ["embedding", "one weight", "one bias"])
def test_only_some_of_the_inputs_may_need_gradients_and_one_can_go_back_twice(needing):
    characters, results = characters_of(WORDS["words"]), []
    for convolutions, dtype in ((char_convolutions, torch.float64), (char_convolutions_learning, torch.float32)):
        embedding, weights, biases = random_floats(SOME)
        embedding, weights, biases = embedding.to(dtype), [x.to(dtype) for x in weights], [x.to(dtype) for x in biases]
        leaf = {"embedding": embedding, "one weight": weights[2], "one bias": biases[1]}[needing].requires_grad_()
        loss = convolutions(characters, embedding, weights, biases).square().sum()
        once, again = (torch.autograd.grad(loss, leaf, retain_graph=True)[0] for _ in range(2))
        assert torch.equal(once, again) and once.any()
        results.append(once.double())
    torch.testing.assert_close(results[1], results[0], rtol=0, atol=4e-6 * float(results[0].abs().max()))


@runs_here
def test_what_is_kept_may_come_back_in_another_layout():
    characters, (embedding, weights, biases) = characters_of(WORDS["words"]), random_floats(SOME, dim=16)
    leaves, results = [tensor.requires_grad_() for tensor in (embedding, *weights)], []
    for keep in (lambda kept: kept, lambda kept: kept.clone(), lambda kept: kept.mT.contiguous().mT):
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda kept: kept):
            features = char_convolutions_learning(characters, embedding, weights, biases)
        results.append(torch.autograd.grad(features.square().sum(), leaves))
    assert all(torch.equal(one, other) for found in results[1:] for one, other in zip(found, results[0]))


@runs_here
def test_the_masked_character_gets_no_gradient():
    characters, inputs = characters_of(WORDS["words"]), random_floats(SOME)
    of_embedding = run(char_convolutions_learning, characters, inputs, torch.float32)[1]
    assert not of_embedding[0].any() and of_embedding[characters.unique()[1:]].abs().sum(dim=1).all()


@runs_here
@pytest.mark.parametrize("place", [0, 3, 5])
def test_what_is_not_a_number_is_passed_on(place):
    characters, inputs = characters_of(["banana", "cotton"]), random_floats([(1, 16), (3, 16)])
    inputs[0][characters[0, place]] = torch.nan
    both = char_convolutions, char_convolutions_learning
    expected, found = (run(convolutions, characters, inputs, torch.float32) for convolutions in both)
    assert torch.equal(found[0].isnan(), expected[0].isnan()) and all(one.isnan().any() for one in found[2:4])


@runs_here
def test_gradients_of_gradients_are_refused():
    characters, (embedding, weights, biases) = characters_of(WORDS["words"]), random_floats(SOME)
    features = char_convolutions_learning(characters, embedding.requires_grad_(), weights, biases)
    (gradient,) = torch.autograd.grad(features.square().sum(), embedding, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()
