"""
The sum over the sample in one buffer: the fast peer of `sampled_softmax`.

All that is as large as the logits is the logits: their exponentials overwrite them, and are all that the way back
needs, as

    ∂/∂vectors = diag(slope / sum) E weight,   ∂/∂weight = Eᵀ diag(slope / sum) vectors

puts the factors of each row on the small side of the products. The few words that are their own token's target are
looked up, not searched for among all pairs.
"""

import math
from typing import Optional, Tuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def log_sum_over_sample_inplace(
    vectors: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, sampled: Tensor
) -> Tensor:
    """
    The values and gradients of `ops.sampled_softmax.log_sum_over_sample`; see there for the formula and the shapes.
    Gradients of gradients are refused.
    """
    return _LogSum.apply(vectors, weight, bias, targets, sampled)


class _LogSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx, vectors: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, sampled: Tensor) -> Tensor:
        # Shape: (num_tokens, num_samples)
        terms = torch.addmm(bias, vectors, weight.t())
        terms[_own_targets(targets, sampled)] = -math.inf
        # Not minus infinity where the target is all that was drawn. Shape: (num_tokens,)
        largest = terms.amax(dim=1).clamp_(min=torch.finfo(terms.dtype).min)
        sums = terms.sub_(largest.unsqueeze(1)).exp_().sum(dim=1)
        ctx.save_for_backward(vectors, weight, terms, sums)
        return sums.log().add_(largest)

    @staticmethod
    @once_differentiable
    def backward(ctx, slope: Tensor) -> Tuple[Optional[Tensor], ...]:
        vectors, weight, terms, sums = ctx.saved_tensors
        factors = slope / sums.clamp(min=torch.finfo(sums.dtype).tiny)
        of_vectors = (terms @ weight).mul_(factors.unsqueeze(1))
        # The bias is the weight of a feature that is 1. Shape: (num_samples, projection_dim + 1)
        of_weight_and_bias = terms.t() @ torch.cat([vectors * factors.unsqueeze(1), factors.unsqueeze(1)], dim=1)
        return of_vectors, of_weight_and_bias[:, :-1], of_weight_and_bias[:, -1], None, None


def _own_targets(targets: Tensor, sampled: Tensor) -> Tuple[Tensor, Tensor]:
    """Which token has which place of the sample as its target. Shapes: (number of such pairs,) twice"""
    in_order, order = torch.sort(sampled)
    places = torch.searchsorted(in_order, targets).clamp_(max=sampled.size(0) - 1)
    tokens = (in_order[places] == targets).nonzero().squeeze(1)
    return tokens, order[places[tokens]]
