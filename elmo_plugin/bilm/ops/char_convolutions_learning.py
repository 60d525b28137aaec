"""
The convolutions over characters where something is learned: a fast peer of `char_convolutions`, its way there that of
`char_convolutions_compiled`.

Kept for the way back: the embedded characters, and for each word and filter the position of the maximum. That is all
a gradient goes to, so of the three products of a convolution only the one on the way there is made
(`compiled/char_convolutions.c`). Where several windows hold the same maximum, the first gets the gradient; where these
are windows of the same characters, as they nearly always are, all gradients are those of `torch.amax`, which shares.
"""

import ctypes
from typing import Optional, Sequence, Tuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from elmo_plugin.bilm.characters import MASK_ID
from elmo_plugin.bilm.ops.char_convolutions_compiled import Words, maxima_of
from elmo_plugin.bilm.ops.compiled_program import laid_apart, program, rows_apart


def char_convolutions_learning(
    characters: Tensor, embedding: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor]
) -> Tensor:
    """
    The values and gradients of `ops.char_convolutions.char_convolutions`; see there for the formula and the shapes.
    Gradients of gradients are refused.

    # Raises

    As `char_convolutions_compiled`.
    """
    # The largest of sums with a number is the largest with that number added, in floating point too.
    return _Maxima.apply(characters, embedding, *weights) + torch.cat(list(biases))


class _Maxima(torch.autograd.Function):
    @staticmethod
    def forward(ctx, characters: Tensor, embedding: Tensor, *weights: Tensor) -> Tensor:
        num_filters = sum(weight.size(0) for weight in weights)
        positions = rows_apart(len(characters), num_filters, dtype=torch.int32)
        maxima, embedded = maxima_of(characters, embedding, weights, positions)
        ctx.num_characters = embedding.size(0)
        ctx.save_for_backward(characters, embedded, positions, *weights)
        return maxima

    @staticmethod
    @once_differentiable
    def backward(ctx, of_maxima: Tensor) -> Tuple[Optional[Tensor], ...]:
        characters, embedded, positions, *weights = ctx.saved_tensors
        needs_embedding, *need_weights = ctx.needs_input_grad[1:]
        embedded, positions, slopes = embedded.contiguous(), laid_apart(positions), laid_apart(of_maxima)
        of_embedded = torch.zeros_like(embedded) if needs_embedding else None
        # Shapes: (number of filters, width, embedding_dim)
        filters = [weight.transpose(1, 2).contiguous() for weight in weights]
        of_filters = [torch.zeros_like(one) if is_needed else None for one, is_needed in zip(filters, need_weights)]
        tasks, column = [], 0
        for one, of_one in zip(filters, of_filters):
            pointers = one.data_ptr(), None if of_one is None else of_one.data_ptr()
            places = slopes[:, column:].data_ptr(), positions[:, column:].data_ptr()
            tasks.append(_ConvolutionBack(*pointers, *places, one.size(1), one.size(0)))
            column += one.size(0)
        words = Words.of(embedded, None, slopes)
        program().elmo_char_convolutions_back(
            len(tasks),
            (_ConvolutionBack * len(tasks))(*tasks),
            ctypes.byref(words),
            None if of_embedded is None else of_embedded.data_ptr(),
            torch.get_num_threads(),
        )
        of_embedding = None
        if of_embedded is not None:
            of_embedding = torch.ops.aten.embedding_dense_backward(
                of_embedded, characters, ctx.num_characters, MASK_ID, False
            )
        return (None, of_embedding, *(None if one is None else one.transpose(1, 2).contiguous() for one in of_filters))


class _ConvolutionBack(ctypes.Structure):
    """`struct convolution_back` of the program."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("weight", "of_weight", "of_maxima", "positions")),
        *((name, ctypes.c_int64) for name in ("width", "num_filters")),
    ]
