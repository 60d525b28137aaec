"""The softmaxes and the sampler: what sampling does on average, and that slices bound the memory and change nothing."""

import math

import numpy
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from elmo_plugin.bilm.sampler import expected_count, sample_words
from elmo_plugin.bilm.softmax import Softmax

CLOSE = {"rtol": 0, "atol": 1e-12}


def small_problem(num_words=60, num_tokens=7, projection_dim=5, scale=0.5):
    """A softmax whose biases fall like a vocabulary's log frequencies, and vectors with targets, some of them rare."""
    generator = torch.Generator().manual_seed(1)
    softmax = Softmax(num_words, projection_dim).double()
    with torch.no_grad():
        softmax.weight.copy_(torch.randn(num_words, projection_dim, generator=generator) * scale)
        softmax.bias.copy_(-torch.log(torch.arange(1.0, num_words + 1.0))[:, None])
    vectors = torch.randn(num_tokens, projection_dim, generator=generator, dtype=torch.float64, requires_grad=True)
    return softmax, vectors, torch.randint(0, num_words, (num_tokens,), generator=generator)


def all_gradients(softmax, vectors, loss):
    return torch.autograd.grad(loss, [vectors, softmax.weight, softmax.bias])


def test_sampled_ids_are_distinct_words_and_the_tries_no_fewer_than_they():
    generator = torch.Generator().manual_seed(2)
    for num_samples, num_words in [(1, 1), (1, 50), (50, 50), (49, 50), (800, 1000), (8192, 793471)]:
        sampled, num_tries = sample_words(num_samples, num_words, torch.device("cpu"), generator)
        assert sampled.shape == (num_samples,) and sampled.dtype == torch.int64
        assert len(set(sampled.tolist())) == num_samples
        assert 0 <= int(sampled.min()) and int(sampled.max()) < num_words
        assert num_tries >= num_samples


def test_the_same_generator_draws_the_same_words_and_another_other_ones():
    def draw(seed):
        sampled, num_tries = sample_words(20, 500, torch.device("cpu"), torch.Generator().manual_seed(seed))
        return sampled.tolist(), num_tries

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)


def test_words_are_drawn_as_often_as_when_drawn_one_by_one_and_as_expected():
    """Against a loop that draws until it has seen enough, and against the mean of the draws' own expected counts."""
    num_samples, num_words, repeats = 8, 30, 3000
    generator, rng = torch.Generator().manual_seed(3), numpy.random.default_rng(3)
    seen, counts, tries = torch.zeros(num_words), torch.zeros(num_words, dtype=torch.float64), 0
    for _ in range(repeats):
        sampled, num_tries = sample_words(num_samples, num_words, torch.device("cpu"), generator)
        seen[sampled] += 1.0 / repeats
        counts += expected_count(torch.arange(num_words), num_words, num_tries) / repeats
        tries += num_tries / repeats
    one_by_one, loop_tries = numpy.zeros(num_words), 0.0
    probabilities = numpy.diff(numpy.log(numpy.arange(1, num_words + 2))) / math.log(num_words + 1)
    for draws in rng.choice(num_words, size=(repeats, 200), p=probabilities):
        firsts = numpy.sort(numpy.unique(draws, return_index=True)[1])[:num_samples]
        one_by_one[draws[firsts]] += 1.0 / repeats
        loop_tries += (firsts[-1] + 1) / repeats
    # Five standard errors of a difference of two shares, at most 0.5 / sqrt(repeats) each.
    numpy.testing.assert_allclose(seen, one_by_one, atol=5 * 0.5 * math.sqrt(2 / repeats))
    assert tries == pytest.approx(loop_tries, rel=0.02)
    # The formula leaves out that the last draw is always a new word: it is off by some per cent.
    numpy.testing.assert_allclose(seen, counts, atol=0.035)
    assert float(counts.sum()) == pytest.approx(num_samples, rel=0.05)


def test_a_sample_of_every_word_with_certain_counts_gives_the_full_softmax():
    softmax, vectors, targets = small_problem()
    full, zeros = softmax.full_loss(vectors, targets), torch.zeros(60, dtype=torch.float64)
    everything = softmax.loss_among(vectors, targets, torch.randperm(60), zeros[targets], zeros)
    numpy.testing.assert_allclose(everything.detach(), full.detach(), **CLOSE)
    for ours, expected in zip(
        all_gradients(softmax, vectors, everything.sum()), all_gradients(softmax, vectors, full.sum())
    ):
        numpy.testing.assert_allclose(ours, expected, **CLOSE)


def mean_sampled_gradients(softmax, vectors, targets, num_samples, repeats):
    generator, total = torch.Generator().manual_seed(4), None
    for _ in range(repeats):
        loss = softmax.sampled_loss(vectors, targets, num_samples, generator).mean()
        gradients = all_gradients(softmax, vectors, loss)
        total = gradients if total is None else [a + b for a, b in zip(total, gradients)]
    return [gradient / repeats for gradient in total]


def distance(ours, expected):
    return float((ours - expected).norm() / expected.norm())


def test_sampled_gradients_are_the_full_ones_on_average_the_better_the_more_words_are_drawn():
    softmax, vectors, targets = small_problem()
    full = all_gradients(softmax, vectors, softmax.full_loss(vectors, targets).mean())
    few = mean_sampled_gradients(softmax, vectors, targets, 10, 400)
    many = mean_sampled_gradients(softmax, vectors, targets, 40, 400)
    # The target is always among the words, so a bias is left that goes with the number of samples.
    for of_few, of_many, expected in zip(few, many, full):
        assert distance(of_few, expected) < 0.12
        assert distance(of_many, expected) < 0.02


