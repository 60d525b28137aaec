"""The convolutions' fast peer against their definition: values and gradients, any words, any filters."""

import pytest
import torch

from elmo_plugin.bilm.characters import words_to_characters
from elmo_plugin.bilm.ops import char_convolutions_blocked as blocked
from elmo_plugin.bilm.ops.char_convolutions import char_convolutions
from elmo_plugin.bilm.ops.char_convolutions_blocked import char_convolutions_blocked

FILTERS = {
    "widths in order": [(1, 3), (2, 5), (4, 7)],
    "widths out of order": [(4, 2), (1, 3), (7, 4), (2, 1)],
    "one width": [(3, 6)],
    "characters alone": [(1, 4)],
    "a width twice": [(2, 3), (2, 4)],
}
WORDS = {
    "words": ["a", "banana", "the", "a", "aaaaaaa", "éé", "<S>", "</S>", "", "."],
    "one word": ["word"],
    "words that fill all positions": ["exactlyten", "morethantencharacters", "nineninen", "aaaaaaaaaaaaaa", "b"],
    "no words": [],
}
MAX_CHARACTERS = 12

filters = pytest.mark.parametrize("filters", FILTERS.values(), ids=FILTERS.keys())
words = pytest.mark.parametrize("words", WORDS.values(), ids=WORDS.keys())
block_sizes = pytest.mark.parametrize("max_windows", [1, 20, 1024])


def characters_of(words):
    """The words, and one of masked characters, as `(num_types, max_characters)`."""
    characters = torch.from_numpy(words_to_characters(words, MAX_CHARACTERS))
    return torch.cat([characters, torch.zeros(min(1, len(words)), MAX_CHARACTERS, dtype=torch.int64)])


