"""
Sentences as the endless streams that a biLM is trained on.

Each row of a batch is a stream of its own: `<S> w1 … wn` sentence after sentence as inputs, `w1 … wn </S>` as
targets, cut into windows of `num_steps`. The backward direction reads the same sentences from their ends: inputs
`</S> wn … w1`, targets `wn … w1 <S>`. A sentence thus takes `n + 1` steps in either direction.

A row gets a contiguous run of the sentences, cut where the rows come out most even. Every sentence is in exactly one
row; the rows' ends, which differ by a sentence or so, make the last windows ragged.
"""

import math
from array import array
from typing import Iterable, Iterator, List, NamedTuple, Optional, Sequence

import numpy

from elmo_plugin.bilm.vocabulary import WordVocabulary

# See `check_descending_counts`.
MAX_NATS_LOST = 0.9


class EncodedSentences(NamedTuple):
    """
    A text as numbers. A *type* is a distinct word; the types of the vocabulary come first and have the same id there.

    words : the types; `words[:vocabulary_size]` are the vocabulary.
    vocabulary_size : types from here on are outside the vocabulary; as targets they are `<UNK>`.
    type_ids : all tokens, sentence after sentence. Shape: (num_tokens,), `int32`
    offsets : where each sentence begins, and the end. Shape: (num_sentences + 1,), `int64`
    """

    words: Sequence[str]
    vocabulary_size: int
    type_ids: numpy.ndarray
    offsets: numpy.ndarray

    @property
    def num_sentences(self) -> int:
        return len(self.offsets) - 1

    @property
    def num_tokens(self) -> int:
        """Words, without `<S>` and `</S>`."""
        return len(self.type_ids)

    @property
    def num_targets(self) -> int:
        """What one direction predicts in a pass: every word, and one boundary a sentence."""
        return self.num_tokens + self.num_sentences


def encode_sentences(sentences: Iterable[Sequence[str]], vocabulary: WordVocabulary) -> EncodedSentences:
    """Numbers the words of a text: about 4 bytes a token, and each distinct word once."""
    words, type_of = list(vocabulary.words), dict(vocabulary.word_to_id)
    type_ids, offsets = array("i"), array("q", [0])
    for sentence in sentences:
        for word in sentence:
            number = type_of.get(word)
            if number is None:
                number = type_of[word] = len(words)
                words.append(word)
            type_ids.append(number)
        offsets.append(len(type_ids))
    return EncodedSentences(
        words,
        len(vocabulary),
        numpy.frombuffer(type_ids, dtype=numpy.int32) if type_ids else numpy.empty(0, numpy.int32),
        numpy.frombuffer(offsets, dtype=numpy.int64),
    )


def check_descending_counts(text: EncodedSentences, source: str) -> None:
    """
    Refuses a vocabulary that is not sorted by count, where the text is long enough (2,000 tokens) to tell.

    What counts is how much less probable the sampler finds the text's words in the vocabulary's order than in their
    own, `mean over tokens of log P(own rank) - log P(rank in the vocabulary)`, of the words that do occur. It is 0 in
    the text the vocabulary was made from. A sorted vocabulary of another kind of text was seen to lose up to 0.8 nats
    (Wikipedia's on tweets); one in the order of first occurrence, 0.9 to 1.4; an alphabetical one, 2 to 4.

    # Raises

    `ValueError` above `MAX_NATS_LOST`.
    """
    counts = numpy.bincount(text.type_ids, minlength=text.vocabulary_size)[3 : text.vocabulary_size]
    counts = counts[counts > 0]
    if counts.sum() < 2000 or len(counts) < 20:
        return
    log_probability = numpy.log(numpy.log1p(1 / numpy.arange(1, len(counts) + 1)))
    nats_lost = (numpy.sort(counts)[::-1] - counts) @ log_probability / counts.sum()
    if nats_lost > MAX_NATS_LOST:
        raise ValueError(
            f"{source} is not in descending order of count: the words of the text would be drawn {math.exp(nats_lost):.1f} "
            f"times less often than from a sorted one (up to {math.exp(MAX_NATS_LOST):.1f} is taken for another kind of "
            f"text). The sampled softmax takes a word's line for its frequency, so it would learn wrongly. Sort the file, "
            f"or make a new one with elmo-prepare."
        )


