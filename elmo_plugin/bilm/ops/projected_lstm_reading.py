"""
The recurrence of projected LSTM layers where nothing is kept for a way back: a fast peer of `projected_lstm`.

What counts is in which order a product's result lies in memory. The library that torch multiplies with on x86 takes
between 0.9 and 4 times as long where the gates of one row lie side by side as where the rows of one gate do ("columns"
below), and the least where the weights are many and the rows few. So gates and memories lie in columns, but for the
few shapes where that was slower, and the products of the projection always do; hidden states lie in rows.
Measured with float32 on two threads of one core of an AMD EPYC (AVX2, Intel's MKL), 2026-11-21, in microseconds:

    weights         rows  gates in rows  in columns       weights          rows  in rows  in columns
    4,096 x 128        8            151         201       16,384 x 512        8    5,957       2,648
                      16            170         137                          16    7,058       3,993
                      32            269         234                          32    9,093       5,469
                     128            923         817                         128   24,972      16,780

Steps with the same number of rows make a run, which has its buffers to itself: no step reads across the gaps that rows
leave which have ended.
"""

from itertools import groupby
from typing import List, NamedTuple, Optional, Sequence, Tuple, Union

import torch
from torch import Tensor

from elmo_plugin.bilm.ops.packed_matrix import PackedMatrix
from elmo_plugin.bilm.ops.projected_lstm import Chain, ChainOutput
from elmo_plugin.bilm.ops.projected_lstm_forward import MAX_NUMBERS_IN_STEP, clip_into

# From so many rows on columns are better for any weights, and whatever the product is made of.
MANY_ROWS = 16
# In between, rows are better for so few weights, which stay in the cache.
_SOME_ROWS, _FEW_WEIGHTS = range(5, MANY_ROWS), 2**21

Clips = Tuple[Optional[float], Optional[float]]


def projected_lstms_reading(
    chains: Sequence[Chain], rows_per_step: Sequence[int], cell_clip: Optional[float], projection_clip: Optional[float]
) -> List[ChainOutput]:
    """
    The values of `ops.projected_lstm.projected_lstms`; see there for the formula and the shapes. The weights of a chain
    may be packed (`ops.packed_matrix`).
    """
    if len(chains) > 1 and chains[0].memory.numel() > MAX_NUMBERS_IN_STEP:
        return [projected_lstms_reading([chain], rows_per_step, cell_clip, projection_clip)[0] for chain in chains]
    # Shapes: (num_chains, batch_size, projection_dim), (num_chains, batch_size, cell_dim)
    hidden, memory = (torch.stack([chain[index] for chain in chains]) for index in (1, 2))
    outputs = hidden.new_empty(len(chains), sum(rows_per_step), hidden.size(2))
    start, running = 0, hidden
    for num_rows, steps in groupby(num_rows for num_rows in rows_per_step if num_rows > 0):
        end = start + num_rows * len(list(steps))
        run = _new_run(chains, memory[:, :num_rows])
        # Views: of the outputs, and of the input's share of each chain's gates.
        places = outputs[:, start:end].split(num_rows, dim=1)
        given = [chain.input_gates[start:end].split(num_rows) for chain in chains]
        running = _go(run, running[:, :num_rows], places, given, (cell_clip, projection_clip))
        hidden[:, :num_rows], memory[:, :num_rows] = running, run.memory
        start = end
    return [ChainOutput(*tensors) for tensors in zip(outputs, hidden, memory)]


def input_gates(inputs: Tensor, weight: Tensor, bias: Tensor, batch_size: int) -> Tensor:
    """
    `x weightᵀ + bias` of each row x, in the order in which the recurrence takes it.

    # Parameters

    batch_size : rows of a step at most.

    Shapes: (any number, in), (out, in), (out,) to (any number, out)
    """
    if batch_size < MANY_ROWS:
        return torch.addmm(bias, inputs, weight.t())
    columns = inputs.new_empty(len(weight), len(inputs)).t()
    return torch.addmm(bias, inputs, weight.t(), out=columns)


