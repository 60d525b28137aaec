"""
The steps of `projected_lstm_triton`, there and back: what `projected_lstm_triton_graphs` captures.

They ask for no numbers, read and write tensors that stay where they are, and leave alone what they are not said to
write over.
"""

import math
from typing import List, NamedTuple, Sequence, Tuple

import torch
from torch import Tensor

from elmo_plugin.bilm.ops import projected_lstm_triton_kernels as kernels
from elmo_plugin.bilm.ops.projected_lstm import Chain

# Columns of one program.
MAX_BLOCK = 1024

# Of the memory and of what is projected; infinite where nothing is clipped.
Clips = Tuple[float, float]


class Operands(NamedTuple):
    """
    `Chain`s, each part of all of them in one copy, which the steps write over: gates become `Kept.gates`, hidden and
    memory those after the last step. Gates and weights are in the precision of products. All shapes begin with
    num_chains.
    """

    gates: Tensor
    hidden: Tensor
    memory: Tensor
    recurrent: Tensor
    projection: Tensor


class Kept(NamedTuple):
    """
    What the way back needs. All shapes begin with num_chains; packed ones go on with the sum of rows.

    gates : before their activations, packed. Width: 4 * cell_dim
    memories : before the clip, packed. Width: cell_dim
    exposed : σ(o) * tanh of the clipped memory, packed. Width: cell_dim
    projected : before the clip, packed. Width: projection_dim
    recurrent, projection : the weights in the precision of products.
    """

    gates: Tensor
    memories: Tensor
    exposed: Tensor
    projected: Tensor
    recurrent: Tensor
    projection: Tensor


class Slopes(NamedTuple):
    """
    Gradients, all chains in each: of the outputs, of the last hidden, of the last memory. On the way back the latter
    two become those of the first hidden and the first memory.
    """

    of_outputs: Tensor
    of_hidden: Tensor
    of_memory: Tensor


def operands_of(chains: Sequence[Chain], dtype: torch.dtype) -> Operands:
    """
    # Parameters

    dtype : of products.
    """
    gates, hidden, memory, recurrent, projection = (torch.stack(tensors) for tensors in zip(*chains))
    gates, recurrent, projection = (tensor.to(dtype) for tensor in (gates, recurrent, projection))
    return Operands(gates, hidden, memory, recurrent, projection)


def steps_forward(operands: Operands, rows: List[int], clips: Clips, keep: bool) -> Tuple[Tensor, Kept]:
    """
    The outputs, shape (num_chains, sum of rows, projection_dim); and, if `keep`, what holds all steps.

    # Parameters

    rows : of each step, none of them 0.
    """
    gates, hidden, memory, recurrent, projection = operands
    num_chains, num_tokens = gates.shape[:2]
    # Of all steps, or of one. Shapes: (num_chains, number of rows, cell_dim)
    num_kept = num_tokens if keep else memory.size(1)
    exposed = gates.new_empty(num_chains, num_kept, memory.size(2))
    memories = memory.new_empty(num_chains, num_kept if keep else 0, memory.size(2))
    # Shapes: (num_chains, num_tokens, projection_dim)
    projected = gates.new_empty(num_chains, num_tokens, hidden.size(2))
    outputs = hidden.new_empty(projected.shape)
    operand = hidden.to(gates.dtype)
    begin = 0
    for num_rows in rows:
        step, own = slice(begin, begin + num_rows), slice(begin if keep else 0, (begin if keep else 0) + num_rows)
        gates[:, step].baddbmm_(operand[:, :num_rows], recurrent.mT)
        cell = gates[:, step], memory[:, :num_rows], memories[:, own], exposed[:, own]
        _launch(kernels.cell_forward, cell, memory.size(2), clips[:1], KEEP=keep)
        torch.bmm(exposed[:, own], projection.mT, out=projected[:, step])
        epilogue = projected[:, step], outputs[:, step], hidden[:, :num_rows], operand[:, :num_rows]
        _launch(kernels.clip_forward, epilogue, hidden.size(2), clips[1:])
        begin += num_rows
    return outputs, Kept(gates, memories, exposed, projected, recurrent, projection)


def steps_back(
    slopes: Slopes, kept: Kept, first_memory: Tensor, rows: List[int], clips: Clips
) -> Tuple[Tensor, Tensor]:
    """
    Gradients, all chains in each: of the gates before their activations, of what was projected. Those of hidden and
    memory are in `slopes` then.

    # Parameters

    first_memory : before the first step. Shape: (num_chains, batch_size, cell_dim)
    """
    of_outputs, of_last_hidden, of_memory = slopes
    of_gates, of_projected = torch.empty_like(kept.gates), torch.empty_like(kept.projected)
    of_hidden = of_last_hidden.to(kept.gates.dtype)
    of_exposed = kept.exposed.new_empty(first_memory.shape)
    end = sum(rows)
    for number in reversed(range(len(rows))):
        num_rows = rows[number]
        step = slice(end - num_rows, end)
        epilogue = of_outputs[:, step], of_hidden[:, :num_rows], kept.projected[:, step], of_projected[:, step]
        _launch(kernels.clip_backward, epilogue, of_hidden.size(2), clips[1:])
        torch.bmm(of_projected[:, step], kept.projection, out=of_exposed[:, :num_rows])
        before, bound = first_memory, math.inf
        if number > 0:
            before, bound = kept.memories[:, end - num_rows - rows[number - 1] :], clips[0]
        of_cell = of_exposed[:, :num_rows], of_memory[:, :num_rows], of_gates[:, step]
        cell = kept.gates[:, step], kept.memories[:, step], before[:, :num_rows], *of_cell
        _launch(kernels.cell_backward, cell, first_memory.size(2), (clips[0], bound))
        torch.bmm(of_gates[:, step], kept.recurrent, out=of_hidden[:, :num_rows])
        end -= num_rows
    # Rows without a step have the gradient that came.
    num_rows = rows[0] if rows else 0
    of_last_hidden[:, :num_rows] = of_hidden[:, :num_rows]
    return of_gates, of_projected


def _launch(kernel, tensors: Sequence[Tensor], width: int, bounds: Sequence[float], **constants: bool) -> None:
    """
    # Parameters

    tensors : parts of packed ones, whose rows are contiguous. Shapes: (num_chains, number of rows, …)
    width : of a row that is shared out among programs.
    """
    num_chains, num_rows = tensors[0].shape[:2]
    block = min(MAX_BLOCK, 1 << (width - 1).bit_length())
    compute = kernels.tl.float64 if tensors[1].dtype == torch.float64 else kernels.tl.float32
    strides = [tensor.stride(0) for tensor in tensors]
    grid = (num_rows, -(-width // block), num_chains)
    kernel[grid](*tensors, *strides, width, *bounds, COMPUTE=compute, BLOCK=block, **constants)
