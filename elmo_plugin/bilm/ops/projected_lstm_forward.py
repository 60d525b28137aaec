"""The way there of `projected_lstm_buffered`, leaving behind what the way back needs."""

from itertools import repeat
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor

from elmo_plugin.bilm.ops.projected_lstm import Chain

# Columns of the gates in one recurrent product. Wider ones were seen to take a fifth longer where the weight does not
# stay in the cache (32 MB in the original model).
MAX_COLUMNS = 4096

# Up to so many numbers torch works on a single core (its `GRAIN_SIZE`). Chains whose steps are larger gain nothing in
# step; they were seen to take 5 % longer.
MAX_NUMBERS_IN_STEP = 32768

Arguments = Tuple[Tensor, ...]


class Buffers(NamedTuple):
    """
    Where the steps write, one after another, packed like `input_gates`. Shapes: (num_chains, sum of rows_per_step, …)

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
) -> Tuple[List[Tensor], Buffers]:
    """
    Outputs, last hidden and last memory of each chain in turn; and the buffers.

    # Parameters

    rows : of each step, steps without rows left out.
    """
    # Each row's state as of its last step so far. The rows that still run are the first ones.
    hidden, memory = (torch.stack([chain[index] for chain in chains]) for index in (1, 2))
    buffers = _new_buffers(hidden, memory, sum(rows))
    recurrent = _recurrent_products(chains, hidden, buffers.gates, rows)
    projections = _projections(chains, buffers, rows)
    written = (*buffers.gates.chunk(4, dim=2), *buffers[1:4])
    cells = zip(first_rows(memory, rows), *(in_turn(tensor, rows) for tensor in written))
    outputs = zip(in_turn(buffers.projected, rows), first_rows(hidden, rows))
    for products, cell, projecting, output in zip(recurrent, cells, projections, outputs):
        for given, before, weight, out in products:
            torch.addmm(given, before, weight, out=out)
        _cell(*cell, cell_clip)
        for exposed, weight, out in projecting:
            torch.mm(exposed, weight, out=out)
        clip_into(output[1], output[0], projection_clip)
    results: List[Tensor] = []
    for index, projected in enumerate(buffers.projected):
        results += [torch.empty_like(projected), hidden[index].clone(), memory[index].clone()]
        clip_into(results[-3], projected, projection_clip)
    return results, buffers


def _new_buffers(hidden: Tensor, memory: Tensor, num_tokens: int) -> Buffers:
    num_chains, _, cell_dim = memory.shape
    gates, *others = (memory.new_empty(num_chains, num_tokens, width * cell_dim) for width in (4, 1, 1, 1))
    return Buffers(gates, *others, hidden.new_empty(num_chains, num_tokens, hidden.size(2)))


def _recurrent_products(
    chains: Sequence[Chain], hidden: Tensor, gates: Tensor, rows: List[int]
) -> Iterator[Tuple[Arguments, ...]]:
    """For each step the products `given + hidden W_recurrentᵀ`: what `torch.addmm` takes, and the place it fills."""
    width = gates.size(2) if gates.size(2) <= MAX_COLUMNS else MAX_COLUMNS // 4
    streams = []
    for chain, before, own_gates in zip(chains, hidden, gates):
        columns = chain.input_gates.split(width, dim=1), own_gates.split(width, dim=1)
        for weight, given, out in zip(chain.weight_recurrent.split(width), *columns):
            given_here, before_here = in_turn(given, rows, 0), first_rows(before, rows, 0)
            streams.append(zip(given_here, before_here, repeat(weight.t()), in_turn(out, rows, 0)))
    return zip(*streams)


def _projections(
    chains: Sequence[Chain], buffers: Buffers, rows: List[int]
) -> Iterator[Tuple[Arguments, ...]]:
    """For each step the products `exposed W_projectionᵀ`: what `torch.mm` takes, and the place it fills."""
    streams = []
    for chain, exposed, projected in zip(chains, buffers.exposed, buffers.projected):
        weight = chain.weight_projection.t()
        streams.append(zip(in_turn(exposed, rows, 0), repeat(weight), in_turn(projected, rows, 0)))
    return zip(*streams)


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
