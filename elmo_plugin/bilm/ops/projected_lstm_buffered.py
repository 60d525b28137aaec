"""
The recurrence of projected LSTM layers as a single node of the autograd graph: the fast peer of `projected_lstm`.

The plain loop makes some fifteen small tensors a step and as many again on the way back. Here every step writes into
its place in buffers that are made once, what the way back needs is exactly what those buffers then hold, and only the
recurrence itself runs step by step. The gradients of both weights are one product each over all steps, afterwards.

Several small chains (the two directions) run in step: their products are their own, everything else is done for all
of them at once. That halves the number of small operations, and makes them large enough for a second core. Large
chains run one after another, each with the caches to itself.

Kept for the way back, a token: 7 numbers of `cell_dim` and 2 of `projection_dim` (the plain loop keeps about 15 of
`cell_dim`). Where no gradient is wanted, `projected_lstm_reading` is for that; it keeps nothing but the outputs.
"""

import math
from typing import List, NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from elmo_plugin.bilm.ops.projected_lstm import Chain, ChainOutput, hidden_before_each_step
from elmo_plugin.bilm.ops.projected_lstm_forward import (
    MAX_NUMBERS_IN_STEP,
    Buffers,
    clip_into,
    first_rows,
    forward,
    in_turn,
)

# Each gives `gradient * slope` in one pass; the first two find the slope from the function's value, the clip from its
# argument.
_times_sigmoid_slope = torch.ops.aten.sigmoid_backward.grad_input
_times_tanh_slope = torch.ops.aten.tanh_backward.grad_input
_times_clip_slope = torch.ops.aten.hardtanh_backward.grad_input


def projected_lstms_buffered(
    chains: Sequence[Chain],
    rows_per_step: Sequence[int],
    cell_clip: Optional[float],
    projection_clip: Optional[float],
) -> List[ChainOutput]:
    """
    The values and gradients of `ops.projected_lstm.projected_lstms`; see there for the formula and the shapes.
    Gradients of gradients are refused.
    """
    tensors = [tensor for chain in chains for tensor in chain]
    if len(chains) > 1 and chains[0].memory.numel() > MAX_NUMBERS_IN_STEP:
        return [projected_lstms_buffered([chain], rows_per_step, cell_clip, projection_clip)[0] for chain in chains]
    rows = [num_rows for num_rows in rows_per_step if num_rows > 0]
    results = _ProjectedLstms.apply(rows, cell_clip, projection_clip, *tensors)
    return [ChainOutput(*results[start : start + 3]) for start in range(0, len(results), 3)]


class _ProjectedLstms(torch.autograd.Function):
    @staticmethod
    def forward(ctx, rows: List[int], cell_clip: Optional[float], projection_clip: Optional[float], *tensors: Tensor):
        chains = [Chain(*tensors[start : start + 5]) for start in range(0, len(tensors), 5)]
        results, buffers = forward(chains, rows, cell_clip, projection_clip)
        ctx.save_for_backward(*buffers, *results[::3], *(tensor for chain in chains for tensor in chain[1:]))
        ctx.rows, ctx.cell_clip, ctx.projection_clip = rows, cell_clip, projection_clip
        return tuple(results)

    @staticmethod
    @once_differentiable
    def backward(ctx, *of_results: Tensor) -> Tuple[Optional[Tensor], ...]:
        num_chains = len(of_results) // 3
        buffers, outputs = Buffers(*ctx.saved_tensors[:5]), ctx.saved_tensors[5 : 5 + num_chains]
        hiddens, memories, recurrents, projections = (ctx.saved_tensors[5 + num_chains + k :: 4] for k in range(4))
        slopes = _Slopes(torch.empty_like(buffers.gates), *(torch.stack(of_results[k::3]) for k in range(3)))
        _go_back(slopes, buffers, torch.stack(memories), (recurrents, projections), ctx)
        result: List[Optional[Tensor]] = [None, None, None]
        for index in range(num_chains):
            of_gates, of_projected, of_hidden, of_memory = (slope[index] for slope in slopes)
            result += [of_gates, of_hidden, of_memory, None, None]
            if ctx.needs_input_grad[len(result) - 2]:
                result[-2] = of_gates.t() @ hidden_before_each_step(hiddens[index], outputs[index], ctx.rows)
            if ctx.needs_input_grad[len(result) - 1]:
                result[-1] = of_projected.t() @ buffers.exposed[index]
        return tuple(result)


