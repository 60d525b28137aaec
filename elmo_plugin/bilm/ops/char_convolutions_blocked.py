"""
The convolutions over characters as products of matrices, block by block: the fast peer of `char_convolutions`.

All widths are one product: of the widest window at every position with the joined weights, zero where a filter is
narrower. That is a sixth more arithmetic than the filters of ELMo need, at five times the speed.

Words are sorted by length and cut into blocks of similar ones, each only as wide as its longest word and one position
behind it: from there on all windows hold padding alone and are alike, so that no maximum changes. (With 50 positions
a word, four of five windows are such padding.) A block is small enough to stay in the cache from its product to its
maximum.

The way back keeps what was maximised over, one number for each filter and window that was looked at. A gradient goes to
the position that held the maximum, in equal shares where several did, as `torch.amax` has it.
"""

import math
from typing import List, NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from elmo_plugin.bilm.characters import MASK_ID

# Of a block: windows, and windows times filters (4 MB in float32).
MAX_WINDOWS = 1024
MAX_NUMBERS = 2**20

_times_clip_slope = torch.ops.aten.hardtanh_backward.grad_input


def char_convolutions_blocked(
    characters: Tensor, embedding: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor]
) -> Tensor:
    """
    The values and gradients of `ops.char_convolutions.char_convolutions`; see there for the formula and the shapes.
    Gradients of gradients are refused.
    """
    tensors = (embedding, *weights)
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        maxima = _Maxima.apply(characters, *tensors)
    else:
        maxima, _ = _forward(characters, embedding, weights, _blocks(characters, weights), keep=False)
    # The largest of sums with a number is the largest with that number added, in floating point too.
    return maxima + torch.cat(list(biases))


class _Block(NamedTuple):
    """
    Words of similar length.

    types : which. Shape: (words of the block,)
    num_positions : where windows of theirs may begin.
    """

    types: Tensor
    num_positions: int


