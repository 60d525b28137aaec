"""A text as numbers, in memory or in mapped files."""

import math
from array import array
from collections import defaultdict
from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence

import numpy

from elmo_plugin.bilm.type_table import TypeTable
from elmo_plugin.bilm.vocabulary import SPECIAL_WORDS, WordVocabulary

# See `check_descending_counts`.
MAX_NATS_LOST = 0.9


class TextShard(NamedTuple):
    """
    A part of a text.

    type_ids : all tokens, sentence after sentence. Shape: (num_tokens,), `int32`
    offsets : where each sentence begins, and the end. Shape: (num_sentences + 1,), `int64`
    source : what error messages call it.
    """

    type_ids: numpy.ndarray
    offsets: numpy.ndarray
    source: str = "the text"

    @property
    def num_sentences(self) -> int:
        return len(self.offsets) - 1

    @property
    def num_tokens(self) -> int:
        return len(self.type_ids)


class EncodedText(NamedTuple):
    """
    A text as numbers. A *type* is a distinct word; the types of the vocabulary come first and have the same id there.

    shards : its parts, in order.
    types : the types; the first `vocabulary_size` are the vocabulary.
    vocabulary_size : types from here on are outside the vocabulary; as targets they are `<UNK>`.
    """

    shards: Sequence[TextShard]
    types: TypeTable
    vocabulary_size: int

    @property
    def num_sentences(self) -> int:
        return sum(shard.num_sentences for shard in self.shards)

    @property
    def num_tokens(self) -> int:
        """Words, without `<S>` and `</S>`."""
        return sum(shard.num_tokens for shard in self.shards)

    def first(self, num_sentences: Optional[int]) -> "EncodedText":
        """Only the first sentences, all if `None`."""
        if num_sentences is None:
            return self
        shards: List[TextShard] = []
        for shard in self.shards:
            number = min(num_sentences, shard.num_sentences)
            num_sentences -= number
            offsets = shard.offsets[: number + 1]
            shards.append(TextShard(shard.type_ids[: offsets[-1]], offsets, shard.source))
        return self._replace(shards=shards)

    def word_ids(self, types: numpy.ndarray) -> numpy.ndarray:
        """Ids in the vocabulary, `<UNK>`'s for types outside of it; same shape, `int64`."""
        return numpy.where(types < self.vocabulary_size, types, WordVocabulary.unknown_id).astype(numpy.int64)

    def model_inputs(self, types: numpy.ndarray, max_characters: Optional[int]) -> numpy.ndarray:
        """
        What a biLM reads of types: characters, or word ids, one higher than in the vocabulary.

        # Parameters

        types : Shape: (num_types,)
        max_characters : width of a word; `None` for word ids.

        # Returns

        Shape: (num_types, max_characters), or (num_types,); `int64`
        """
        return self.word_ids(types) + 1 if max_characters is None else self.types.characters(types, max_characters)

    def count_unknown(self) -> int:
        """Tokens that are `<UNK>` as targets. Reads the whole text."""
        unknown = WordVocabulary.unknown_id
        return sum(
            int(((shard.type_ids >= self.vocabulary_size) | (shard.type_ids == unknown)).sum()) for shard in self.shards
        )


def encode_text(texts: Iterable[Iterable[Sequence[str]]], vocabulary: WordVocabulary) -> EncodedText:
    """
    Numbers the words of texts, each a shard: 4 bytes a token in memory, and each distinct word once.

    # Parameters

    texts : sentences of words, text by text, one file's after another's say.
    """
    table: Dict[str, int] = defaultdict(None, vocabulary.word_to_id)
    table.default_factory = table.__len__
    shards: List[TextShard] = []
    for sentences in texts:
        type_ids, offsets = array("i"), array("q", [0])
        for sentence in sentences:
            type_ids.extend(map(table.__getitem__, sentence))
            offsets.append(len(type_ids))
        shards.append(TextShard(numpy.array(type_ids, dtype=numpy.int32), numpy.array(offsets, dtype=numpy.int64)))
    return EncodedText(shards, TypeTable.from_words(table), len(vocabulary))


def check_descending_counts(text: EncodedText, source: str) -> None:
    """
    Refuses a vocabulary that is not sorted by count, where the text is long enough (2,000 tokens) to tell.

    What counts is how much less probable the sampler finds the text's words in the vocabulary's order than in their
    own, `mean over tokens of log P(own rank) - log P(rank in the vocabulary)`, of the words that do occur. It is 0 in
    the text the vocabulary was made from. A sorted vocabulary of another kind of text was seen to lose up to 0.8 nats
    (Wikipedia's on tweets); one in the order of first occurrence, 0.9 to 1.4; an alphabetical one, 2 to 4.

    # Raises

    `ValueError` above `MAX_NATS_LOST`.
    """
    counts = numpy.zeros(len(text.types), dtype=numpy.int64)
    for shard in text.shards:
        counts += numpy.bincount(shard.type_ids, minlength=len(counts))
    counts = counts[len(SPECIAL_WORDS) : text.vocabulary_size]
    counts = counts[counts > 0]
    if counts.sum() < 2000 or len(counts) < 20:
        return
    log_probability = numpy.log(numpy.log1p(1 / numpy.arange(1, len(counts) + 1)))
    nats_lost = (numpy.sort(counts)[::-1] - counts) @ log_probability / counts.sum()
    if nats_lost > MAX_NATS_LOST:
        raise ValueError(
            f"{source} is not in descending order of count: the words of the text would be drawn "
            f"{math.exp(nats_lost):.1f} times less often than from a sorted one (up to {math.exp(MAX_NATS_LOST):.1f} "
            "is taken for another kind of text). The sampled softmax takes a word's line for its frequency, so it "
            "would learn wrongly. Sort the file, or make a new one with elmo-prepare."
        )
