"""The way there of `projected_lstm_buffered`, leaving behind what the way back needs."""

from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor

from elmo_plugin.bilm.ops.projected_lstm import Chain

# Columns of the gates in one recurrent product. Wider ones were seen to take a fifth longer where the weight does not
# stay in the cache (32 MB in the original model).
MAX_COLUMNS = 4096

# Up to so many numbers torch works on a single core (its `GRAIN_SIZE`). Chains whose steps are larger gain nothing in
# step; they were seen to take 5 % longer.
MAX_NUMBERS_IN_STEP = 32768


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


def in_turn(packed: Tensor, rows: Sequence[int], dim: int = 1) -> List[Tensor]:
    """Each step's part of a packed tensor. All views at once: one by one they take as long as a small operation."""
    return list(packed.split(list(rows), dim))


def first_rows(shared: Tensor, rows: Sequence[int], dim: int = 1) -> List[Tensor]:
    """Each step's rows of a tensor that all steps share."""
    views: Dict[int, Tensor] = {num_rows: shared.narrow(dim, 0, num_rows) for num_rows in set(rows)}
    return [views[num_rows] for num_rows in rows]


def forward(
    chains: Sequence[Chain], rows: List[int], cell_clip: Optional[float], projection_clip: Optional[float]
) -> Tuple[List[Tensor], Joined, Buffers]:
    """
    Outputs, last hidden and last memory of each chain in turn; what they were made of; and the buffers.

    # Parameters

    chains : their input gates are `Inputs`.
    rows : of each step, steps without rows left out.
    """
    joined = Joined(*(_joined(tensors) for tensors in zip(*((*inputs, *others) for inputs, *others in chains))))
    # Each row's state as of its last step so far. The rows that still run are the first ones.
    hidden, memory = joined.hidden.clone(), joined.memory.clone()
    buffers = _new_buffers(hidden, memory, sum(rows))
    torch.baddbmm(joined.bias.unsqueeze(1), joined.vectors, joined.weight_input.transpose(1, 2), out=buffers.gates)
    recurrent, projection = joined.weight_recurrent.transpose(1, 2), joined.weight_projection.transpose(1, 2)
    width = MAX_COLUMNS if buffers.gates.size(2) <= MAX_COLUMNS else MAX_COLUMNS // 4
    columns = zip(*(in_turn(part, rows) for part in buffers.gates.split(width, dim=2)))
    weights = recurrent.split(width, dim=2)
    written = (*buffers.gates.chunk(4, dim=2), *buffers[1:4])
    cells = zip(first_rows(memory, rows), *(in_turn(tensor, rows) for tensor in written))
    projecting = zip(in_turn(buffers.exposed, rows), in_turn(buffers.projected, rows))
    for before, gates, cell, (exposed, projected) in zip(first_rows(hidden, rows), columns, cells, projecting):
        for part, weight in zip(gates, weights):
            part.baddbmm_(before, weight)
        _cell(*cell, cell_clip)
        torch.bmm(exposed, projection, out=projected)
        clip_into(before, projected, projection_clip)
    results: List[Tensor] = []
    for index, projected in enumerate(buffers.projected):
        results += [torch.empty_like(projected), hidden[index].clone(), memory[index].clone()]
        clip_into(results[-3], projected, projection_clip)
    return results, joined, buffers


def _new_buffers(hidden: Tensor, memory: Tensor, num_tokens: int) -> Buffers:
    num_chains, _, cell_dim = memory.shape
    gates, *others = (memory.new_empty(num_chains, num_tokens, width * cell_dim) for width in (4, 1, 1, 1))
    return Buffers(gates, *others, hidden.new_empty(num_chains, num_tokens, hidden.size(2)))


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    """One behind the other; a single one is not copied."""
    return torch.stack(list(tensors)) if len(tensors) > 1 else tensors[0].unsqueeze(0)


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