def random_inputs(filters, dim=3, seed=0):
    """Embedding, weights and biases, `float64`."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*size):
        return torch.randn(size, dtype=torch.float64, generator=generator)

    return normal(262, dim), [normal(count, dim, width) for width, count in filters], [normal(n) for _, n in filters]


def run(convolutions, characters, inputs, dtype=torch.float64):
    """The features, and the gradients of the embedding, the weights and the biases."""
    embedding, weights, biases = inputs
    leaves = [tensor.to(dtype, copy=True).requires_grad_() for tensor in (embedding, *weights, *biases)]
    features = convolutions(characters, leaves[0], leaves[1 : 1 + len(weights)], leaves[1 + len(weights) :])
    slopes = torch.randn(features.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(9))
    return [features.detach(), *torch.autograd.grad((features * slopes.to(dtype)).sum(), leaves)]


@filters
@words
@block_sizes
def test_the_fast_convolutions_equal_the_plain_ones_forward_and_backward(filters, words, max_windows, monkeypatch):
    monkeypatch.setattr(blocked, "MAX_WINDOWS", max_windows)
    characters, inputs = characters_of(words), random_inputs(filters)
    if not words:
        features, *gradients = run(char_convolutions_blocked, characters, inputs)
        assert features.shape == (0, sum(count for _, count in filters)) and not any(map(torch.any, gradients))
        return
    plain, fast = (run(f, characters, inputs) for f in (char_convolutions, char_convolutions_blocked))
    for plain_one, fast_one in zip(plain, fast):
        torch.testing.assert_close(fast_one, plain_one, rtol=0, atol=1e-13)


@filters
def test_in_float32_they_are_as_near_to_float64_as_the_plain_ones(filters):
    characters, (embedding, weights, biases) = characters_of(WORDS["words"]), random_inputs(filters)
    inputs = embedding.float(), [weight.float() for weight in weights], [bias.float() for bias in biases]
    exact = run(char_convolutions, characters, inputs)
    plain = run(char_convolutions, characters, inputs, torch.float32)
    fast = run(char_convolutions_blocked, characters, inputs, torch.float32)
    for exact_one, plain_one, fast_one in zip(exact, plain, fast):
        allowed = (plain_one - exact_one).abs().max() + 1e-6 * max(1.0, float(exact_one.abs().max()))
        assert (fast_one - exact_one).abs().max() <= allowed


def test_without_gradients_the_values_are_the_same_and_nothing_is_kept(monkeypatch):
    monkeypatch.setattr(blocked, "MAX_WINDOWS", 20)
    characters, (embedding, weights, biases) = characters_of(WORDS["words"]), random_inputs(FILTERS["widths in order"])
    expected = char_convolutions_blocked(characters, embedding.clone().requires_grad_(), weights, biases)
    frozen = char_convolutions_blocked(characters, embedding, weights, biases)
    assert expected.requires_grad and not frozen.requires_grad
    torch.testing.assert_close(frozen, expected.detach(), rtol=0, atol=1e-14)


@pytest.mark.parametrize("needing", ["embedding", "one weight", "one bias"])
def test_only_some_of_the_inputs_may_need_gradients(needing):
    characters, results = characters_of(WORDS["words"]), []
    for convolutions in (char_convolutions, char_convolutions_blocked):
        embedding, weights, biases = random_inputs(FILTERS["widths out of order"])
        leaf = {"embedding": embedding, "one weight": weights[2], "one bias": biases[1]}[needing].requires_grad_()
        features = convolutions(characters, embedding, weights, biases)
        results.append(torch.autograd.grad(features.square().sum(), leaf)[0])
    torch.testing.assert_close(results[1], results[0], rtol=0, atol=1e-11)


def test_one_can_go_back_through_them_twice():
    characters, (embedding, weights, biases) = characters_of(WORDS["words"]), random_inputs(FILTERS["widths in order"])
    embedding.requires_grad_()
    loss = char_convolutions_blocked(characters, embedding, weights, biases).square().sum()
    once, twice = (torch.autograd.grad(loss, embedding, retain_graph=True)[0] for _ in range(2))
    assert once.abs().sum() > 0
    torch.testing.assert_close(twice, once, rtol=0, atol=1e-13)


def test_the_masked_character_gets_no_gradient():
    characters, inputs = characters_of(WORDS["words"]), random_inputs(FILTERS["widths in order"])
    of_embedding = run(char_convolutions_blocked, characters, inputs)[1]
    assert not of_embedding[0].any() and of_embedding[characters.unique()[1:]].abs().sum(dim=1).all()


def test_gradients_agree_with_finite_differences():
    characters = characters_of(["a", "banana", "tee"])
    embedding, weights, biases = random_inputs(FILTERS["one width"])
    # The characters that occur, numbered anew, so that there are few numbers to move.
    ids, characters = torch.unique(characters, return_inverse=True)
    leaves = [tensor.requires_grad_() for tensor in (embedding[ids], *weights, *biases)]
    # Id 0 is that of the mask, whose gradient is not given; here nothing has it.
    assert ids[0] == 0 and int(characters[-1].max()) == 0
    characters = characters[:-1]
    assert torch.autograd.gradcheck(lambda e, w, b: char_convolutions_blocked(characters, e, [w], [b]), leaves)


def test_gradients_of_gradients_are_refused():
    characters, (embedding, weights, biases) = characters_of(WORDS["words"]), random_inputs(FILTERS["one width"])
    features = char_convolutions_blocked(characters, embedding.requires_grad_(), weights, biases)
    (gradient,) = torch.autograd.grad(features.square().sum(), embedding, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_words_of_similar_length_share_a_block_that_is_as_wide_as_the_longest():
    characters = characters_of(["ab", "abcdefgh", "a", "abc"])[:4]
    blocks = blocked._blocks(characters, random_inputs([(2, 2**20 // 16)])[1])
    # 16 windows a block. A word of n characters has n + 2 with its marks, and one position of padding.
    assert [(block.types.tolist(), block.num_positions) for block in blocks] == [([1], 11), ([3, 0], 6), ([2], 4)]
