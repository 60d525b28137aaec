"""
The convolutions over characters where nothing is kept for a way back: a fast peer of `char_convolutions`.

`char_convolutions_blocked` copies each window of each word, and multiplies all widths as the widest. Here
(`compiled/char_convolutions.c`) a window is read where it stands among its word's embedded characters, each width
multiplies what it has, and a word has only the windows that differ.
"""

import ctypes
from typing import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from elmo_plugin.bilm.ops.char_convolutions_blocked import num_distinct_windows
from elmo_plugin.bilm.ops.compiled_program import WIDTH, PanelMatrix, can_read, check_tensors, program


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
    maxima = embedded.new_empty(len(characters), sum(weight.size(0) for weight in weights))
    tasks, column = [], 0
    for weight, panel in zip(weights, panels):
        tasks.append(_Convolution(panel.data_ptr(), maxima[:, column:].data_ptr(), weight.size(2), weight.size(0)))
        column += weight.size(0)
    sizes = len(characters), num_characters, dim, maxima.size(1)
    words = _Words(embedded.data_ptr(), num_windows.data_ptr(), *sizes)
    pointer = ctypes.byref(words)
    library.elmo_char_convolutions(len(tasks), (_Convolution * len(tasks))(*tasks), pointer, torch.get_num_threads())
    # The largest of sums with a number is the largest with that number added, in floating point too.
    return maxima + torch.cat([bias.detach() for bias in biases])


class _Convolution(ctypes.Structure):
    """`struct convolution` of the program."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("weight", "maxima")),
        *((name, ctypes.c_int64) for name in ("width", "num_filters")),
    ]


class _Words(ctypes.Structure):
    """`struct words` of the program."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("embedded", "num_windows")),
        *((name, ctypes.c_int64) for name in ("num_words", "num_characters", "embedding_dim", "num_columns")),
    ]
