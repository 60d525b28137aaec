"""Finding the distinct words of a batch, so that what depends on a word alone is done once."""

from typing import Tuple

import torch
from torch import Tensor

from elmo_plugin.bilm.on_device import on_device


def distinct_words(words: Tensor) -> Tuple[Tensor, Tensor]:
    """
    The distinct words of a batch and where each stands: `types[indices]` equals `words`.

    Rows are compared by a 64-bit hash, and the result by the rows themselves; should two different rows ever share a
    hash, they are sorted in full, which is exact and slow.

    # Parameters

    words : Shape: (batch_size, num_tokens, max_characters), or (batch_size, num_tokens) for word ids

    # Returns

    types : Shape: (num_types, max_characters), or (num_types,)
    indices : Shape: (batch_size, num_tokens)
    """
    if words.dim() == 2:
        return torch.unique(words, return_inverse=True)
    # Shape: (batch_size * num_tokens, max_characters)
    rows = words.flatten(0, 1)
    hashes = (rows * on_device(_multipliers(rows.size(1)), rows.device)).sum(dim=1)
    unique_hashes, indices = torch.unique(hashes, return_inverse=True)
    # The last row of each hash; any would do. Shape: (num_types,)
    some_row = indices.new_zeros(unique_hashes.size(0)).scatter_(
        0, indices, torch.arange(rows.size(0), device=rows.device)
    )
    types = rows[some_row]
    if not torch.equal(types[indices], rows):
        types, indices = torch.unique(rows, dim=0, return_inverse=True)
    return types, indices.view(words.shape[:2])


def _multipliers(max_characters: int) -> Tensor:
    """Fixed odd numbers, one for each position. Shape: (max_characters,)"""
    generator = torch.Generator().manual_seed(20180215)
    return torch.randint(-(2**62), 2**62, (max_characters,), generator=generator) * 2 + 1
