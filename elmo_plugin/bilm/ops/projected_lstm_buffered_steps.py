"""The steps of `projected_lstm_buffered` by torch's operations: there, leaving behind what is needed back, and back."""

import math
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor

# Each gives `gradient * slope` in one pass; the first two find the slope from the function's value, the clip from its
# argument.
_times_sigmoid_slope = torch.ops.aten.sigmoid_backward.grad_input
_times_tanh_slope = torch.ops.aten.tanh_backward.grad_input
_times_clip_slope = torch.ops.aten.hardtanh_backward.grad_input

# Columns of the gates in one recurrent product. Wider ones were seen to take a fifth longer where the weight does not
# stay in the cache (32 MB in the original model).
MAX_COLUMNS = 4096

# Up to so many numbers torch works on a single core (its `GRAIN_SIZE`). Chains whose steps are larger gain nothing in
# step; they were seen to take 5 % longer.
MAX_NUMBERS_IN_STEP = 32768


# Of the memory and of the projection; `None` where there is none.
Clips = Tuple[Optional[float], Optional[float]]


class Joined(NamedTuple):
    """What several chains are given, each part of all of them in one tensor: a product is one call for all."""

    vectors: Tensor
    weight_input: Tensor
    bias: Tensor
    hidden: Tensor
    memory: Tensor
    weight_recurrent: Tensor
    weight_projection: Tensor


class Buffers(NamedTuple):
    """
    Where the steps write, one after another, packed like the inputs' vectors.
    Shapes: (num_chains, sum of rows_per_step, …)

    gates : σ(i), tanh(g), σ(f), σ(o). Width: 4 * cell_dim
    memories : before the clip. Width: cell_dim
    squashed : tanh of the clipped memories. Width: cell_dim
    exposed : σ(o) * squashed. Width: cell_dim
    projected : before the clip. Width: projection_dim
    """

    gates: Tensor
    memories: Tensor
    squashed: Tensor
    exposed: Tensor
    projected: Tensor


class State(NamedTuple):
    """
    Of each row, as of its last step so far. The rows that still run are the first ones.
    Shapes: (num_chains, batch_size, projection_dim), (num_chains, batch_size, cell_dim)
    """

    hidden: Tensor
    memory: Tensor


class Slopes(NamedTuple):
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


def in_turn(packed: Tensor, rows: Sequence[int], dim: int = 1) -> List[Tensor]:
    """Each step's part of a packed tensor. All views at once: one by one they take as long as a small operation."""
    return list(packed.split(list(rows), dim))


def first_rows(shared: Tensor, rows: Sequence[int], dim: int = 1) -> List[Tensor]:
    """Each step's rows of a tensor that all steps share."""
    views: Dict[int, Tensor] = {num_rows: shared.narrow(dim, 0, num_rows) for num_rows in set(rows)}
    return [views[num_rows] for num_rows in rows]


def steps_forward(joined: Joined, buffers: Buffers, state: State, rows: List[int], clips: Clips) -> None:
    """
    Fills in `buffers`, and brings `state` from before the first step to behind each row's last.

    # Parameters

    rows : of each step, steps without rows left out.
    """
    torch.baddbmm(joined.bias.unsqueeze(1), joined.vectors, joined.weight_input.transpose(1, 2), out=buffers.gates)
    cell_clip, projection_clip = clips
    recurrent, projection = joined.weight_recurrent.transpose(1, 2), joined.weight_projection.transpose(1, 2)
    width = MAX_COLUMNS if buffers.gates.size(2) <= MAX_COLUMNS else MAX_COLUMNS // 4
    columns = zip(*(in_turn(part, rows) for part in buffers.gates.split(width, dim=2)))
    weights = recurrent.split(width, dim=2)
    written = (*buffers.gates.chunk(4, dim=2), *buffers[1:4])
    cells = zip(first_rows(state.memory, rows), *(in_turn(tensor, rows) for tensor in written))
    projecting = zip(in_turn(buffers.exposed, rows), in_turn(buffers.projected, rows))
    for before, gates, cell, (exposed, projected) in zip(first_rows(state.hidden, rows), columns, cells, projecting):
        for part, weight in zip(gates, weights):
            part.baddbmm_(before, weight)
        _cell(*cell, cell_clip)
        torch.bmm(exposed, projection, out=projected)
        clip_into(before, projected, projection_clip)


def _cell(
    memory: Tensor,
    input_gate: Tensor,
    candidate: Tensor,
    forget_gate: Tensor,
    output_gate: Tensor,
    new_memory: Tensor,
    squashed: Tensor,
    exposed: Tensor,
    clip: Optional[float],
) -> None:
    """From the gates before their activations to the clipped `memory`. Shapes: (num_chains, num_rows, cell_dim)"""
    for gate in (input_gate, forget_gate, output_gate):
        gate.sigmoid_()
    candidate.tanh_()
    torch.mul(forget_gate, memory, out=new_memory).addcmul_(input_gate, candidate)
    clip_into(memory, new_memory, clip)
    torch.tanh(memory, out=squashed)
    torch.mul(output_gate, squashed, out=exposed)


def clip_into(out: Tensor, values: Tensor, clip: Optional[float]) -> None:
    """`out` becomes the clipped `values`; they may be the same tensor."""
    if clip is not None:
        torch.clamp(values, -clip, clip, out=out)
    elif out is not values:
        out.copy_(values)


def steps_back(slopes: Slopes, joined: Joined, buffers: Buffers, rows: List[int], clips: Clips) -> None:
    """Fills in `slopes`, from what `steps_forward` has left in `buffers`."""
    # For one step. Shapes: (num_chains, batch_size, cell_dim)
    before, of_exposed, scratch = (torch.empty_like(joined.memory) for _ in range(3))
    bound, projection_bound = (_just_beyond(clip, before.dtype) for clip in clips)
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
        clip_into(shared[number][1], memories[number][:, : rows[number]], clips[0] if number > 0 else None)
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
