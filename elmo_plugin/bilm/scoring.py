"""What a biLM thinks of words in their places: log-probabilities, perplexity, substitutes."""

import math
from typing import Iterable, List, NamedTuple, Optional, Sequence, Tuple

import numpy
import torch
from torch import Tensor

from elmo_plugin.bilm.batches import Batching, batches_by_length, batches_in_order
from elmo_plugin.bilm.embedding import Sentence, SentenceReader, blocks_of
from elmo_plugin.bilm.on_device import on_device
from elmo_plugin.bilm.softmax import Softmax
from elmo_plugin.bilm.state import BilmState
from elmo_plugin.bilm.state_policy import STATEFUL
from elmo_plugin.bilm.vocabulary import SPECIAL_WORDS, WordVocabulary

_SENTENCES_AT_ONCE = 512


class LogProbabilities(NamedTuple):
    """
    Of the words of a sentence, in nats. A word outside the vocabulary counts as `<UNK>`.

    forward_ : of each word and of `</S>`, given the words before. Shape: (num_tokens + 1,), `float32`
    backward_ : of `<S>` and of each word, given the words behind. Shape: (num_tokens + 1,), `float32`
    """

    forward_: numpy.ndarray
    backward_: numpy.ndarray


class Perplexity(NamedTuple):
    """
    `exp(-sum log P / num_tokens)` of each direction, and of the mean of the two sums.

    num_tokens : words and one boundary a sentence.
    """

    forward_: float
    backward_: float
    mean: float
    num_tokens: int


class SentenceScorer:
    """
    A biLM with its softmax. May be shared by threads.

    # Parameters

    reader : reads the sentences; its policy is the state before them.
    softmax : is moved to the reader's device.
    vocabulary : the softmax's words.

    # Raises

    `ValueError` where softmax and vocabulary differ in size.
    """

    def __init__(self, reader: SentenceReader, softmax: Softmax, vocabulary: WordVocabulary) -> None:
        if len(vocabulary) != softmax.num_words:
            raise ValueError(
                f"The vocabulary has {len(vocabulary):,} words, but the softmax has {softmax.num_words:,}. Give the "
                "vocabulary.txt that was exported with the model."
            )
        self.reader, self.vocabulary = reader, vocabulary
        self.softmax = softmax.requires_grad_(False).to(reader.bilm.boundaries.device)

    def log_probabilities(
        self, sentences: Sequence[Sentence], batching: Batching = Batching(), carried: Optional[BilmState] = None
    ) -> Tuple[List[LogProbabilities], Optional[BilmState]]:
        """Of each of the sentences, and what is to be carried on, as `embed_block` does."""
        if self.reader.policy == STATEFUL:
            batches = batches_in_order(len(sentences), batching.batch_size or len(sentences))
        else:
            batches = batches_by_length([len(sentence) for sentence in sentences], batching)
        results: List[Optional[LogProbabilities]] = [None] * len(sentences)
        for batch in batches:
            scores, carried = self._score([sentences[index] for index in batch], carried)
            for index, score in zip(batch, scores):
                results[index] = score
        return results, carried

    def _score(
        self, sentences: List[Sentence], carried: Optional[BilmState]
    ) -> Tuple[List[LogProbabilities], Optional[BilmState]]:
        representations, carried = self.reader.read(sentences, carried)
        mask = representations.mask
        targets = on_device(self._targets(sentences, mask.size(1)), mask.device)
        forward_top, backward_top = representations.layers[-1].chunk(2, dim=-1)
        # Position t, forward, predicts what stands at t + 1; backward, what stands at t - 1.
        rows, steps = mask[:, 1:].nonzero(as_tuple=True)
        vectors = torch.cat([forward_top[rows, steps], backward_top[rows, steps + 1]])
        ids = torch.cat([targets[rows, steps + 1], targets[rows, steps]])
        with torch.no_grad():
            scores = -self.softmax.full_loss(vectors.to(self.softmax.weight), ids)
        lengths = [len(sentence) + 1 for sentence in sentences]
        split = [half.split(lengths) for half in scores.float().cpu().chunk(2)]
        return [LogProbabilities(f.numpy(), b.numpy()) for f, b in zip(*split)], carried

    def _targets(self, sentences: List[Sentence], num_steps: int) -> Tensor:
        """Word ids, `<S>` and `</S>` included. Shape: (batch_size, num_steps)"""
        ids = numpy.full((len(sentences), num_steps), self.vocabulary.begin_sentence_id, dtype=numpy.int64)
        for row, sentence in zip(ids, sentences):
            row[1 : len(sentence) + 1] = self.vocabulary.encode(sentence)
            row[len(sentence) + 1] = self.vocabulary.end_sentence_id
        return torch.from_numpy(ids)

    def perplexity(self, sentences: Iterable[Sentence], batching: Batching = Batching()) -> Perplexity:
        """
        Of a text, every word and boundary counted once.

        Where the state is carried, `batching.batch_size` sentences are read side by side; by default one after the
        other, as running text.

        # Raises

        `ValueError` for a text without any sentence.
        """
        sums, num_tokens, carried = [0.0, 0.0], 0, None
        step = 1
        if self.reader.policy == STATEFUL:
            step = 1 if batching.batch_size is None else batching.batch_size
            batching = batching._replace(batch_size=step)
        for block in blocks_of(sentences, step, 2**30, _SENTENCES_AT_ONCE):
            of_block, carried = self.log_probabilities(block, batching, carried)
            for scores in of_block:
                sums = [total + float(direction.sum(dtype=numpy.float64)) for total, direction in zip(sums, scores)]
                num_tokens += len(scores.forward_)
        if num_tokens == 0:
            raise ValueError("There is no sentence whose perplexity could be computed. Give one or more.")
        means = [-total / num_tokens for total in sums]
        return Perplexity(math.exp(means[0]), math.exp(means[1]), math.exp(sum(means) / 2), num_tokens)

    def substitutes(self, sentence: Sentence, position: int, count: int = 10) -> List[Tuple[str, float]]:
        """
        The words that both directions like best in a place, whatever stands there:

            score(v) = log P(v | words before) + log P(v | words behind)

        # Parameters

        position : of the word, counted from 0.
        count : how many.

        # Returns

        Words of the vocabulary, without its special ones, and their scores, best first.

        # Raises

        `ValueError` where there is no such position, no word at all, or `count` is below 1.
        """
        if len(sentence) == 0:
            raise ValueError("`sentence` must hold at least one word, but it is empty.")
        if not 0 <= position < len(sentence):
            raise ValueError(f"`position` must be from 0 to {len(sentence) - 1}, the last word, but it is {position}.")
        if count < 1:
            raise ValueError(f"`count` must be at least 1, but it is {count}.")
        top = self.reader.read([sentence])[0].layers[-1][0]
        forward_top, backward_top = top.chunk(2, dim=-1)
        vectors = torch.stack([forward_top[position], backward_top[position + 2]]).to(self.softmax.weight)
        with torch.no_grad():
            # Shape: (2, num_words)
            logits = torch.addmm(self.softmax.bias.squeeze(1), vectors, self.softmax.weight.t())
            scores = logits.log_softmax(dim=1).sum(dim=0)
        scores[: len(SPECIAL_WORDS)] = -math.inf
        best = scores.topk(min(count, len(self.vocabulary) - len(SPECIAL_WORDS)))
        words = [self.vocabulary.words[index] for index in best.indices.tolist()]
        return list(zip(words, best.values.tolist()))
