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

The steps themselves are torch's operations (`projected_lstm_buffered_steps`) or the program in C's
(`projected_lstm_learning`); all else is the same.

Kept for the way back, a token: 7 numbers of `cell_dim` and 2 of `projection_dim` (the plain loop keeps about 15 of
`cell_dim`). Where no gradient is wanted, `projected_lstm_compiled` and `projected_lstm_reading` keep nothing but the
outputs.
"""

from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from elmo_plugin.bilm.ops.projected_lstm import Chain, ChainOutput, hidden_before_each_step
from elmo_plugin.bilm.ops.projected_lstm_buffered_steps import (
    MAX_NUMBERS_IN_STEP,
    Buffers,
    Clips,
    Joined,
    Slopes,
    State,
    clip_into,
    steps_back,
    steps_forward,
)

_NUM_PARTS = len(Joined._fields)


class Steps(NamedTuple):
    """
    What runs step by step, there and back; see `projected_lstm_buffered_steps` for what it takes and fills in.

    new : a tensor of a shape and of `float32`, or as the one that is given, for them to write into.
    """

    new: Callable[[Tensor, Sequence[int]], Tensor]
    forward: Callable[[Joined, Buffers, State, List[int], Clips], None]
    back: Callable[[Slopes, Joined, Buffers, List[int], Clips], None]


BY_TORCH = Steps(torch.Tensor.new_empty, steps_forward, steps_back)


def projected_lstms_buffered(
    chains: Sequence[Chain],
    rows_per_step: Sequence[int],
    cell_clip: Optional[float],
    projection_clip: Optional[float],
    steps: Steps = BY_TORCH,
) -> List[ChainOutput]:
    """
    The values and gradients of `ops.projected_lstm.projected_lstms`; see there for the formula and the shapes. The
    input gates of a chain must be `Inputs`. Gradients of gradients are refused.
    """
    clips = cell_clip, projection_clip
    if len(chains) > 1 and chains[0].memory.numel() > MAX_NUMBERS_IN_STEP:
        return [projected_lstms_buffered([chain], rows_per_step, *clips, steps)[0] for chain in chains]
    rows = [num_rows for num_rows in rows_per_step if num_rows > 0]
    tensors = [tensor for inputs, *others in chains for tensor in (*inputs, *others)]
    results = _ProjectedLstms.apply(steps, rows, clips, *tensors)
    return [ChainOutput(*results[start : start + 3]) for start in range(0, len(results), 3)]


class _ProjectedLstms(torch.autograd.Function):
    @staticmethod
    def forward(ctx, steps: Steps, rows: List[int], clips: Clips, *tensors: Tensor):
        joined = Joined(*(_joined(tensors[part::_NUM_PARTS]) for part in range(_NUM_PARTS)))
        state = State(*(steps.new(tensor, tensor.shape).copy_(tensor) for tensor in (joined.hidden, joined.memory)))
        buffers = _new_buffers(steps, state, sum(rows))
        steps.forward(joined, buffers, state, rows, clips)
        results: List[Tensor] = []
        for projected, *last in zip(buffers.projected, *state):
            outputs = torch.empty_like(projected)
            clip_into(outputs, projected, clips[1])
            results += [outputs, *(tensor.clone() for tensor in last)]
        ctx.save_for_backward(*joined, *buffers, *results[::3])
        ctx.steps, ctx.rows, ctx.clips = steps, rows, clips
        return tuple(results)

    @staticmethod
    @once_differentiable
    def backward(ctx, *of_results: Tensor) -> Tuple[Optional[Tensor], ...]:
        # Asked for once: where activations are computed anew (`torch.utils.checkpoint`), a second time is refused.
        saved = ctx.saved_tensors
        joined, others = Joined(*saved[:_NUM_PARTS]), saved[_NUM_PARTS:]
        buffers, outputs = Buffers(*others[:5]), others[5:]
        new = ctx.steps.new
        of_all = [new(one[0], (len(outputs), *one[0].shape)) for one in (of_results[k::3] for k in range(3))]
        slopes = Slopes(new(buffers.gates, buffers.gates.shape), *of_all)
        for index, of_result in enumerate(of_results):
            of_all[index % 3][index // 3].copy_(of_result)
        ctx.steps.back(slopes, joined, buffers, ctx.rows, ctx.clips)
        of_tensors: List[Optional[Tensor]] = []
        for index, output in enumerate(outputs):
            own = (type(parts)(*(tensor[index] for tensor in parts)) for parts in (slopes, joined, buffers))
            needs = Joined(*ctx.needs_input_grad[3 + index * _NUM_PARTS :][:_NUM_PARTS])
            of_tensors += _slopes_of_parts(*own, output, ctx.rows, needs)
        return (None, None, None, *of_tensors)


def _slopes_of_parts(
    slopes: Slopes, joined: Joined, buffers: Buffers, outputs: Tensor, rows: List[int], needs: Joined
) -> Joined:
    """
    Of one chain, whose tensors these are; `None` where it is not needed. The weights' are tensors of their own: what is
    a part of another one is copied when it becomes a parameter's gradient.
    """
    across = slopes.gates.t()
    before = hidden_before_each_step(joined.hidden, outputs, rows) if needs.weight_recurrent else None
    return Joined(
        vectors=slopes.gates @ joined.weight_input if needs.vectors else None,
        weight_input=across @ joined.vectors if needs.weight_input else None,
        bias=slopes.gates.sum(dim=0) if needs.bias else None,
        hidden=slopes.hidden,
        memory=slopes.memory,
        weight_recurrent=None if before is None else across @ before,
        weight_projection=slopes.projected.t() @ buffers.exposed if needs.weight_projection else None,
    )


def _new_buffers(steps: Steps, state: State, num_tokens: int) -> Buffers:
    (num_chains, _, cell_dim), dim = state.memory.shape, state.hidden.size(2)
    widths = 4 * cell_dim, cell_dim, cell_dim, cell_dim, dim
    return Buffers(*(steps.new(state.memory, (num_chains, num_tokens, width)) for width in widths))


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    """One behind the other; a single one is not copied."""
    return torch.stack(list(tensors)) if len(tensors) > 1 else tensors[0].unsqueeze(0)