class Window(NamedTuple):
    """
    One step of training: `num_steps` of every row, in either direction.

    types : the distinct types. Shape: (num_types,), `int32`
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


class Streams:
    """
    One pass over a text, as windows.

    # Parameters

    text : the sentences.
    num_rows, num_steps : the shape of a window.
    seed : shuffles the sentences; `None` keeps their order, and then a row is running text.
    part, num_parts : of `num_parts * num_rows` rows in all, take the `part`-th share. All shares have as many windows.
    """

    def __init__(
        self,
        text: EncodedSentences,
        num_rows: int,
        num_steps: int,
        seed: Optional[Sequence[int]] = None,
        part: int = 0,
        num_parts: int = 1,
    ) -> None:
        self.text, self.num_rows, self.num_steps = text, num_rows, num_steps
        order = numpy.arange(text.num_sentences)
        if seed is not None:
            numpy.random.default_rng(list(seed)).shuffle(order)
        self._sentences = order
        # Steps up to and including each sentence, in the shuffled order. Shape: (num_sentences + 1,)
        self._ends = numpy.concatenate([[0], numpy.cumsum(numpy.diff(text.offsets)[order] + 1)])
        targets = self._ends[-1] * numpy.arange(num_parts * num_rows + 1) / (num_parts * num_rows)
        cuts = _nearest(self._ends, targets)
        lengths = numpy.diff(self._ends[cuts])
        self._num_windows = -(-int(lengths.max()) // num_steps)
        # Steps at which each row begins, and its length. Shape: (num_rows,)
        rows = slice(part * num_rows, (part + 1) * num_rows)
        self._starts, self._lengths = self._ends[cuts[:-1]][rows], lengths[rows]

    def __len__(self) -> int:
        """How many windows there are."""
        return self._num_windows

    def __iter__(self) -> Iterator[Window]:
        return self.from_window(0)

    def from_window(self, first: int) -> Iterator[Window]:
        """The windows from a given one on, without a look at those before."""
        return (self._window(index * self.num_steps) for index in range(first, len(self)))

    def _window(self, start: int) -> Window:
        lengths = numpy.clip(self._lengths - start, 0, self.num_steps)
        present = numpy.arange(self.num_steps) < lengths[:, None]
        # Steps of the whole text, all rows end to end. Shape: (num_rows, num_steps)
        steps = numpy.where(present, self._starts[:, None] + start + numpy.arange(self.num_steps), 0)
        place = numpy.searchsorted(self._ends, steps, side="right") - 1
        position = steps - self._ends[place]
        sentence = self._sentences[place]
        begin, length = self.text.offsets[sentence], self.text.offsets[sentence + 1] - self.text.offsets[sentence]
        left, right = WordVocabulary.begin_sentence_id, WordVocabulary.end_sentence_id
        inputs = [
            self._tokens(begin + position - 1, position == 0, left),
            self._tokens(begin + length - position, position == 0, right),
        ]
        targets = [
            self._tokens(begin + position, position == length, right),
            self._tokens(begin + length - position - 1, position == length, left),
        ]
        types, indices = numpy.unique(numpy.stack(inputs), return_inverse=True)
        indices = indices.reshape(2, self.num_rows, self.num_steps)
        unknown = WordVocabulary.unknown_id
        targets = [numpy.where(t < self.text.vocabulary_size, t, unknown).astype(numpy.int64) for t in targets]
        return Window(types, indices[0], indices[1], targets[0], targets[1], None if present.all() else lengths)

    def _tokens(self, where: numpy.ndarray, is_boundary: numpy.ndarray, boundary: int) -> numpy.ndarray:
        """The tokens at `where`, a boundary in their place where `is_boundary`."""
        if self.text.num_tokens == 0:
            return numpy.full(where.shape, boundary, dtype=numpy.int32)
        return numpy.where(is_boundary, boundary, self.text.type_ids[numpy.where(is_boundary, 0, where)])


def _nearest(ends: numpy.ndarray, targets: numpy.ndarray) -> numpy.ndarray:
    """For each target, the index of the nearest value in `ends`, both ascending."""
    above = numpy.searchsorted(ends, targets).clip(1, len(ends) - 1)
    return above - (targets - ends[above - 1] < ends[above] - targets)
