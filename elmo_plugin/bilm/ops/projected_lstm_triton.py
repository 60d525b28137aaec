"""
The recurrence of projected LSTM layers on a GPU: the peer of `projected_lstm` that has its own kernels there.

A step is four launches for all chains together, and four on the way back: two products by the library that torch
multiplies with, and one kernel behind each (`projected_lstm_triton_kernels`). What the steps write is packed as in
`projected_lstm_buffered`, and the gradients of the weights are one product over all steps.

Products are in the precision of autocast where that is on, else of the weights; so is all that they read and write.
The state, which lives long, keeps its own precision, and what is no product is computed in float32 at least.

Kept for the way back, a token: 5 numbers of `cell_dim` and 1 of `projection_dim` in the precision of products; 1 of
`cell_dim` and 1 of `projection_dim` in that of the state.
"""

import math
from typing import List, NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from elmo_plugin.bilm.ops import projected_lstm_triton_kernels as kernels
from elmo_plugin.bilm.ops.projected_lstm import Chain, ChainOutput, hidden_before_each_step

# Columns of one program.
MAX_BLOCK = 1024


def projected_lstms_triton(
    chains: Sequence[Chain], rows_per_step: Sequence[int], cell_clip: Optional[float], projection_clip: Optional[float]
) -> List[ChainOutput]:
    """
    The values and gradients of `ops.projected_lstm.projected_lstms`; see there for the formula and the shapes.
    Gradients of gradients are refused.
    """
    rows = [num_rows for num_rows in rows_per_step if num_rows > 0]
    clips = tuple(math.inf if clip is None else clip for clip in (cell_clip, projection_clip))
    tensors = [tensor for chain in chains for tensor in chain]
    with torch.cuda.device_of(chains[0].memory):
        if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
            results = _ProjectedLstms.apply(rows, clips, *tensors)
        else:
            results, _ = _forward(chains, rows, clips, keep=False)
    return [ChainOutput(*results[start : start + 3]) for start in range(0, len(results), 3)]


class _Kept(NamedTuple):
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


def _forward(
    chains: Sequence[Chain], rows: List[int], clips: Tuple[float, float], keep: bool
) -> Tuple[List[Tensor], _Kept]:
    """Outputs, last hidden and last memory of each chain in turn; and, if `keep`, what holds all steps."""
    dtype = dtype_of_products(chains[0])
    gates, hidden, memory, recurrent, projection = (torch.stack(tensors) for tensors in zip(*chains))
    gates, recurrent, projection = (tensor.to(dtype) for tensor in (gates, recurrent, projection))
    num_chains, num_tokens = gates.shape[:2]
    # Of all steps, or of one. Shapes: (num_chains, number of rows, cell_dim)
    num_kept = num_tokens if keep else memory.size(1)
    exposed = gates.new_empty(num_chains, num_kept, memory.size(2))
    memories = memory.new_empty(num_chains, num_kept if keep else 0, memory.size(2))
    # Shapes: (num_chains, num_tokens, projection_dim)
    projected = gates.new_empty(num_chains, num_tokens, hidden.size(2))
    outputs = hidden.new_empty(projected.shape)
    operand = hidden.to(dtype)
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
    results = [tensor.clone() for chain in zip(outputs, hidden, memory) for tensor in chain]
    return results, _Kept(gates, memories, exposed, projected, recurrent, projection)


class _ProjectedLstms(torch.autograd.Function):
    @staticmethod
    def forward(ctx, rows: List[int], clips: Tuple[float, float], *tensors: Tensor):
        chains = [Chain(*tensors[start : start + 5]) for start in range(0, len(tensors), 5)]
        results, kept = _forward(chains, rows, clips, keep=True)
        states = [tensor for chain in chains for tensor in (chain.hidden, chain.memory)]
        ctx.save_for_backward(*kept, *results[::3], *states)
        ctx.rows, ctx.clips, ctx.dtypes = rows, clips, [tensor.dtype for tensor in tensors]
        return tuple(results)

    @staticmethod
    @once_differentiable
    def backward(ctx, *of_results: Tensor) -> Tuple[Optional[Tensor], ...]:
        num_chains, num_kept = len(of_results) // 3, len(_Kept._fields)
        kept, others = _Kept(*ctx.saved_tensors[:num_kept]), ctx.saved_tensors[num_kept:]
        outputs, hiddens, memories = others[:num_chains], others[num_chains::2], others[num_chains + 1 :: 2]
        slopes = _go_back(of_results, kept, torch.stack(memories), ctx.rows, ctx.clips)
        result: List[Optional[Tensor]] = [None, None]
        for index, (of_gates, of_projected, of_hidden, of_memory) in enumerate(zip(*slopes)):
            result += [of_gates, of_hidden, of_memory, None, None]
            if ctx.needs_input_grad[len(result) - 2]:
                before = hidden_before_each_step(hiddens[index], outputs[index], ctx.rows)
                result[-2] = of_gates.t() @ before.to(of_gates.dtype)
            if ctx.needs_input_grad[len(result) - 1]:
                result[-1] = of_projected.t() @ kept.exposed[index]
        gradients = zip(result[2:], ctx.dtypes)
        return (None, None, *(tensor if tensor is None else tensor.to(dtype) for tensor, dtype in gradients))


def _go_back(
    of_results: Sequence[Tensor], kept: _Kept, first_memory: Tensor, rows: List[int], clips: Tuple[float, float]
) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients, all chains in each: of the gates, of what was projected, of the first hidden, of the first memory."""
    of_outputs, of_last_hidden, of_memory = (torch.stack(of_results[index::3]) for index in range(3))
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
    return of_gates, of_projected, of_last_hidden, of_memory


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


def dtype_of_products(chain: Chain) -> torch.dtype:
    device = chain.memory.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else chain.weight_recurrent.dtype