class _Run(NamedTuple):
    """
    What steps of the same number of rows share.

    memory : of the state. Shape: (num_chains, num_rows, cell_dim)
    gates, squashed, exposed, projected : written by each step over the one before: the gates, tanh of the memory, what is
        exposed of it, its projection before the clip. Shapes: (num_chains, num_rows, …)
    recurrents, projections : the weights, transposed or packed.
    """

    memory: Tensor
    gates: Tensor
    squashed: Tensor
    exposed: Tensor
    projected: Tensor
    recurrents: List[Union[Tensor, PackedMatrix]]
    projections: List[Union[Tensor, PackedMatrix]]


def _new_run(chains: Sequence[Chain], memory: Tensor) -> _Run:
    """`memory` is copied."""
    num_rows, cell_dim = memory.shape[1:]
    recurrent = chains[0].weight_recurrent
    is_packed = isinstance(recurrent, PackedMatrix)
    in_columns = not is_packed and (num_rows not in _SOME_ROWS or recurrent.numel() > _FEW_WEIGHTS)
    own = _empty(memory, cell_dim, in_columns).copy_(memory)
    return _Run(
        own,
        _empty(memory, 4 * cell_dim, in_columns),
        _empty(memory, cell_dim, in_columns),
        _empty(memory, cell_dim, in_columns and num_rows >= MANY_ROWS),
        _empty(memory, chains[0].hidden.size(1), not is_packed),
        [_transposed(chain.weight_recurrent) for chain in chains],
        [_transposed(chain.weight_projection) for chain in chains],
    )


def _empty(like: Tensor, width: int, in_columns: bool) -> Tensor:
    """Shape: (num_chains, num_rows, width)"""
    num_chains, num_rows = like.shape[:2]
    if in_columns:
        return like.new_empty(num_chains, width, num_rows).transpose(1, 2)
    return like.new_empty(num_chains, num_rows, width)


def _transposed(weight: Union[Tensor, PackedMatrix]) -> Union[Tensor, PackedMatrix]:
    return weight if isinstance(weight, PackedMatrix) else weight.t()


def _go(
    run: _Run, hidden: Tensor, places: Sequence[Tensor], given: Sequence[Sequence[Tensor]], clips: Clips
) -> Tensor:
    """Fills in `places`, step after step; the last of them is the state's hidden half then."""
    input_gate, candidate, forget_gate, output_gate = run.gates.chunk(4, dim=2)
    # Side by side.
    forget_and_output = run.gates[:, :, 2 * run.memory.size(2) :]
    memory = run.memory
    per_chain = list(zip(run.recurrents, run.gates)), list(zip(run.exposed, run.projections, run.projected))
    for place, *own in zip(places, *given):
        for share, before, (weight, out) in zip(own, hidden, per_chain[0]):
            _add_product(share, before, weight, out)
        input_gate.sigmoid_()
        forget_and_output.sigmoid_()
        memory.mul_(forget_gate).addcmul_(input_gate, candidate.tanh_())
        clip_into(memory, memory, clips[0])
        torch.mul(output_gate, torch.tanh(memory, out=run.squashed), out=run.exposed)
        for exposed, weight, out in per_chain[1]:
            _set_product(exposed, weight, out)
        clip_into(place, run.projected, clips[1])
        hidden = place
    return hidden


def _add_product(given: Tensor, rows: Tensor, weight: Union[Tensor, PackedMatrix], out: Tensor) -> None:
    if isinstance(weight, PackedMatrix):
        torch.add(given, weight(rows), out=out)
    else:
        torch.addmm(given, rows, weight, out=out)


def _set_product(rows: Tensor, weight: Union[Tensor, PackedMatrix], out: Tensor) -> None:
    if isinstance(weight, PackedMatrix):
        out.copy_(weight(rows))
    else:
        torch.mm(rows, weight, out=out)