class _Slopes(NamedTuple):
    """
    Gradients, found from the last step to the first.

    gates : of the gates before their activations. Shape: (num_chains, sum of rows, 4 * cell_dim)
    projected : of the outputs; becomes that of the projections before the clip.
        Shape: (num_chains, sum of rows, projection_dim)
    hidden, memory : of each row's state behind the step at hand (where a row has ended by then, of its last state).
        Shapes: (num_chains, batch_size, projection_dim), (num_chains, batch_size, cell_dim)
    """

    gates: Tensor
    projected: Tensor
    hidden: Tensor
    memory: Tensor


def _go_back(
    slopes: _Slopes, buffers: Buffers, first_memory: Tensor, weights: Tuple[Sequence[Tensor], Sequence[Tensor]], ctx
) -> None:
    """Fills in `slopes`. `first_memory` is that before the first step."""
    rows, recurrents, projections = ctx.rows, *weights
    # For one step. Shapes: (num_chains, batch_size, cell_dim)
    before, of_exposed, scratch = (torch.empty_like(first_memory) for _ in range(3))
    bound, projection_bound = (_just_beyond(clip, before.dtype) for clip in (ctx.cell_clip, ctx.projection_clip))
    gates, of_gates = buffers.gates.chunk(4, dim=2), slopes.gates.chunk(4, dim=2)
    kept = list(zip(*(in_turn(tensor, rows) for tensor in (*of_gates, *gates, buffers.memories, buffers.squashed))))
    shared = list(zip(*(first_rows(tensor, rows) for tensor in (scratch, before, of_exposed, slopes.memory))))
    outputs = list(zip(*(in_turn(tensor, rows) for tensor in (slopes.gates, slopes.projected, buffers.projected))))
    of_hidden = first_rows(slopes.hidden, rows)
    memories = [first_memory, *in_turn(buffers.memories, rows)]
    for number in reversed(range(len(rows))):
        of_step, of_projected, projected = outputs[number]
        of_projected.add_(of_hidden[number])
        _clip_backward(of_projected, projected, projection_bound)
        for index, weight in enumerate(projections):
            torch.mm(of_projected[index], weight, out=shared[number][2][index])
        clip_into(shared[number][1], memories[number][:, : rows[number]], ctx.cell_clip if number > 0 else None)
        _cell_backward(*kept[number], *shared[number], bound)
        for index, weight in enumerate(recurrents):
            torch.mm(of_step[index], weight, out=of_hidden[number][index])


def _cell_backward(
    of_input: Tensor,
    of_candidate: Tensor,
    of_forget: Tensor,
    of_output: Tensor,
    input_gate: Tensor,
    candidate: Tensor,
    forget_gate: Tensor,
    output_gate: Tensor,
    memory: Tensor,
    squashed: Tensor,
    scratch: Tensor,
    before: Tensor,
    of_exposed: Tensor,
    of_memory: Tensor,
    bound: Optional[float],
) -> None:
    """
    Through a step's cell: `of_memory` becomes the gradient of the memory `before` the step, and the first four those of
    the gates before their activations. Shapes: (num_chains, num_rows, cell_dim)
    """
    # By how much each gate changes the memory, and the last what is exposed of it.
    _times_sigmoid_slope(candidate, input_gate, grad_input=of_input)
    _times_tanh_slope(input_gate, candidate, grad_input=of_candidate)
    _times_sigmoid_slope(before, forget_gate, grad_input=of_forget)
    _times_sigmoid_slope(squashed, output_gate, grad_input=of_output)
    of_memory.addcmul_(of_exposed, _times_tanh_slope(output_gate, squashed, grad_input=scratch))
    _clip_backward(of_memory, memory, bound)
    for of_gate in (of_input, of_candidate, of_forget):
        of_gate.mul_(of_memory)
    of_output.mul_(of_exposed)
    of_memory.mul_(forget_gate)


def _just_beyond(clip: Optional[float], dtype: torch.dtype) -> Optional[float]:
    """The next larger number."""
    if clip is None:
        return None
    return float(torch.nextafter(torch.tensor(clip, dtype=dtype), torch.tensor(math.inf, dtype=dtype)))


def _clip_backward(gradient: Tensor, values: Tensor, bound: Optional[float]) -> None:
    """
    Zero in place where `values` are not between `-bound` and `bound`. As `torch.clamp` lets the gradient of a value on
    its own bound pass, this bound is the number just beyond.
    """
    if bound is not None:
        _times_clip_slope(gradient, values, -bound, bound, grad_input=gradient)
