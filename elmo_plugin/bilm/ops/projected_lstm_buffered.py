"""
The recurrence of projected LSTM layers as a single node of the autograd graph: the fast peer of `projected_lstm`.

The plain loop makes some fifteen small tensors a step and as many again on the way back. Here every step writes into
its place in buffers that are made once, what the way back needs is exactly what those buffers then hold, and only the
recurrence itself runs step by step: the input's share of all gates is one product before, the gradients of the weights
are one product each over all steps afterwards.

Several small chains (the two directions) run in step: everything is done for all of them at once, from weights that
are copied to lie one behind the other. That halves the number of small operations, makes them large enough for a
second core, and has the library give each chain's product to a core, where cores that share one product wait for each
other. Large chains run one after another, each with the caches to itself.

Kept for the way back, a token: 7 numbers of `cell_dim` and 2 of `projection_dim` (the plain loop keeps about 15 of
`cell_dim`). Where no gradient is wanted, `projected_lstm_compiled` and `projected_lstm_reading` keep nothing but the
outputs.
"""

import math
from itertools import chain
from typing import List, NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from elmo_plugin.bilm.ops.projected_lstm import Chain, ChainOutput, Inputs, hidden_before_each_step
from elmo_plugin.bilm.ops.projected_lstm_forward import (
    MAX_NUMBERS_IN_STEP,
    Buffers,
    Joined,
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

_NUM_PARTS = len(Joined._fields)


def projected_lstms_buffered(
    chains: Sequence[Chain],
    rows_per_step: Sequence[int],
    cell_clip: Optional[float],
    projection_clip: Optional[float],
) -> List[ChainOutput]:
    """
    The values and gradients of `ops.projected_lstm.projected_lstms`; see there for the formula and the shapes. The
    input gates of a chain must be `Inputs`. Gradients of gradients are refused.
    """
    if len(chains) > 1 and chains[0].memory.numel() > MAX_NUMBERS_IN_STEP:
        return [projected_lstms_buffered([chain], rows_per_step, cell_clip, projection_clip)[0] for chain in chains]
    rows = [num_rows for num_rows in rows_per_step if num_rows > 0]
    tensors = [tensor for inputs, *others in chains for tensor in (*inputs, *others)]
    results = _ProjectedLstms.apply(rows, cell_clip, projection_clip, *tensors)
    return [ChainOutput(*results[start : start + 3]) for start in range(0, len(results), 3)]


class _ProjectedLstms(torch.autograd.Function):
    @staticmethod
    def forward(ctx, rows: List[int], cell_clip: Optional[float], projection_clip: Optional[float], *tensors: Tensor):
        parts = (tensors[start : start + _NUM_PARTS] for start in range(0, len(tensors), _NUM_PARTS))
        chains = [Chain(Inputs(*part[:3]), *part[3:]) for part in parts]
        results, joined, buffers = forward(chains, rows, cell_clip, projection_clip)
        ctx.save_for_backward(*joined, *buffers, *results[::3])
        ctx.rows, ctx.cell_clip, ctx.projection_clip = rows, cell_clip, projection_clip
        return tuple(results)

    @staticmethod
    @once_differentiable
    def backward(ctx, *of_results: Tensor) -> Tuple[Optional[Tensor], ...]:
        joined, others = Joined(*ctx.saved_tensors[:_NUM_PARTS]), ctx.saved_tensors[_NUM_PARTS:]
        buffers, outputs = Buffers(*others[:5]), others[5:]
        slopes = _Slopes(torch.empty_like(buffers.gates), *(torch.stack(of_results[k::3]) for k in range(3)))
        _go_back(slopes, buffers, joined, ctx)
        needs = Joined(*(any(ctx.needs_input_grad[3 + part :: _NUM_PARTS]) for part in range(_NUM_PARTS)))
        before = [hidden_before_each_step(*tensors, ctx.rows) for tensors in zip(joined.hidden, outputs)]
        of_parts = _slopes_of_parts(slopes, joined, torch.stack(before), buffers.exposed, needs)
        of_chains = ([None if of is None else of[index] for of in of_parts] for index in range(len(outputs)))
        return (None, None, None, *chain.from_iterable(of_chains))


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


def _slopes_of_parts(slopes: _Slopes, joined: Joined, before: Tensor, exposed: Tensor, needs: Joined) -> Joined:
    """
    `None` where it is not needed.

    # Parameters

    before : what the recurrent products began with. Shape: (num_chains, sum of rows, projection_dim)
    exposed : what was projected. Shape: (num_chains, sum of rows, cell_dim)
    """
    across = slopes.gates.transpose(1, 2)
    return Joined(
        vectors=torch.bmm(slopes.gates, joined.weight_input) if needs.vectors else None,
        weight_input=torch.bmm(across, joined.vectors) if needs.weight_input else None,
        bias=slopes.gates.sum(dim=1) if needs.bias else None,
        hidden=slopes.hidden,
        memory=slopes.memory,
        weight_recurrent=torch.bmm(across, before) if needs.weight_recurrent else None,
        weight_projection=torch.bmm(slopes.projected.transpose(1, 2), exposed) if needs.weight_projection else None,
    )


def _go_back(slopes: _Slopes, buffers: Buffers, joined: Joined, ctx) -> None:
    """Fills in `slopes`."""
    rows = ctx.rows
    # For one step. Shapes: (num_chains, batch_size, cell_dim)
    before, of_exposed, scratch = (torch.empty_like(joined.memory) for _ in range(3))
    bound, projection_bound = (_just_beyond(clip, before.dtype) for clip in (ctx.cell_clip, ctx.projection_clip))
    gates, of_gates = buffers.gates.chunk(4, dim=2), slopes.gates.chunk(4, dim=2)
    kept = list(zip(*(in_turn(tensor, rows) for tensor in (*of_gates, *gates, buffers.memories, buffers.squashed))))
    shared = list(zip(*(first_rows(tensor, rows) for tensor in (scratch, before, of_exposed, slopes.memory))))
    outputs = list(zip(*(in_turn(tensor, rows) for tensor in (slopes.gates, slopes.projected, buffers.projected))))
    of_hidden = first_rows(slopes.hidden, rows)
    memories = [joined.memory, *in_turn(buffers.memories, rows)]
    for number in reversed(range(len(rows))):
        of_step, of_projected, projected = outputs[number]
        of_projected.add_(of_hidden[number])
        _clip_backward(of_projected, projected, projection_bound)
        torch.bmm(of_projected, joined.weight_projection, out=shared[number][2])
        clip_into(shared[number][1], memories[number][:, : rows[number]], ctx.cell_clip if number > 0 else None)
        _cell_backward(*kept[number], *shared[number], bound)
        torch.bmm(of_step, joined.weight_recurrent, out=of_hidden[number])


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
