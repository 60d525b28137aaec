"""
The sentences of one or more shards in an order in which they are read, as steps end to end.

A sentence of `n` words takes `n + 1` steps, in either direction: its first step reads a boundary, step `p` after it the
`p`-th word from the end that the direction begins at. Where a sentence's words are is said as positions of the shards'
tokens, all shards end to end.
"""

from abc import ABC, abstractmethod
from typing import Iterator, NamedTuple, Optional, Sequence, Tuple

import numpy

from elmo_plugin.bilm.encoded_text import TextShard


class Places(NamedTuple):
    """
    Where sentences are.

    begins : positions of their first tokens. Shape: (num_sentences,), `int64`
    lengths : in words. Shape: (num_sentences,), `int64`
    first_steps : Shape: (num_sentences,), `int64`
    """

    begins: numpy.ndarray
    lengths: numpy.ndarray
    first_steps: numpy.ndarray


class SentenceOrder(ABC):
    """
    # Parameters

    shards : at least one sentence in each.
    """

    def __init__(self, shards: Sequence[TextShard]) -> None:
        self.shards = shards
        # Tokens, sentences and steps before each shard, and in all. Shape: (number of shards + 1,)
        self._tokens = _sums([shard.num_tokens for shard in shards])
        self._sentences = _sums([shard.num_sentences for shard in shards])
        self._steps = self._tokens + self._sentences

    @property
    def num_tokens(self) -> int:
        return int(self._tokens[-1])

    @property
    def num_steps(self) -> int:
        return int(self._steps[-1])

    @abstractmethod
    def sentences_at(self, steps: numpy.ndarray) -> numpy.ndarray:
        """Which sentences, by their numbers in this order, hold the steps. Shape: that of `steps`, `int64`"""

    @abstractmethod
    def places(self, numbers: numpy.ndarray) -> Places:
        """Where the sentences of these numbers are."""

    @abstractmethod
    def take(self, positions: numpy.ndarray) -> numpy.ndarray:
        """The tokens at these positions. Shape: that of `positions`, `int32`"""

    def nearest_ends(self, steps: numpy.ndarray) -> numpy.ndarray:
        """For each place between steps, from 0 to `num_steps`, the nearest one between sentences."""
        numbers = self.sentences_at(numpy.minimum(steps.astype(numpy.int64), self.num_steps - 1))
        _, lengths, before = self.places(numbers)
        after = before + lengths + 1
        return numpy.where(steps - before < after - steps, before, after)


class RunningOrder(SentenceOrder):
    """The sentences as they stand. Nothing is kept in memory for a sentence or a token."""

    def sentences_at(self, steps: numpy.ndarray) -> numpy.ndarray:
        numbers = numpy.empty(len(steps), dtype=numpy.int64)
        for shard, run in _runs(self._steps, steps):
            found = _last_sentences(self.shards[shard].offsets, steps[run] - self._steps[shard])
            numbers[run] = found + self._sentences[shard]
        return numbers

    def places(self, numbers: numpy.ndarray) -> Places:
        begins, lengths = numpy.empty((2, len(numbers)), dtype=numpy.int64)
        for shard, run in _runs(self._sentences, numbers):
            offsets, local = self.shards[shard].offsets, numbers[run] - self._sentences[shard]
            begins[run] = offsets[local] + self._tokens[shard]
            lengths[run] = offsets[local + 1] - offsets[local]
        return Places(begins, lengths, begins + numbers)

    def take(self, positions: numpy.ndarray) -> numpy.ndarray:
        type_ids = numpy.empty(len(positions), dtype=numpy.int32)
        for shard, run in _runs(self._tokens, positions):
            type_ids[run] = self.shards[shard].type_ids[positions[run] - self._tokens[shard]]
        return type_ids


class ShuffledOrder(SentenceOrder):
    """
    The sentences of all shards shuffled together. 16 bytes a sentence are kept in memory, and, of several shards, the
    tokens.

    # Parameters

    generator : of the shuffling.
    """

    def __init__(self, shards: Sequence[TextShard], generator: numpy.random.Generator) -> None:
        super().__init__(shards)
        order = numpy.arange(self._sentences[-1])
        generator.shuffle(order)
        lengths = numpy.concatenate([numpy.diff(shard.offsets) for shard in shards])[order]
        begins = numpy.concatenate([shard.offsets[:-1] + before for shard, before in zip(shards, self._tokens)])
        self._begins, self._ends = begins[order], _sums(lengths + 1)
        self._type_ids: Optional[numpy.ndarray] = None

    def sentences_at(self, steps: numpy.ndarray) -> numpy.ndarray:
        return numpy.searchsorted(self._ends, steps, side="right") - 1

    def places(self, numbers: numpy.ndarray) -> Places:
        first_steps = self._ends[numbers]
        return Places(self._begins[numbers], self._ends[numbers + 1] - first_steps - 1, first_steps)

    def take(self, positions: numpy.ndarray) -> numpy.ndarray:
        if self._type_ids is None:
            parts = [shard.type_ids for shard in self.shards]
            self._type_ids = parts[0] if len(parts) == 1 else numpy.concatenate(parts)
        return self._type_ids[positions]


def _sums(counts: Sequence[int]) -> numpy.ndarray:
    """How many there are before each, and in all. Shape: (number of counts + 1,), `int64`"""
    sums = numpy.zeros(len(counts) + 1, dtype=numpy.int64)
    numpy.cumsum(counts, out=sums[1:])
    return sums


def _runs(before: numpy.ndarray, values: numpy.ndarray) -> Iterator[Tuple[int, slice]]:
    """Stretches of values that belong to one shard, `before[shard] <= value < before[shard + 1]`."""
    if len(before) == 2:
        yield 0, slice(0, len(values))
        return
    shards = numpy.searchsorted(before, values, side="right") - 1
    # Shape: (number of stretches,)
    begins = numpy.flatnonzero(numpy.diff(shards, prepend=-1))
    for begin, end in zip(begins.tolist(), [*begins[1:].tolist(), len(values)]):
        yield int(shards[begin]), slice(begin, end)


def _last_sentences(offsets: numpy.ndarray, steps: numpy.ndarray) -> numpy.ndarray:
    """
    Of a shard, the last sentence whose first step, `offsets[i] + i`, is not behind each step, found by halving. (That
    sum as an array for `searchsorted` would be as large as the shard's offsets.)
    """
    low, high = numpy.zeros_like(steps), numpy.full_like(steps, len(offsets) - 1)
    while (high - low > 1).any():
        middle = (low + high) // 2
        is_before = offsets[middle] + middle <= steps
        low, high = numpy.where(is_before, middle, low), numpy.where(is_before, high, middle)
    return low
