"""
Sentences that cost as much as English ones: as long, their words as long and as often repeated.

What a biLM costs depends on how many words a batch has, how many of them are distinct, how long words are and how
uneven sentences, and on nothing that words mean. The constants were fitted to WikiText-2's training text (2.0M tokens,
33,230 types, cut at `.`, `!` and `?`).
"""

from typing import List

import numpy

# Lengths of sentences: gamma-distributed with this mean and standard deviation, at most _LONGEST.
_MEAN_LENGTH, _DEVIATION, _LONGEST = 25.9, 13.2, 214
# Ranks of words: P(r) proportional to (r + 1) ** -_EXPONENT (Mandelbrot's form of Zipf's law).
_EXPONENT = 1.06
# Running text comes back to its words: a token repeats one of the last _MEMORY tokens with this probability.
_REPEATED, _MEMORY = 0.42, 600
# Mean number of letters by rank: word _RANKS[i] has about _LETTERS[i], and what lies between is interpolated by log
# rank; the deviation is this share of the mean.
_RANKS, _LETTERS, _LETTERS_SPREAD = (1, 30, 300, 3000, 20000), (1.8, 3.0, 5.4, 6.7, 7.3), 0.36
NUM_TYPES = 33_000


def generate_sentences(num_sentences: int, seed: int = 13, num_types: int = NUM_TYPES) -> List[List[str]]:
    """
    # Parameters

    num_sentences : how many.
    seed : of the random numbers.
    num_types : distinct words that there are; a text shows some of them.
    """
    random = numpy.random.default_rng(seed)
    words = generate_words(num_types, seed)
    shape = (_MEAN_LENGTH / _DEVIATION) ** 2
    lengths = random.gamma(shape, _MEAN_LENGTH / shape, num_sentences).round().astype(int).clip(1, _LONGEST)
    ids = _with_repetition(_ranks(int(lengths.sum()), num_types, random), random)
    ends = numpy.cumsum(lengths)
    return [[words[i] for i in ids[end - length : end]] for length, end in zip(lengths, ends)]


def generate_words(num_types: int, seed: int = 13) -> List[str]:
    """Distinct words of lower-case letters, by descending frequency."""
    random = numpy.random.default_rng(seed)
    means = numpy.interp(numpy.log(numpy.arange(1, num_types + 1)), numpy.log(_RANKS), _LETTERS)
    num_letters = random.normal(means, _LETTERS_SPREAD * means).round().astype(int).clip(1, 31)
    letters = random.integers(ord("a"), ord("z") + 1, size=(num_types, 32), dtype=numpy.uint8)
    words: List[str] = []
    seen = set()
    for row, count in zip(letters, num_letters):
        word = row[:count].tobytes().decode("ascii")
        while word in seen:  # Short words run out; the next is one letter longer.
            word += chr(int(random.integers(ord("a"), ord("z") + 1)))
        seen.add(word)
        words.append(word)
    return words


def _ranks(num_tokens: int, num_types: int, random: numpy.random.Generator) -> numpy.ndarray:
    weights = (numpy.arange(num_types) + 2.0) ** -_EXPONENT
    return numpy.searchsorted(numpy.cumsum(weights / weights.sum()), random.random(num_tokens)).clip(0, num_types - 1)


def _with_repetition(ids: numpy.ndarray, random: numpy.random.Generator) -> numpy.ndarray:
    ids = ids.copy()
    back = random.integers(1, _MEMORY + 1, len(ids))
    for i in numpy.flatnonzero(random.random(len(ids)) < _REPEATED):
        if back[i] <= i:
            ids[i] = ids[i - back[i]]
    return ids
