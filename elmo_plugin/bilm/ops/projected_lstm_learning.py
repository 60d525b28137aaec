"""
The recurrence of projected LSTM layers where something is learned, its steps there and back in the program in C: a
fast peer of `projected_lstm` for processors with AVX2.

It is `projected_lstm_buffered` but for the steps (`compiled/projected_lstm_learning.c`): torch has a call for each
small operation of them, and copies the weights before it multiplies few rows with them. The weights are laid out anew
for each window, as each has changed them.

Where the program is not (`compiled_program`), torch's operations run the steps.
"""

import ctypes
import math
from typing import Callable, List, Optional, Sequence, Tuple

import torch
from torch import Tensor

from elmo_plugin.bilm.ops.compiled_program import WIDTH, PanelMatrix, check_tensors, laid_apart, program, rows_apart
from elmo_plugin.bilm.ops.projected_lstm import Chain, ChainOutput
from elmo_plugin.bilm.ops.projected_lstm_buffered import Steps, projected_lstms_buffered
from elmo_plugin.bilm.ops.projected_lstm_buffered_steps import Buffers, Clips, Joined, Slopes, State
from elmo_plugin.bilm.ops.projected_lstm_compiled import MAX_CHAINS


def projected_lstms_learning(
    chains: Sequence[Chain], rows_per_step: Sequence[int], cell_clip: Optional[float], projection_clip: Optional[float]
) -> List[ChainOutput]:
    """
    The values and gradients of `ops.projected_lstm.projected_lstms`; see there for the formula and the shapes. Input
    gates must be `Inputs`, tensors of `float32`, and widths multiples of 16. Gradients of gradients are refused.

    # Raises

    `RuntimeError` where the program can't run; `ValueError` for tensors that do not fit together, as it would read
    beyond them.
    """
    return projected_lstms_buffered(chains, rows_per_step, cell_clip, projection_clip, IN_C)


def new(_: Tensor, shape: Sequence[int]) -> Tensor:
    """Rows a little apart."""
    return rows_apart(*shape)


def steps_forward(joined: Joined, buffers: Buffers, state: State, rows: List[int], clips: Clips) -> None:
    """As `projected_lstm_buffered_steps.steps_forward`."""
    _check(joined, buffers, state, None, rows)
    # A library's product with a bias begins by copying that; the steps add it.
    for gates, vectors, weight in zip(buffers.gates, joined.vectors, joined.weight_input):
        torch.mm(vectors, weight.t(), out=gates)
    panels = [
        (PanelMatrix(recurrent, num_gates=4), PanelMatrix(projection))
        for recurrent, projection in zip(joined.weight_recurrent, joined.weight_projection)
    ]
    _run(program().elmo_steps_there, buffers, joined.bias.contiguous(), state, panels, None, rows, clips)


def steps_back(slopes: Slopes, joined: Joined, buffers: Buffers, rows: List[int], clips: Clips) -> None:
    """As `projected_lstm_buffered_steps.steps_back`."""
    buffers = Buffers(*map(laid_apart, buffers))
    before = State(laid_apart(joined.hidden), laid_apart(joined.memory))
    _check(joined, buffers, before, slopes, rows)
    panels = [
        (PanelMatrix(recurrent.t()), PanelMatrix(projection.t()))
        for recurrent, projection in zip(joined.weight_recurrent, joined.weight_projection)
    ]
    _run(program().elmo_steps_back, buffers, joined.bias, before, panels, slopes, rows, clips)


IN_C = Steps(new, steps_forward, steps_back)