def test_without_the_expected_counts_sampled_gradients_would_be_wrong_on_average():
    softmax, vectors, targets = small_problem()
    full = all_gradients(softmax, vectors, softmax.full_loss(vectors, targets).mean())
    generator, total = torch.Generator().manual_seed(5), torch.zeros_like(vectors)
    for _ in range(300):
        sampled, _ = sample_words(10, 60, torch.device("cpu"), generator)
        zeros = torch.zeros(10, dtype=torch.float64)
        loss = softmax.loss_among(vectors, targets, sampled, zeros[:1].expand(7), zeros).mean()
        total += torch.autograd.grad(loss, vectors)[0] / 300
    assert distance(total, full[0]) > 0.2


def test_a_drawn_word_that_is_the_target_is_left_out_for_that_token_alone():
    softmax, vectors, _ = small_problem()
    targets, zeros = torch.tensor([5, 6, 5, 7, 8, 9, 10]), torch.zeros(60, dtype=torch.float64)
    with_hit = softmax.loss_among(vectors, targets, torch.tensor([5, 20, 30]), zeros[:7], zeros[:3])
    without = softmax.loss_among(vectors, targets, torch.tensor([20, 30]), zeros[:7], zeros[:2])
    is_hit = targets == 5
    numpy.testing.assert_allclose(with_hit[is_hit].detach(), without[is_hit].detach(), **CLOSE)
    assert bool((with_hit[~is_hit] > without[~is_hit] + 1e-6).all())


def test_a_token_whose_only_drawn_word_is_its_target_has_no_loss_and_no_gradient():
    softmax, vectors, _ = small_problem(num_tokens=1)
    zeros = torch.zeros(1, dtype=torch.float64)
    loss = softmax.loss_among(vectors, torch.tensor([5]), torch.tensor([5]), zeros, zeros)
    assert loss.tolist() == [0.0]
    assert not any(gradient.any() for gradient in all_gradients(softmax, vectors, loss.sum()))


def test_a_sampled_step_gives_gradients_to_targets_and_drawn_words_alone():
    softmax, vectors, targets = small_problem()
    sampled, _ = sample_words(10, 60, torch.device("cpu"), torch.Generator().manual_seed(6))
    loss = softmax.sampled_loss(vectors, targets, 10, torch.Generator().manual_seed(6)).sum()
    _, of_weight, of_bias = all_gradients(softmax, vectors, loss)
    touched = sorted({*targets.tolist(), *sampled.tolist()})
    assert of_weight.any(dim=1).nonzero().flatten().tolist() == touched
    assert of_bias[:, 0].nonzero().flatten().tolist() == touched


@pytest.mark.parametrize("max_logits", [1, 10, 7 * 59, 7 * 60, 7 * 61])
def test_the_full_softmax_does_not_depend_on_its_slices(max_logits):
    softmax, vectors, targets = small_problem(scale=8.0)
    whole, slices = softmax.full_loss(vectors, targets), softmax.full_loss(vectors, targets, max_logits)
    numpy.testing.assert_allclose(slices.detach(), whole.detach(), rtol=1e-12)
    slopes = torch.linspace(-1.0, 1.0, 7, dtype=torch.float64)
    for ours, expected in zip(
        all_gradients(softmax, vectors, (slices * slopes).sum()),
        all_gradients(softmax, vectors, (whole * slopes).sum()),
    ):
        numpy.testing.assert_allclose(ours, expected, **CLOSE)


@pytest.mark.parametrize("shift", [-1e4, 1e4])
def test_the_full_softmax_stands_logits_far_from_zero(shift):
    softmax, vectors, targets = small_problem()
    expected = softmax.full_loss(vectors, targets, 20).detach()
    with torch.no_grad():
        softmax.bias += shift
    loss = softmax.full_loss(vectors, targets, 20)
    numpy.testing.assert_allclose(loss.detach(), expected, atol=1e-9)
    assert all(bool(torch.isfinite(gradient).all()) for gradient in all_gradients(softmax, vectors, loss.sum()))


class LargestTensor(TorchDispatchMode):
    """Records how many numbers the largest tensor has that any operation makes."""

    def __init__(self):
        super().__init__()
        self.size = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self.size = max(self.size, result.numel())
        return result


def test_the_full_softmax_never_holds_more_logits_than_it_may_backwards_either():
    softmax, vectors, targets = small_problem(num_words=5000, num_tokens=90, projection_dim=2)
    with LargestTensor() as bounded:
        softmax.full_loss(vectors, targets, 9000).sum().backward()
    # The largest is the gradient of the weight; all logits together would be 450,000.
    assert bounded.size == softmax.weight.numel() == 10000
    with LargestTensor() as whole:
        softmax.full_loss(vectors, targets).sum().backward()
    assert whole.size == 450000


@pytest.mark.parametrize("num_samples", [0, -1, 61])
def test_an_impossible_number_of_samples_is_refused_with_the_remedy(num_samples):
    softmax, vectors, targets = small_problem()
    with pytest.raises(ValueError, match=rf"between 1 and .* 60, but it is {num_samples}\. Take fewer .*full softmax"):
        softmax.sampled_loss(vectors, targets, num_samples)


class NumbersMade(TorchDispatchMode):
    """Counts how many numbers operations make; room that is not filled and changes in place make none."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        makes_none = function is torch.ops.aten.empty.memory_format or function._schema.name.endswith("_")
        if isinstance(result, torch.Tensor) and not makes_none:
            self.count += result.numel()
        return result


def test_drawing_words_costs_no_more_from_a_larger_vocabulary():
    counts = []
    for num_words in (100_000, 10_000_000):
        with NumbersMade() as numbers:
            sample_words(100, num_words, torch.device("cpu"), torch.Generator().manual_seed(8))
        counts.append(numbers.count)
    assert max(counts) < 5_000
