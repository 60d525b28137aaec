"""
A product of some rows with a matrix that was laid out before, without gradients.

A library copies a matrix into its own form for each product, which for some tens of rows takes as long as the product.
"""

import ctypes
import math

import torch
from torch import Tensor

from elmo_plugin.bilm.ops.compiled_program import WIDTH, PanelMatrix, can_read, check_tensors, program


def is_for(weight: Tensor) -> bool:
    """Whether such a matrix, shape (out, in), can be laid out and multiplied by."""
    return weight.numel() > 0 and weight.size(0) % WIDTH == 0 and can_read(weight)


def linear_compiled(inputs: Tensor, matrix: PanelMatrix, bias: Tensor) -> Tensor:
    """
    `x weightᵀ + bias` of each row x, for a `matrix` of that weight and of one gate. A row's result is the same to the
    bit whatever rows are beside it.

    Shapes: (any number, in), (out, in), (out,) to (any number, out)

    # Raises

    `RuntimeError` where the program can't run; `ValueError` for tensors that do not fit together, as it would read
    beyond them.
    """
    outputs = torch.empty(len(inputs), matrix.panels.size(0) * WIDTH)
    _multiply(inputs, matrix, bias, outputs, in_panels=False)
    return outputs


def linear_in_panels(inputs: Tensor, matrix: PanelMatrix, bias: Tensor, room: Tensor) -> Tensor:
    """
    As `linear_compiled`, the results in panels of `WIDTH` columns: to write and to read some columns of many rows that
    are 64 KB long takes longer than to multiply them.

    # Parameters

    room : numbers of `float32` to write into, as many as results at least. Shape: (any number,)

    # Returns

    A part of `room`. Shape: (out / WIDTH, any number, WIDTH)

    # Raises

    As `linear_compiled`; `ValueError` for a room that is too small.
    """
    shape = matrix.panels.size(0), len(inputs), WIDTH
    if math.prod(shape) > len(room):
        raise ValueError(f"`room` should hold {math.prod(shape)} numbers, but it holds {len(room)}.")
    outputs = room[: math.prod(shape)].view(shape)
    _multiply(inputs, matrix, bias, outputs, in_panels=True)
    return outputs


def _multiply(inputs: Tensor, matrix: PanelMatrix, bias: Tensor, outputs: Tensor, in_panels: bool) -> None:
    library = program()
    num_panels, num_gates, in_features, _ = matrix.panels.shape
    out_features = num_panels * WIDTH
    check_tensors([("inputs", inputs, (len(inputs), in_features)), ("bias", bias, (out_features,))])
    if num_gates != 1:
        raise ValueError(f"`matrix` should have panels of one gate, but they are of {num_gates}.")
    rows, bias = (tensor.detach().float().contiguous() for tensor in (inputs, bias))
    pointers = (tensor.data_ptr() for tensor in (rows, matrix.panels, bias, outputs))
    is_half = matrix.panels.dtype == torch.float16
    task = _Linear(*pointers, len(rows), in_features, out_features, is_half, in_panels)
    library.elmo_linear(ctypes.byref(task), torch.get_num_threads())


class _Linear(ctypes.Structure):
    """`struct linear` of the program."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("rows", "weight", "bias", "outputs")),
        *((name, ctypes.c_int64) for name in ("num_rows", "in", "out", "is_half", "in_panels")),
    ]
