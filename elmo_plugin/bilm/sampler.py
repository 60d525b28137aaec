"""Drawing words for the sampled softmax."""

import math
from typing import NamedTuple, Optional, Union

import torch
from torch import Tensor


class SampledWords(NamedTuple):
    """
    ids : distinct word ids, in the order of their first draw. Shape: (num_samples,), `int64`
    num_tries : how many draws with replacement it took to see that many distinct words. On a GPU a tensor there,
        `float64`, of shape ().
    """

    ids: Tensor
    num_tries: Union[int, Tensor]


def log_uniform_probability(word_ids: Tensor, num_words: int) -> Tensor:
    """
    `P(k) = log((k + 2) / (k + 1)) / log(num_words + 1)`, `float64`: Zipf's law for words sorted by descending count.
    """
    return torch.log1p(1.0 / (word_ids.double() + 1.0)) / math.log(num_words + 1.0)


def expected_count(word_ids: Tensor, num_words: int, num_tries: Union[int, Tensor]) -> Tensor:
    """
    How often each word is in such a sample on average: `1 - (1 - P(k)) ** num_tries`, `float64`.
    """
    return -torch.expm1(num_tries * torch.log1p(-log_uniform_probability(word_ids, num_words)))


def sample_words(
    num_samples: int, num_words: int, device: torch.device, generator: Optional[torch.Generator] = None
) -> SampledWords:
    """
    `num_samples` distinct words: draws with replacement from the log-uniform distribution, repeats left out, as
    TensorFlow's `log_uniform_candidate_sampler(unique=True)`. On a CPU, all draws are made at once; elsewhere
    `sample_by_times` gives the same distribution without asking the device how many draws it took.

    # Parameters

    num_samples : at most `num_words`.
    generator : of random numbers, on `device`; torch's own if `None`.

    # Raises

    `ValueError` where there are not that many words.
    """
    if not 0 < num_samples <= num_words:
        raise ValueError(
            f"`num_samples` must be between 1 and the number of words in the vocabulary, {num_words}, but it is "
            f"{num_samples}. Take fewer samples, or the full softmax (num_samples: null)."
        )
    if device.type != "cpu":
        return sample_by_times(num_samples, num_words, device, generator)
    draws = torch.empty(0, dtype=torch.int64, device=device)
    num_draws = 2 * num_samples + 64
    while True:
        uniform = torch.rand(num_draws, dtype=torch.float64, device=device, generator=generator)
        more = (torch.exp(uniform * math.log(num_words + 1.0)).long() - 1).clamp_(0, num_words - 1)
        draws = torch.cat([draws, more])
        first_draws = _first_occurrences(draws, num_words)
        if first_draws.size(0) >= num_samples:
            chosen = first_draws[:num_samples]
            return SampledWords(draws[chosen], int(chosen[-1]) + 1)
        num_draws = 2 * draws.size(0)


def sample_by_times(
    num_samples: int, num_words: int, device: torch.device, generator: Optional[torch.Generator] = None
) -> SampledWords:
    """
    `sample_words` by another way, exactly as likely to give any sample and number of tries: nothing in it has a size
    that depends on what is drawn, so a GPU is never waited for. It looks at every word; drawing looks at drawn ones.

    Let words be drawn at the times of a Poisson process of rate 1. Then word k is first drawn at a time t_k that is
    exponentially distributed with rate P(k), independently of all others, and the sample is the `num_samples` words of
    the smallest times, of which T is the largest. Until T, word k is drawn another Poisson(P(k) (T - t_k)) times.
    """
    probability = log_uniform_probability(torch.arange(num_words, device=device), num_words)
    times = torch.empty_like(probability).exponential_(generator=generator) / probability
    first, ids = torch.topk(times, num_samples, largest=False, sorted=True)
    num_repeats = torch.poisson((probability[ids] * (first[-1] - first)).sum(), generator=generator)
    return SampledWords(ids, num_samples + num_repeats)


def _first_occurrences(draws: Tensor, num_words: int) -> Tensor:
    """Positions at which a value stands for the first time, ascending. Shape: (number of distinct values,)"""
    positions = torch.arange(draws.size(0), device=draws.device)
    # Only the places of drawn words are ever written or read: the work does not grow with the vocabulary.
    first = torch.empty(num_words, dtype=torch.int64, device=draws.device)
    first[draws] = draws.size(0)
    first.scatter_reduce_(0, draws, positions, reduce="amin")
    return positions[first[draws] == positions]
