"""The sum over the sample in a sampled softmax, plainly."""

import math

import torch
from torch import Tensor


def log_sum_over_sample(vectors: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, sampled: Tensor) -> Tensor:
    """
    `log Σ_{s: sampled_s ≠ target} exp(vector · weight_s + bias_s)` for each vector.

    # Parameters

    vectors : Shape: (num_tokens, projection_dim)
    weight, bias : of the sampled words. Shapes: (num_samples, projection_dim), (num_samples,)
    targets : word ids. Shape: (num_tokens,)
    sampled : word ids, each once. Shape: (num_samples,)

    # Returns

    Shape: (num_tokens,)
    """
    # Under autocast the products have fewer digits, sums of exponentials never. Shape: (num_tokens, num_samples)
    logits = torch.mm(vectors, weight.t()).to(bias.dtype) + bias
    return torch.logsumexp(logits.masked_fill(targets.unsqueeze(1) == sampled.unsqueeze(0), -math.inf), dim=1)
