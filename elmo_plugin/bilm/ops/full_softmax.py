"""The exact softmax loss in slices of the vocabulary, so that memory does not grow with its size."""

from typing import Iterator, Optional, Tuple

import torch
from torch import Tensor


def full_softmax_loss(vectors: Tensor, targets: Tensor, weight: Tensor, bias: Tensor, max_logits: int) -> Tensor:
    """
    `logsumexp(vectors weightᵀ + bias) - logit of the target`, never holding more than about `max_logits` logits.

    The backward pass computes each slice of logits once more. Under autocast the products are in its precision; all
    else, the sum of exponentials above all, is in that of `weight`.

    Shapes: (num_tokens, projection_dim), (num_tokens,), (num_words, projection_dim), (num_words,) to (num_tokens,)
    """
    device = weight.device.type
    product_dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype
    with torch.autocast(device, enabled=False):
        return _FullSoftmaxLoss.apply(vectors.to(weight.dtype), targets, weight, bias, max_logits, product_dtype)


def _slices(num_words: int, num_tokens: int, max_logits: int) -> Iterator[slice]:
    size = max(1, max_logits // max(1, num_tokens))
    return (slice(start, start + size) for start in range(0, num_words, size))


def _product(one: Tensor, other: Tensor, dtype: torch.dtype) -> Tensor:
    """`one @ other` of rounded numbers, in the precision of `one`."""
    return torch.mm(one.to(dtype), other.to(dtype)).to(one.dtype)


def _logits(vectors: Tensor, weight: Tensor, bias: Tensor, dtype: torch.dtype) -> Tensor:
    """Shapes: (num_tokens, projection_dim), (words, projection_dim), (words,) to (num_tokens, words)"""
    if dtype == vectors.dtype:
        return torch.addmm(bias, vectors, weight.t())
    return _product(vectors, weight.t(), dtype).add_(bias)


class _FullSoftmaxLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx, vectors: Tensor, targets: Tensor, weight: Tensor, bias: Tensor, max_logits: int, dtype: torch.dtype
    ) -> Tensor:
        log_normaliser = vectors.new_full((vectors.size(0),), -torch.inf)
        for words in _slices(weight.size(0), vectors.size(0), max_logits):
            logits = _logits(vectors, weight[words], bias[words], dtype)
            log_normaliser = torch.logaddexp(log_normaliser, torch.logsumexp(logits, dim=1))
        ctx.save_for_backward(vectors, targets, weight, bias, log_normaliser)
        ctx.max_logits, ctx.dtype = max_logits, dtype
        return log_normaliser - ((vectors * weight[targets]).sum(dim=1) + bias[targets])

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tuple[Optional[Tensor], ...]:
        vectors, targets, weight, bias, log_normaliser = ctx.saved_tensors
        of_vectors, of_weight, of_bias = torch.zeros_like(vectors), torch.zeros_like(weight), torch.zeros_like(bias)
        for words in _slices(weight.size(0), vectors.size(0), ctx.max_logits):
            logits = _logits(vectors, weight[words], bias[words], ctx.dtype)
            of_logits = torch.exp_(logits.sub_(log_normaliser.unsqueeze(1))).mul_(grad.unsqueeze(1))
            of_vectors += _product(of_logits, weight[words], ctx.dtype)
            of_weight[words] = _product(of_logits.t(), vectors, ctx.dtype)
            of_bias[words] = of_logits.sum(dim=0)
        of_vectors.addcmul_(weight[targets], grad.unsqueeze(1), value=-1.0)
        of_weight.index_add_(0, targets, vectors * -grad.unsqueeze(1))
        of_bias.index_add_(0, targets, -grad)
        return of_vectors, None, of_weight, of_bias, None, None
