"""
The recurrence of one projected LSTM layer as a single node of the autograd graph: the fast peer of `projected_lstm`.

The plain loop makes some fifteen small tensors a step and as many again on the way back. Here every step writes into
its place in buffers that are made once, what the way back needs is exactly what those buffers then hold, and only the
recurrence itself runs step by step. The gradients of both weights are one product each over all steps, afterwards.

Kept for the way back, a token: 6 numbers of `cell_dim` and 2 of `projection_dim` (the plain loop keeps about 15 of
`cell_dim`). Without gradients nothing is kept but the outputs.
"""

import math
from typing import List, NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# Each is `gradient * derivative` in one pass; the derivative of the first two is found from the function's value, that
# of the clip from its argument.
_times_sigmoid_derivative = torch.ops.aten.sigmoid_backward.grad_input
_times_tanh_derivative = torch.ops.aten.tanh_backward.grad_input
_times_clip_derivative = torch.ops.aten.hardtanh_backward.grad_input


def projected_lstm_buffered(
    input_gates: Tensor,
    rows_per_step: Sequence[int],
    hidden: Tensor,
    memory: Tensor,
    weight_recurrent: Tensor,
    weight_projection: Tensor,
    cell_clip: Optional[float],
    projection_clip: Optional[float],
) -> Tuple[Tensor, Tensor, Tensor]:
    """
    The values and gradients of `ops.projected_lstm.projected_lstm`; see there for the formula and the shapes.
    Gradients of gradients are refused.
    """
    rows = [num_rows for num_rows in rows_per_step if num_rows > 0]
    tensors = (input_gates, hidden, memory, weight_recurrent, weight_projection)
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        return _ProjectedLstm.apply(*tensors, rows, cell_clip, projection_clip)
    return _forward(*tensors, rows, cell_clip, projection_clip, keep=False)[0]


class _Buffers(NamedTuple):
    """
    Where the steps write. Each is packed like `input_gates`, or has room for one step, which all steps then share.

    gates : σ(i), tanh(g), σ(f), σ(o). Width: 4 * cell_dim
    memories : before the clip. Width: cell_dim
    squashed : tanh of the clipped memories. Width: cell_dim
    projected : before the clip. Width: projection_dim
    """

    gates: Tensor
    memories: Tensor
    squashed: Tensor
    projected: Tensor

    def steps(self, rows: List[int]) -> List["_Buffers"]:
        return [_Buffers(*places) for places in zip(*(_places(buffer, rows) for buffer in self))]


def _places(buffer: Tensor, rows: List[int]) -> List[Tensor]:
    if buffer.size(0) == sum(rows):
        return list(buffer.split(rows))
    return [buffer[:num_rows] for num_rows in rows]


def _clip_into(values: Tensor, clip: Optional[float], out: Tensor) -> None:
    if clip is None:
        out.copy_(values)
    else:
        torch.clamp(values, -clip, clip, out=out)


def _forward(
    input_gates: Tensor,
    hidden: Tensor,
    memory: Tensor,
    weight_recurrent: Tensor,
    weight_projection: Tensor,
    rows: List[int],
    cell_clip: Optional[float],
    projection_clip: Optional[float],
    keep: bool,
) -> Tuple[Tuple[Tensor, Tensor, Tensor], _Buffers]:
    """What `projected_lstm` returns, and the buffers: of all steps if `keep`, else of use to no one."""
    projection_dim, cell_dim = weight_projection.size()
    num_kept = input_gates.size(0) if keep else max(rows, default=0)
    buffers = _Buffers(
        *(input_gates.new_empty(num_kept, width) for width in (4 * cell_dim, cell_dim, cell_dim)),
        input_gates.new_empty(input_gates.size(0), projection_dim),
    )
    recurrent, projection = weight_recurrent.t(), weight_projection.t()
    # The state of every row as of its last step so far; the rows that still run are the first ones.
    hidden, memory = hidden.clone(), memory.clone()
    exposed = torch.empty_like(memory)
    for given, num_rows, step in zip(_places(input_gates, rows), rows, buffers.steps(rows)):
        torch.addmm(given, hidden[:num_rows], recurrent, out=step.gates)
        # Shapes: (num_rows, cell_dim)
        input_gate, candidate, forget_gate, output_gate = step.gates.chunk(4, dim=1)
        for gate in (input_gate, forget_gate, output_gate):
            gate.sigmoid_()
        candidate.tanh_()
        torch.mul(forget_gate, memory[:num_rows], out=step.memories).addcmul_(input_gate, candidate)
        _clip_into(step.memories, cell_clip, out=memory[:num_rows])
        torch.tanh(memory[:num_rows], out=step.squashed)
        torch.mul(output_gate, step.squashed, out=exposed[:num_rows])
        torch.mm(exposed[:num_rows], projection, out=step.projected)
        _clip_into(step.projected, projection_clip, out=hidden[:num_rows])
    outputs = buffers.projected
    if projection_clip is not None:
        outputs = torch.clamp(outputs, -projection_clip, projection_clip)
    return (outputs, hidden, memory), buffers


