"""
The recurrence of projected LSTM layers on a GPU: the peer of `projected_lstm` that has its own kernels there.

A step is four launches for all chains together, and four on the way back: two products by the library that torch
multiplies with, and one kernel behind each (`projected_lstm_triton_kernels`). Where they are captured as CUDA graphs
(`projected_lstm_triton_graphs`), all steps are one. What the steps write is packed as in `projected_lstm_buffered`, and
the gradients of the weights are one product over all steps.

Products are in the precision of autocast where that is on, else of the weights; so is all that they read and write.
The state, which lives long, keeps its own precision, and what is no product is computed in float32 at least.

Kept for the way back, a token: 5 numbers of `cell_dim` and 1 of `projection_dim` in the precision of products; 1 of
`cell_dim` and 1 of `projection_dim` in that of the state.
"""

import math
from typing import List, Optional, Sequence, Tuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from elmo_plugin.bilm.ops.graph_store import Loan
from elmo_plugin.bilm.ops.projected_lstm import Chain, ChainOutput, hidden_before_each_step
from elmo_plugin.bilm.ops.projected_lstm_triton_graphs import CapturedSteps, lent_steps
from elmo_plugin.bilm.ops.projected_lstm_triton_steps import (
    Clips,
    Kept,
    Slopes,
    operands_of,
    steps_back,
    steps_forward,
)


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
    keep = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    with torch.cuda.device_of(chains[0].memory):
        loan = lent_steps(chains, dtype_of_products(chains[0]), rows, clips, keep)
        if keep:
            results = _ProjectedLstms.apply(rows, clips, loan, *tensors)
        else:
            results, _ = _forward(chains, rows, clips, loan, keep=False)
    return [ChainOutput(*results[start : start + 3]) for start in range(0, len(results), 3)]


def _forward(
    chains: Sequence[Chain], rows: List[int], clips: Clips, loan: Optional[Loan[CapturedSteps]], keep: bool
) -> Tuple[List[Tensor], Tuple[Tensor, ...]]:
    """
    Outputs, last hidden and last memory of each chain in turn; and what the way back needs, unless the loan has it.
    """
    if loan is not None:
        outputs, hidden, memory = loan.content.forward(chains)
        kept: Tuple[Tensor, ...] = ()
    else:
        operands = operands_of(chains, dtype_of_products(chains[0]))
        outputs, kept = steps_forward(operands, rows, clips, keep)
        hidden, memory = operands.hidden, operands.memory
    return [tensor.clone() for chain in zip(outputs, hidden, memory) for tensor in chain], kept


class _ProjectedLstms(torch.autograd.Function):
    @staticmethod
    def forward(ctx, rows: List[int], clips: Clips, loan: Optional[Loan[CapturedSteps]], *tensors: Tensor):
        chains = [Chain(*tensors[start : start + 5]) for start in range(0, len(tensors), 5)]
        results, kept = _forward(chains, rows, clips, loan, keep=True)
        states = [tensor for chain in chains for tensor in (chain.hidden, chain.memory)]
        ctx.save_for_backward(*results[::3], *states, *kept)
        ctx.rows, ctx.clips, ctx.loan, ctx.dtypes = rows, clips, loan, [tensor.dtype for tensor in tensors]
        return tuple(results)

    @staticmethod
    @once_differentiable
    def backward(ctx, *of_results: Tensor) -> Tuple[Optional[Tensor], ...]:
        num_chains = len(of_results) // 3
        saved = ctx.saved_tensors
        outputs, states, kept = saved[:num_chains], saved[num_chains : 3 * num_chains], saved[3 * num_chains :]
        hiddens, memories = states[::2], states[1::2]
        if ctx.loan is not None:
            steps = ctx.loan.content
            of_gates, of_projected, slopes = steps.back(of_results, memories)
            exposed = steps.kept.exposed
        else:
            own, slopes = Kept(*kept), Slopes(*(torch.stack(of_results[index::3]) for index in range(3)))
            of_gates, of_projected = steps_back(slopes, own, torch.stack(memories), ctx.rows, ctx.clips)
            exposed = own.exposed
        result: List[Optional[Tensor]] = []
        needs = ctx.needs_input_grad[3:]
        for index in range(num_chains):
            result += [of_gates[index], slopes.of_hidden[index], slopes.of_memory[index], None, None]
            if needs[len(result) - 2]:
                before = hidden_before_each_step(hiddens[index], outputs[index], ctx.rows)
                result[-2] = of_gates[index].t() @ before.to(of_gates.dtype)
            if needs[len(result) - 1]:
                result[-1] = of_projected[index].t() @ exposed[index]
        # What a graph has written is written over when it runs again.
        is_copy = ctx.loan is not None
        gradients = [
            None if tensor is None else tensor.to(dtype, copy=is_copy) for tensor, dtype in zip(result, ctx.dtypes)
        ]
        if ctx.loan is not None:
            ctx.loan.give_back()
        return (None, None, None, *gradients)


def dtype_of_products(chain: Chain) -> torch.dtype:
    """That of autocast where it is on, else of the weights."""
    device = chain.memory.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else chain.weight_recurrent.dtype
