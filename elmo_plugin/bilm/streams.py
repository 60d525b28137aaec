"""
Sentences as the endless streams that a biLM is trained on.

Each row of a batch is a stream of its own: `<S> w1 … wn` sentence after sentence as inputs, `w1 … wn </S>` as
targets, cut into windows of `num_steps`. The backward direction reads the same sentences from their ends: inputs
`</S> wn … w1`, targets `wn … w1 <S>`. A sentence thus takes `n + 1` steps in either direction.

Sentences are dealt to the rows in contiguous runs, cut where the rows come out most even. Every sentence is in exactly
one row; the rows' ends, which differ by a sentence or so, make the last windows ragged.
"""

from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy

from elmo_plugin.bilm.encoded_text import EncodedText, TextShard
from elmo_plugin.bilm.ranges import ranges
from elmo_plugin.bilm.sentence_orders import RunningOrder, SentenceOrder, ShuffledOrder
from elmo_plugin.bilm.vocabulary import WordVocabulary

# Shards are shuffled together until they have so many tokens: as many as `elmo-prepare` writes into one.
TOKENS_PER_GROUP = 5_000_000
# What is read at once: so much that NumPy's calls don't count, so little that a processor's cache holds it.
_STEPS_PER_BLOCK = 1 << 16

_LEFT, _RIGHT = WordVocabulary.begin_sentence_id, WordVocabulary.end_sentence_id
# What the two directions read before the first word of a sentence, and predict behind its last. Shape: (2, 1, 1)
_FIRST_INPUTS = numpy.array([_LEFT, _RIGHT], dtype=numpy.int32).reshape(2, 1, 1)
_LAST_TARGETS = numpy.array([_RIGHT, _LEFT]).reshape(2, 1, 1)
_BOUNDARY = -1


class Window(NamedTuple):
    """
    One step of training: `num_steps` of every row, in either direction.

    types : the distinct types, in the order of their first occurrence. Shape: (num_types,), `int32`
    forward_inputs, backward_inputs : positions in `types`. Shape: (num_rows, num_steps), `int64`
    forward_targets, backward_targets : word ids. Shape: (num_rows, num_steps), `int64`
    lengths : how many steps of each row are text; `None` where all are. Shape: (num_rows,), `int64`
    """

    types: numpy.ndarray
    forward_inputs: numpy.ndarray
    backward_inputs: numpy.ndarray
    forward_targets: numpy.ndarray
    backward_targets: numpy.ndarray
    lengths: Optional[numpy.ndarray]


class _Share(NamedTuple):
    """
    What the rows read of a group of shards: its steps from `begins` up to `ends`, each row at its own steps from
    `clocks` on. Shape: (num_rows,), `int64`
    """

    begins: numpy.ndarray
    ends: numpy.ndarray
    clocks: numpy.ndarray


class _Block(NamedTuple):
    """
    Some windows side by side, from the one numbered `start` on, both directions.

    inputs : types. Shape: (2, num_rows, number of windows * num_steps), `int32`
    targets : word ids. Shape: that of `inputs`, `int64`
    """

    start: int
    inputs: numpy.ndarray
    targets: numpy.ndarray