class _ProjectedLstm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx,
        input_gates: Tensor,
        hidden: Tensor,
        memory: Tensor,
        weight_recurrent: Tensor,
        weight_projection: Tensor,
        rows: List[int],
        cell_clip: Optional[float],
        projection_clip: Optional[float],
    ) -> Tuple[Tensor, Tensor, Tensor]:
        tensors = (input_gates, hidden, memory, weight_recurrent, weight_projection)
        result, buffers = _forward(*tensors, rows, cell_clip, projection_clip, keep=True)
        ctx.save_for_backward(*tensors[1:], result[0], *buffers)
        ctx.rows, ctx.cell_clip, ctx.projection_clip = rows, cell_clip, projection_clip
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx, of_outputs: Tensor, of_hidden: Tensor, of_memory: Tensor) -> Tuple[Optional[Tensor], ...]:
        hidden, memory, weight_recurrent, weight_projection, outputs, *kept = ctx.saved_tensors
        buffers, rows = _Buffers(*kept), ctx.rows
        of_gates, of_projected = torch.empty_like(buffers.gates), of_outputs.clone()
        # Of each row's state behind the step at hand; a row that ended before it has what came from outside.
        of_hidden, of_memory = of_hidden.clone(), of_memory.clone()
        # For one step. Shapes: (batch_size, cell_dim)
        of_exposed, clipped = torch.empty_like(memory), torch.empty_like(memory)
        steps, gates_places, projected_places = buffers.steps(rows), _places(of_gates, rows), _places(of_projected, rows)
        for number in reversed(range(len(rows))):
            here, step = slice(rows[number]), steps[number]
            of_step = projected_places[number].add_(of_hidden[here])
            _clip_backward(of_step, step.projected, ctx.projection_clip)
            torch.mm(of_step, weight_projection, out=of_exposed[here])
            before = memory
            if number > 0:
                before = clipped
                _clip_into(steps[number - 1].memories[here], ctx.cell_clip, out=clipped[here])
            _gates_backward(
                step, before[here], of_exposed[here], of_memory[here], gates_places[number], ctx.cell_clip
            )
            torch.mm(gates_places[number], weight_recurrent, out=of_hidden[here])
        of_recurrent = of_projection = None
        if ctx.needs_input_grad[3]:
            of_recurrent = of_gates.t() @ _hidden_before_each_step(hidden, outputs, rows)
        if ctx.needs_input_grad[4]:
            of_projection = of_projected.t() @ (buffers.gates.chunk(4, dim=1)[3] * buffers.squashed)
        return of_gates, of_hidden, of_memory, of_recurrent, of_projection, None, None, None


def _gates_backward(
    step: _Buffers, before: Tensor, of_exposed: Tensor, of_memory: Tensor, of_gates: Tensor, clip: Optional[float]
) -> None:
    """
    Through one step between its product with the recurrent weight and its projection.

    # Parameters

    before : the memory that the step began with.
    of_exposed : gradient of `σ(o) * tanh(memory)`; overwritten.
    of_memory : gradient of the memory after the step; becomes that of `before`.
    of_gates : becomes the gradient of the gates before their activations.
    """
    input_gate, candidate, forget_gate, output_gate = step.gates.chunk(4, dim=1)
    of_input, of_candidate, of_forget, of_output = of_gates.chunk(4, dim=1)
    torch.mul(of_exposed, step.squashed, out=of_output)
    _times_sigmoid_derivative(of_output, output_gate, grad_input=of_output)
    of_exposed.mul_(output_gate)
    of_memory.add_(_times_tanh_derivative(of_exposed, step.squashed, grad_input=of_exposed))
    _clip_backward(of_memory, step.memories, clip)
    torch.mul(of_memory, candidate, out=of_input)
    _times_sigmoid_derivative(of_input, input_gate, grad_input=of_input)
    torch.mul(of_memory, input_gate, out=of_candidate)
    _times_tanh_derivative(of_candidate, candidate, grad_input=of_candidate)
    torch.mul(of_memory, before, out=of_forget)
    _times_sigmoid_derivative(of_forget, forget_gate, grad_input=of_forget)
    of_memory.mul_(forget_gate)


def _clip_backward(gradient: Tensor, values: Tensor, clip: Optional[float]) -> None:
    """Zero in place where the clip changed `values`. As for `torch.clamp`, a value on the bound itself is not changed."""
    if clip is not None:
        # `hardtanh_backward` is zero on its bounds, so they are put one number further out.
        bound = torch.tensor(clip, dtype=values.dtype)
        beyond = float(torch.nextafter(bound, torch.tensor(math.inf, dtype=values.dtype)))
        _times_clip_derivative(gradient, values, -beyond, beyond, grad_input=gradient)


def _hidden_before_each_step(hidden: Tensor, outputs: Tensor, rows: List[int]) -> Tensor:
    """Shape: (sum of rows, projection_dim)"""
    befores = [hidden, *outputs.split(rows)] if rows else []
    return torch.cat([before[:num_rows] for before, num_rows in zip(befores, rows)] or [outputs])
