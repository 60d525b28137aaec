"""The sampler that never waits for a GPU: exactly the distribution of draws one by one."""

import math
from collections import Counter

import pytest
import torch

from elmo_plugin.bilm.sampler import log_uniform_probability, sample_by_times, sample_words
from elmo_plugin.bilm.softmax import Softmax

CPU = torch.device("cpu")


def test_pairs_of_words_and_their_tries_are_as_likely_as_when_drawn_one_by_one():
    """Word a, a again until the last of m tries, which is b: a chance of P(a) ** (m - 1) P(b)."""
    num_words, repeats, generator = 4, 2000, torch.Generator().manual_seed(1)
    probability = log_uniform_probability(torch.arange(num_words), num_words).tolist()
    assert math.fsum(probability) == pytest.approx(1.0)
    seen = Counter()
    for _ in range(repeats):
        sampled, num_tries = sample_by_times(2, num_words, CPU, generator)
        seen[(*sampled.tolist(), int(num_tries))] += 1
    assert all(tries >= 2 and first != second for first, second, tries in seen)
    for first in range(num_words):
        for second in set(range(num_words)) - {first}:
            for tries in range(2, 7):
                chance = probability[first] ** (tries - 1) * probability[second]
                # Five standard errors.
                allowed = 5 * math.sqrt(chance * (1 - chance) / repeats) + 1 / repeats
                assert seen[(first, second, tries)] / repeats == pytest.approx(chance, abs=allowed)


def test_of_a_large_vocabulary_it_takes_as_many_tries_as_drawing():
    num_samples, num_words, tries = 500, 20_000, []
    for sampler in (sample_words, sample_by_times):
        generator = torch.Generator().manual_seed(2)
        found = [sampler(num_samples, num_words, CPU, generator) for _ in range(60)]
        assert all(len(set(sampled.tolist())) == num_samples for sampled, _ in found)
        tries.append(torch.tensor([float(num_tries) for _, num_tries in found]))
    error = math.sqrt(tries[0].var() / 60 + tries[1].var() / 60)
    assert abs(float(tries[0].mean() - tries[1].mean())) < 5 * error
    assert float(tries[1].std()) == pytest.approx(float(tries[0].std()), rel=0.5)


@pytest.mark.parametrize("num_samples, num_words", [(1, 1), (1, 50), (50, 50), (49, 50)])
def test_up_to_all_words_may_be_sampled(num_samples, num_words):
    sampled, num_tries = sample_by_times(num_samples, num_words, CPU, torch.Generator().manual_seed(3))
    assert sampled.dtype == torch.int64 and len(set(sampled.tolist())) == num_samples
    assert int(num_tries) >= num_samples and float(num_tries).is_integer()


def test_the_same_generator_gives_the_same_sample_and_another_another_one():
    drawn = [sample_by_times(20, 500, CPU, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(drawn[0].ids, drawn[1].ids) and drawn[0].num_tries == drawn[1].num_tries
    assert not torch.equal(drawn[0].ids, drawn[2].ids)


def test_away_from_the_cpu_no_size_depends_on_what_is_drawn():
    """On the meta device there are no numbers: to ask for one is an error, as it is a wait on a GPU."""
    softmax = Softmax(1000, 4).to("meta")
    vectors, targets = torch.empty(6, 4, device="meta"), torch.zeros(6, dtype=torch.int64, device="meta")
    losses = softmax.sampled_loss(vectors, targets, 100)
    assert losses.shape == (6,) and losses.device.type == "meta"
    sampled, num_tries = sample_words(100, 1000, torch.device("meta"))
    assert sampled.shape == (100,) and num_tries.shape == ()