class Streams:
    """
    One pass over a text, as windows.

    Without shuffling, a row is one run of the whole text. With it, shards come in random order, some at a time, as many
    as hold `TOKENS_PER_GROUP`; their sentences are shuffled together and dealt to all rows. Memory is bounded by such a
    group, whatever the size of the text. Only the lengths of the sentences are read before the first window.

    # Parameters

    text : the sentences.
    num_rows, num_steps : the shape of a window.
    seed : shuffles the sentences; `None` keeps their order.
    part, num_parts : of `num_parts * num_rows` rows in all, take the `part`-th share. All shares have as many windows.
    """

    def __init__(
        self,
        text: EncodedText,
        num_rows: int,
        num_steps: int,
        seed: Optional[Sequence[int]] = None,
        part: int = 0,
        num_parts: int = 1,
    ) -> None:
        self.text, self.num_rows, self.num_steps, self.seed = text, num_rows, num_steps, seed
        self._groups = _groups_of(text.shards, seed)
        # Of the groups that are being read.
        self._orders: Dict[int, SentenceOrder] = {}
        self._shares: List[_Share] = []
        # Steps that the rows before each have been dealt so far, and all of them.
        dealt = numpy.zeros(num_parts * num_rows + 1, dtype=numpy.int64)
        rows = slice(part * num_rows, (part + 1) * num_rows)
        for index in range(len(self._groups)):
            cuts = _even_cuts(self._order(index), dealt)
            self._shares.append(_Share(cuts[:-1][rows], cuts[1:][rows], numpy.diff(dealt)[rows]))
            dealt += cuts
        lengths = numpy.diff(dealt)
        self._lengths = lengths[rows]
        self._num_windows = -(-int(lengths.max()) // num_steps)

    def __len__(self) -> int:
        """How many windows there are."""
        return self._num_windows

    def __iter__(self) -> Iterator[Window]:
        return self.from_window(0)

    def from_window(self, first: int) -> Iterator[Window]:
        """
        The windows from a given one on, without a look at those before.

        # Raises

        `ValueError` for a token that is none of the text's types, naming the shard.
        """
        # Scratch of `_distinct`.
        slots = numpy.empty(len(self.text.types), dtype=numpy.int32)
        per_block = max(1, _STEPS_PER_BLOCK // (self.num_rows * self.num_steps))
        for start in range(first, len(self), per_block):
            stop = min(start + per_block, len(self))
            block = self._block(start, stop)
            for number in range(start, stop):
                yield self._window(block, number, slots)

    def _block(self, start: int, stop: int) -> _Block:
        """The windows from `start` up to `stop`, side by side."""
        type_ids = self._read(start * self.num_steps, (stop - start) * self.num_steps + 1)
        is_boundary = type_ids == _BOUNDARY
        inputs = numpy.where(is_boundary, _FIRST_INPUTS, type_ids)
        targets = numpy.where(is_boundary, _LAST_TARGETS, self.text.word_ids(type_ids))
        return _Block(start, inputs[:, :, :-1], targets[:, :, 1:])

    def _window(self, block: _Block, number: int, slots: numpy.ndarray) -> Window:
        begin = (number - block.start) * self.num_steps
        steps = slice(begin, begin + self.num_steps)
        types, places = _distinct(block.inputs[:, :, steps], slots)
        targets = block.targets[:, :, steps].copy()
        lengths = numpy.clip(self._lengths - number * self.num_steps, 0, self.num_steps)
        is_full = (lengths == self.num_steps).all()
        return Window(types, *places, *targets, None if is_full else lengths)

    def _order(self, index: int) -> SentenceOrder:
        order = self._orders.get(index)
        if order is None:
            shards = self._groups[index]
            if self.seed is None:
                order = RunningOrder(shards)
            else:
                order = ShuffledOrder(shards, numpy.random.default_rng([*self.seed, index]))
            self._orders = {number: kept for number, kept in self._orders.items() if number == index - 1}
            self._orders[index] = order
        return order

    def _read(self, start: int, width: int) -> numpy.ndarray:
        """
        What the rows read from their step `start` on, `_BOUNDARY` at the first step of a sentence and behind the end of
        a row. Shape: (2, num_rows, width), `int32`
        """
        type_ids = numpy.full((2, self.num_rows, width), _BOUNDARY, dtype=numpy.int32)
        for index, share in enumerate(self._shares):
            begins, ends = (
                numpy.clip(share.begins + step - share.clocks, share.begins, share.ends)
                for step in (start, start + width)
            )
            if (begins < ends).any():
                order = self._order(index)
                # What to add to a step of the group for its place in a row of `type_ids`. Shape: (num_rows,)
                shifts = numpy.arange(self.num_rows) * width + share.clocks - share.begins - start
                _fill(type_ids.reshape(2, -1), order, len(self.text.types), begins, ends, shifts)
        return type_ids


def _groups_of(shards: Sequence[TextShard], seed: Optional[Sequence[int]]) -> List[List[TextShard]]:
    """The shards that are read together. Without a seed, all of them are."""
    shards = [shard for shard in shards if shard.num_sentences > 0]
    if seed is None:
        return [shards] if shards else []
    order = numpy.arange(len(shards))
    # The sentences' seeds end in the number of their group and, in effect, 0.
    numpy.random.default_rng([*seed, 0, 1]).shuffle(order)
    groups: List[List[int]] = []
    num_tokens = TOKENS_PER_GROUP
    for number in order.tolist():
        if num_tokens >= TOKENS_PER_GROUP:
            groups.append([])
            num_tokens = 0
        groups[-1].append(number)
        num_tokens += shards[number].num_tokens
    return [[shards[number] for number in sorted(group)] for group in groups]


def _even_cuts(order: SentenceOrder, dealt: numpy.ndarray) -> numpy.ndarray:
    """
    Where to cut the steps of an order, between sentences, so that the rows are as long as each other in all.

    # Parameters

    dealt : steps that the rows before each were dealt of other orders, and all of them. Shape: (number of rows + 1,)

    # Returns

    Shape: (number of rows + 1,), `int64`
    """
    num_rows = len(dealt) - 1
    even = (dealt[-1] + order.num_steps) * numpy.arange(num_rows + 1) / num_rows - dealt
    return order.nearest_ends(numpy.maximum.accumulate(numpy.clip(even, 0, order.num_steps)))


def _fill(
    type_ids: numpy.ndarray,
    order: SentenceOrder,
    num_types: int,
    begins: numpy.ndarray,
    ends: numpy.ndarray,
    shifts: numpy.ndarray,
) -> None:
    """
    Writes tokens where they are read; a boundary is left as it is.

    # Parameters

    type_ids : for the two directions, all rows end to end. Shape: (2, num_rows * width)
    begins, ends : steps of the order that each row reads. Shape: (num_rows,)
    shifts : what to add to these for places in `type_ids`. Shape: (num_rows,)
    """
    if order.num_tokens == 0:
        return
    rows = numpy.flatnonzero(begins < ends)
    first_sentences, last_sentences = order.sentences_at(begins[rows]), order.sentences_at(ends[rows] - 1)
    counts = last_sentences - first_sentences + 1
    places, rows = order.places(ranges(first_sentences, counts)), numpy.repeat(rows, counts)
    # The steps of each sentence that read a word and belong to the row. Shape: (number of sentences,)
    first_words = numpy.maximum(places.first_steps + 1, begins[rows])
    num_words = numpy.minimum(places.first_steps + places.lengths + 1, ends[rows]) - first_words
    # Shape: (number of words,)
    steps = ranges(first_words, num_words)
    forward = steps + numpy.repeat(places.begins - places.first_steps - 1, num_words)
    backward = numpy.repeat(places.begins + places.first_steps + places.lengths, num_words) - steps
    where = steps + numpy.repeat(shifts[rows], num_words)
    for direction, positions in zip(type_ids, (forward, backward)):
        taken = order.take(positions)
        if taken.max(initial=0) >= num_types or taken.min(initial=0) < 0:
            raise ValueError(_foreign_type(order.shards, num_types))
        direction[where] = taken


def _foreign_type(shards: Sequence[TextShard], num_types: int) -> str:
    """Says which shard holds a token that is no type."""
    for shard in shards:
        for number in (shard.type_ids.min(initial=0), shard.type_ids.max(initial=0)):
            if not 0 <= number < num_types:
                return f"{shard.source} holds the type {number}, but there are types from 0 to {num_types - 1} only."
    return "The text has changed while it was read."


def _distinct(type_ids: numpy.ndarray, slots: numpy.ndarray) -> Tuple[numpy.ndarray, numpy.ndarray]:
    """
    The distinct types, in the order of their first occurrence, and where each stands: `types[places]` is `type_ids`.

    # Parameters

    slots : a place for each type of the text, with whatever in it. Shape: (number of types,), `int32`

    # Returns

    Shapes: (num_types,), `int32`; that of `type_ids`, `int64`
    """
    flat = type_ids.reshape(-1)
    numbers = numpy.arange(len(flat), dtype=numpy.int32)
    # Of several values for a slot, NumPy keeps the last one.
    slots[flat[::-1]] = numbers[::-1]
    first = slots[flat]
    is_first = first == numbers
    places = numpy.cumsum(is_first) - 1
    return flat[is_first], places[first].reshape(type_ids.shape)