def _blocks(characters: Tensor, weights: Sequence[Tensor]) -> List[_Block]:
    """All words, the longest first."""
    windows, order = torch.sort(num_distinct_windows(characters), descending=True, stable=True)
    max_windows = min(MAX_WINDOWS, MAX_NUMBERS // sum(weight.size(0) for weight in weights))
    blocks, counts = [], windows.tolist()
    while len(order) > 0:
        num_positions = counts[-len(order)]
        size = max(1, max_windows // num_positions)
        blocks.append(_Block(order[:size], num_positions))
        order = order[size:]
    return blocks


def num_distinct_windows(characters: Tensor) -> Tensor:
    """
    The positions of a word up to one window of nothing but padding; those behind it, if any, are like this last one.

    Shape: (num_types, max_characters) to (num_types,), `int64`
    """
    max_characters = characters.size(1)
    # Where a word differs from its last character, which is padding unless the word has none.
    lengths = ((characters != characters[:, -1:]) * torch.arange(1, max_characters + 1)).amax(dim=1)
    return (lengths + 1).clamp_(max=max_characters)


def joined_weights(weights: Sequence[Tensor]) -> Tensor:
    """Shape: (widest * embedding_dim, number of all filters)"""
    widest = max(weight.size(2) for weight in weights)
    padded = [functional.pad(weight, (0, widest - weight.size(2))) for weight in weights]
    return torch.cat(padded).permute(2, 1, 0).flatten(0, 1)


def _split(joined: Tensor, weights: Sequence[Tensor]) -> List[Tensor]:
    """The inverse of `joined_weights`, for tensors of the shapes of `weights`."""
    # Shape: (number of all filters, embedding_dim, widest)
    filters = joined.view(-1, weights[0].size(1), joined.size(1)).permute(2, 1, 0)
    parts = filters.split([weight.size(0) for weight in weights])
    return [part[:, :, : weight.size(2)].contiguous() for part, weight in zip(parts, weights)]


def _characters_of(block: _Block, characters: Tensor, widest: int) -> Tensor:
    """Of all windows of a block. Shape: (words of the block, num_positions + widest - 1)"""
    end = block.num_positions + widest - 1
    return functional.pad(characters[block.types, :end], (0, max(0, end - characters.size(1))), value=MASK_ID)


def _forward(
    characters: Tensor, embedding: Tensor, weights: Sequence[Tensor], blocks: Sequence[_Block], keep: bool
) -> Tuple[Tensor, List[Tensor]]:
    """
    The maxima, without biases; and, if `keep`, of each block the embedded windows and the sums maximised over.
    Shapes: (num_types, number of all filters); (words of the block * num_positions, widest * embedding_dim),
    (words of the block, num_positions, number of all filters)
    """
    joined, kept = joined_weights(weights), []
    widest = joined.size(0) // embedding.size(1)
    maxima = joined.new_empty(characters.size(0), joined.size(1))
    sizes = [len(block.types) * block.num_positions for block in blocks]
    shared = joined.new_empty(0 if keep else max(sizes, default=0), joined.size(1))
    for block, size in zip(blocks, sizes):
        embedded = functional.embedding(_characters_of(block, characters, widest), embedding)
        windows = embedded.flatten(1).unfold(1, joined.size(0), embedding.size(1)).reshape(size, -1)
        sums = joined.new_empty(size, joined.size(1)) if keep else shared[:size]
        torch.mm(windows, joined, out=sums)
        sums = sums.view(-1, block.num_positions, joined.size(1))
        _leave_out_windows_past_the_end(sums, characters.size(1), weights)
        maxima[block.types] = sums.amax(dim=1)
        kept += [windows, sums] if keep else []
    return maxima, kept


def _leave_out_windows_past_the_end(sums: Tensor, max_characters: int, weights: Sequence[Tensor]) -> None:
    """In place, for words that leave no room for padding. Shape: (words, num_positions, number of all filters)"""
    for part, weight in zip(sums.split([weight.size(0) for weight in weights], dim=2), weights):
        part[:, max_characters - weight.size(2) + 1 :] = -math.inf


class _Maxima(torch.autograd.Function):
    @staticmethod
    def forward(ctx, characters: Tensor, embedding: Tensor, *weights: Tensor) -> Tensor:
        ctx.blocks = _blocks(characters, weights)
        maxima, kept = _forward(characters, embedding, weights, ctx.blocks, keep=True)
        ctx.num_characters = embedding.size(0)
        ctx.save_for_backward(characters, maxima, *weights, *kept)
        return maxima

    @staticmethod
    @once_differentiable
    def backward(ctx, of_maxima: Tensor) -> Tuple[Optional[Tensor], ...]:
        num_weights = len(ctx.needs_input_grad) - 2
        characters, maxima, *others = ctx.saved_tensors
        weights, kept = others[:num_weights], others[num_weights:]
        joined = joined_weights(weights)
        of_joined, of_embedding = torch.zeros_like(joined), joined.new_zeros(ctx.num_characters, weights[0].size(1))
        for block, windows, sums in zip(ctx.blocks, kept[::2], kept[1::2]):
            # Shape: (windows, number of all filters)
            of_sums = _share(of_maxima[block.types], sums, maxima[block.types]).flatten(0, 1)
            if any(ctx.needs_input_grad[2:]):
                of_joined.addmm_(windows.t(), of_sums)
            if ctx.needs_input_grad[1]:
                of_windows = (of_sums @ joined.t()).view(*sums.shape[:2], -1, weights[0].size(1))
                _add_to_embedding(of_embedding, of_windows, _characters_of(block, characters, of_windows.size(2)))
        return (None, of_embedding, *_split(of_joined, weights))


def _share(of_maxima: Tensor, sums: Tensor, maxima: Tensor) -> Tensor:
    """
    The gradient of a maximum in equal shares to the numbers that are as large.

    Shapes: (words, filters), (words, positions, filters), (words, filters) to (words, positions, filters)
    """
    below = sums - maxima.unsqueeze(1)
    # 1 where it is 0, else 0: the slope of a clip. This takes one pass; a comparison, a conversion and a product take
    # five times as long.
    is_maximum = _times_clip_slope(below.new_ones(()), below, -torch.finfo(below.dtype).tiny, 1.0, grad_input=below)
    return is_maximum.mul_((of_maxima / is_maximum.sum(dim=1)).unsqueeze(1))


def _add_to_embedding(of_embedding: Tensor, of_windows: Tensor, characters: Tensor) -> None:
    """
    In place. Shapes: (number of characters, embedding_dim), (words, num_positions, widest, embedding_dim),
    (words, num_positions + widest - 1)
    """
    of_embedded = of_windows.new_zeros(*characters.shape, of_embedding.size(1))
    for offset, of_offset in enumerate(of_windows.unbind(dim=2)):
        of_embedded[:, offset : offset + of_offset.size(1)] += of_offset
    of_embedding += torch.ops.aten.embedding_dense_backward(
        of_embedded, characters, of_embedding.size(0), MASK_ID, False
    )
