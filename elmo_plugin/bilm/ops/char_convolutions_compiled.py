"""
The convolutions over characters where nothing is kept for a way back: a fast peer of `char_convolutions`.

`char_convolutions_blocked` copies each window of each word, and multiplies all widths as the widest. Here
(`compiled/char_convolutions.c`) a window is read where it stands among its word's embedded characters, each width
multiplies what it has, and a word has only the windows that differ.
"""

import ctypes
from typing import Optional, Sequence, Tuple

import torch
from torch import Tensor
from torch.nn import functional

from elmo_plugin.bilm.ops.char_convolutions_blocked import num_distinct_windows
from elmo_plugin.bilm.ops.compiled_program import WIDTH, PanelMatrix, can_read, check_tensors, program, rows_apart


def is_for(embedding: Tensor, weights: Sequence[Tensor]) -> bool:
    """Whether such filters, shapes as in `char_convolutions`, can be run."""
    return all(weight.size(0) % WIDTH == 0 for weight in weights) and can_read(embedding, *weights)


def char_convolutions_compiled(
    characters: Tensor, embedding: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor]
) -> Tensor:
    """
    The values of `ops.char_convolutions.char_convolutions`; see there for the formula and the shapes. A word's result
    is the same to the bit whatever words are beside it.

    # Raises

    `RuntimeError` where the program can't run; `ValueError` for tensors that do not fit together, as it would read
    beyond them.
    """
    maxima, _ = maxima_of(characters, embedding, weights)
    # The largest of sums with a number is the largest with that number added, in floating point too.
    return maxima + torch.cat([bias.detach() for bias in biases])


def maxima_of(
    characters: Tensor, embedding: Tensor, weights: Sequence[Tensor], positions: Optional[Tensor] = None
) -> Tuple[Tensor, Tensor]:
    """
    The maxima, without biases, and the embedded characters.

    # Parameters

    positions : to write into where the maxima were found, the first of each; its rows may lie apart.
        Shape: (num_types, sum of the numbers of filters), `int32`

    # Returns

    Laid out like `positions` where they are given.
    Shapes: (num_types, sum of the numbers of filters), (num_types, max_characters, embedding_dim)
    """
    library = program()
    dim, num_characters = embedding.size(1), characters.size(1)
    check_tensors([("embedding", embedding, tuple(embedding.shape))])
    for number, weight in enumerate(weights):
        if weight.size(1) != dim or weight.size(0) % WIDTH != 0 or weight.size(2) > num_characters:
            raise ValueError(
                f"`weights[{number}]` should have the shape (a multiple of {WIDTH}, {dim}, at most {num_characters}), "
                f"but it has {tuple(weight.shape)}."
            )
    # All of these are needed until the program has returned.
    embedded = functional.embedding(characters, embedding.detach()).float().contiguous()
    num_windows = num_distinct_windows(characters).contiguous()
    # Shapes: (number of filters, width * embedding_dim), in panels
    panels = [PanelMatrix(weight.transpose(1, 2).flatten(1)).panels for weight in weights]
    shape = len(characters), sum(weight.size(0) for weight in weights)
    maxima = embedded.new_empty(shape) if positions is None else rows_apart(*shape)
    tasks, column = [], 0
    for weight, panel in zip(weights, panels):
        places = [part[:, column:].data_ptr() for part in (maxima, positions) if part is not None]
        places += [None] * (2 - len(places))
        tasks.append(_Convolution(panel.data_ptr(), *places, weight.size(2), weight.size(0)))
        column += weight.size(0)
    words = Words.of(embedded, num_windows, maxima)
    pointer = ctypes.byref(words)
    library.elmo_char_convolutions(len(tasks), (_Convolution * len(tasks))(*tasks), pointer, torch.get_num_threads())
    return maxima, embedded


class _Convolution(ctypes.Structure):
    """`struct convolution` of the program."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("weight", "maxima", "positions")),
        *((name, ctypes.c_int64) for name in ("width", "num_filters")),
    ]


class Words(ctypes.Structure):
    """`struct words` of the program."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("embedded", "num_windows")),
        *((name, ctypes.c_int64) for name in ("num_words", "num_characters", "embedding_dim", "num_columns")),
    ]

    @classmethod
    def of(cls, embedded: Tensor, num_windows: Optional[Tensor], of_filters: Tensor) -> "Words":
        """
        # Parameters

        of_filters : with a number for each word and filter, as all such tensors are laid out.
        """
        windows = None if num_windows is None else num_windows.data_ptr()
        return cls(embedded.data_ptr(), windows, *embedded.shape, of_filters.stride(0))
