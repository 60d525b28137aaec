"""The softmax over the vocabulary, which both directions share: in full, and over a sample of the words."""

import math
from typing import Optional, Tuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from elmo_plugin.bilm.ops.dispatch import log_sum_over_sample
from elmo_plugin.bilm.ops.full_softmax import full_softmax_loss
from elmo_plugin.bilm.sampler import expected_count, sample_words


class Softmax(nn.Module):
    """
    `P(word | vector) = softmax(vector Wᵀ + b)_word`

    # Parameters

    num_words : size of the vocabulary.
    projection_dim : width of the vectors.
    sparse : give `weight` and `bias` sparse gradients in `sampled_loss`, so that an update costs the drawn rows
        only. Pays with large vocabularies; needs an optimizer that takes them (`adagrad`, `sgd`, `sparse_adam`).
    """

    def __init__(self, num_words: int, projection_dim: int, sparse: bool = False) -> None:
        super().__init__()
        self.sparse = sparse
        self.weight = nn.Parameter(torch.empty(num_words, projection_dim))
        self.bias = nn.Parameter(torch.zeros(num_words, 1))
        nn.init.normal_(self.weight, std=1.0 / math.sqrt(projection_dim))

    @property
    def num_words(self) -> int:
        return self.weight.size(0)

    def is_blank(self) -> bool:
        """Whether it is all zeros, as in a model imported without one: every word is as likely as any other."""
        return not bool(self.weight.any()) and not bool(self.bias.any())

    def full_loss(self, vectors: Tensor, targets: Tensor, max_logits: int = 2**24) -> Tensor:
        """
        `-log P(target)` in nats, exactly. At most `max_logits` logits exist at a time, in the backward pass too.

        # Parameters

        vectors : Shape: (num_tokens, projection_dim)
        targets : word ids. Shape: (num_tokens,)

        # Returns

        Shape: (num_tokens,)
        """
        return full_softmax_loss(vectors, targets, self.weight, self.bias.squeeze(1), max_logits)

    def sampled_loss(
        self, vectors: Tensor, targets: Tensor, num_samples: int, generator: Optional[torch.Generator] = None
    ) -> Tensor:
        """
        The sampled softmax (Jean et al. 2015): `-log P(target)` among the target and `num_samples` drawn words, every
        logit lowered by the log of its word's expected count. A drawn word that is the target is left out.

        The value is a means to a gradient. It is no log-probability, and its exponential is no perplexity.

        # Parameters

        vectors : Shape: (num_tokens, projection_dim)
        targets : word ids. Shape: (num_tokens,)
        num_samples : how many words, drawn once for all of `vectors`.
        generator : of random numbers; torch's own if `None`.

        # Returns

        Shape: (num_tokens,)
        """
        sampled, num_tries = sample_words(num_samples, self.num_words, vectors.device, generator)
        true_count, sampled_count = (
            expected_count(ids, self.num_words, num_tries).log().to(vectors.dtype) for ids in (targets, sampled)
        )
        return self.loss_among(vectors, targets, sampled, true_count, sampled_count)

    def loss_among(
        self, vectors: Tensor, targets: Tensor, sampled: Tensor, true_log_count: Tensor, sampled_log_count: Tensor
    ) -> Tensor:
        """
        `sampled_loss` for a given sample, each word once, and the logs of the expected counts.

        Shapes: (num_tokens, projection_dim), (num_tokens,), (num_samples,), (num_tokens,), (num_samples,)
        to (num_tokens,)
        """
        weight, bias = self._rows(torch.cat([targets, sampled]))
        true_weight, sampled_weight = weight.split([targets.size(0), sampled.size(0)])
        true_bias, sampled_bias = bias.split([targets.size(0), sampled.size(0)])
        true_logits = (vectors * true_weight).sum(dim=1) + true_bias - true_log_count
        others = log_sum_over_sample(vectors, sampled_weight, sampled_bias - sampled_log_count, targets, sampled)
        return torch.logaddexp(true_logits, others) - true_logits

    def _rows(self, word_ids: Tensor) -> Tuple[Tensor, Tensor]:
        """Shapes: (number of ids, projection_dim), (number of ids,)"""
        weight = functional.embedding(word_ids, self.weight, sparse=self.sparse)
        return weight, functional.embedding(word_ids, self.bias, sparse=self.sparse).squeeze(1)