def _run(
    run: Callable[..., None],
    buffers: Buffers,
    bias: Tensor,
    state: State,
    panels: Sequence[Tuple[PanelMatrix, PanelMatrix]],
    slopes: Optional[Slopes],
    rows: List[int],
    clips: Clips,
) -> None:
    """Each tensor is written to where it lies; they have been checked."""
    (num_chains, batch_size, cell_dim), num_threads = state.memory.shape, torch.get_num_threads()
    at_work = state.memory.new_empty(num_chains, num_threads, 4, batch_size, WIDTH)
    described = []
    for index, (recurrent, projection) in enumerate(panels):
        tensors = [buffers.gates[index], bias[index], *(tensor[index] for tensor in (*buffers[1:], *state))]
        tensors += [recurrent.panels, projection.panels, at_work[index]]
        tensors += [] if slopes is None else [tensor[index] for tensor in slopes]
        described.append(_Learning(*(tensor.data_ptr() for tensor in tensors)))
    counts = (ctypes.c_int64 * len(rows))(*rows)
    bounds = [math.inf if clip is None else clip for clip in clips]
    dims = len(rows), batch_size, cell_dim, state.hidden.size(2)
    strides = buffers.gates.stride(1), state.memory.stride(1), state.hidden.stride(1)
    sizes = _Sizes(*dims, ctypes.addressof(counts), *bounds, *strides)
    for start in range(0, num_chains, MAX_CHAINS):
        some = described[start : start + MAX_CHAINS]
        run(len(some), (_Learning * len(some))(*some), ctypes.byref(sizes), num_threads)


def _check(joined: Joined, buffers: Buffers, state: State, slopes: Optional[Slopes], rows: List[int]) -> None:
    num_chains, batch_size, cell_dim = state.memory.shape
    dim, num_tokens = state.hidden.size(2), sum(rows)
    of_rows = {"hidden": (num_chains, batch_size, dim), "memory": (num_chains, batch_size, cell_dim)}
    packed = {"gates": 4 * cell_dim, "memories": cell_dim, "squashed": cell_dim, "exposed": cell_dim, "projected": dim}
    shapes = {**of_rows, **{name: (num_chains, num_tokens, width) for name, width in packed.items()}}
    given = {**state._asdict(), **buffers._asdict()}
    expected = [(name, tensor, shapes[name]) for name, tensor in given.items()]
    if slopes is not None:
        expected += [(f"slopes.{name}", tensor, shapes[name]) for name, tensor in slopes._asdict().items()]
    wide, of_inputs = 4 * cell_dim, joined.vectors.size(2)
    of_joined: List[Tuple[int, ...]] = [(num_tokens, of_inputs), (wide, of_inputs), (wide,)]
    of_joined += [(batch_size, dim), (batch_size, cell_dim), (wide, dim), (dim, cell_dim)]
    named = [(name, tensor, (num_chains, *shape)) for (name, tensor), shape in zip(joined._asdict().items(), of_joined)]
    check_tensors([*named, *expected])
    for name, tensor, (*_, num_rows, width) in expected:
        strides = num_rows * (width + WIDTH), width + WIDTH, 1
        if tensor.dtype != torch.float32 or tensor.numel() > 0 and tensor.stride() != strides:
            raise ValueError(f"`{name}` should be of float32 and its rows {WIDTH} numbers apart, but it is not.")
    if cell_dim % WIDTH != 0 or dim % WIDTH != 0:
        raise ValueError(f"Widths should be multiples of {WIDTH}, but they are {cell_dim} and {dim}.")
    are_of_batch = all(0 < num_rows <= batch_size for num_rows in rows)
    if not are_of_batch or rows != sorted(rows, reverse=True):
        raise ValueError(f"`rows` should be from 1 to {batch_size} and never increase, but they are {rows}.")


class _Learning(ctypes.Structure):
    """`struct learning` of the program."""

    _names = (
        *("gates", "bias", "memories", "squashed", "exposed", "projected", "hidden", "memory", "recurrent"),
        *("projection", "at_work", "of_gates", "of_projected", "of_hidden", "of_memory"),
    )
    _fields_ = [(name, ctypes.c_void_p) for name in _names]


class _Sizes(ctypes.Structure):
    """`struct learning_sizes` of the program."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("num_steps", "batch_size", "cell_dim", "projection_dim")),
        ("rows_per_step", ctypes.c_void_p),
        ("cell_clip", ctypes.c_float),
        ("projection_clip", ctypes.c_float),
        *((name, ctypes.c_int64) for name in ("gate_stride", "cell_stride", "stride")),
    ]
