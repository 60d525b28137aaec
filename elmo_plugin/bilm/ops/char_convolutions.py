"""The convolutions over the characters of words and the maximum over positions, plainly."""

from typing import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from elmo_plugin.bilm.characters import MASK_ID


def char_convolutions(
    characters: Tensor, embedding: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor]
) -> Tensor:
    """
    For each width, each of its filters f, and each word of characters c_1, c_2, …

        feature_f = max over positions p of  b_f + Σ_k W_f[:, k] · E[c_{p+k}]

    # Parameters

    characters : shifted character ids, at least as many as the widest filter. The embedding of `MASK_ID` gets no
        gradient. Shape: (num_types, max_characters), `int64`
    embedding : Shape: (number of characters, embedding_dim)
    weights, biases : of each width. Shapes: (number of filters, embedding_dim, width), (number of filters,)

    # Returns

    Shape: (num_types, sum of the numbers of filters)
    """
    # Shape: (num_types, embedding_dim, max_characters)
    embedded = functional.embedding(characters, embedding, padding_idx=MASK_ID).transpose(1, 2)
    features = [functional.conv1d(embedded, weight, bias).amax(dim=2) for weight, bias in zip(weights, biases)]
    return torch.cat(features, dim=1)
