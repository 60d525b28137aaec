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
from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple, Union

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
# The input's share of a step's gates, and `None`; or its inputs and their weights, transposed.
Given = Tuple[Tensor, Optional[Tensor]]


def projected_lstms_reading(
    chains: Sequence[Chain], rows_per_step: Sequence[int], cell_clip: Optional[float], projection_clip: Optional[float]
) -> List[ChainOutput]:
    """
    The values of `ops.projected_lstm.projected_lstms`; see there for the formula and the shapes. The weights of a chain
    may be packed (`ops.packed_matrix`), and its input gates be `Inputs`.
    """
    if len(chains) > 1 and chains[0].memory.numel() > MAX_NUMBERS_IN_STEP:
        return [projected_lstms_reading([chain], rows_per_step, cell_clip, projection_clip)[0] for chain in chains]
    # Shapes: (num_chains, batch_size, projection_dim), (num_chains, batch_size, cell_dim)
    hidden, memory = (torch.stack([chain[index] for chain in chains]) for index in (1, 2))
    outputs = hidden.new_empty(len(chains), sum(rows_per_step), hidden.size(2))
    num_many = sum(num_rows for num_rows in rows_per_step if num_rows >= MANY_ROWS)
    givens = [_given(chain.input_gates, num_many) for chain in chains]
    start, running = 0, hidden
    for num_rows, steps in groupby(num_rows for num_rows in rows_per_step if num_rows > 0):
        end = start + num_rows * len(list(steps))
        run = _new_run(chains, memory[:, :num_rows])
        # Views: of the outputs, and of what each chain is given.
        places = outputs[:, start:end].split(num_rows, dim=1)
        given = [[(part, weight) for part in rows.split(num_rows)] for rows, weight in (g(start, end) for g in givens)]
        running = _go(run, running[:, :num_rows], places, given, (cell_clip, projection_clip))
        hidden[:, :num_rows], memory[:, :num_rows] = running, run.memory
        start = end
    return [ChainOutput(*tensors) for tensors in zip(outputs, hidden, memory)]


class Inputs(NamedTuple):
    """
    In place of the input's share of the gates: what it is made of, as `x weightᵀ + bias` of each row x.

    Shapes: (sum of rows_per_step, projection_dim), (4 * cell_dim, projection_dim), (4 * cell_dim,)
    """

    vectors: Tensor
    weight: Tensor
    bias: Tensor


def _given(inputs: Union[Tensor, Inputs], num_many: int) -> Callable[[int, int], Tuple[Tensor, Optional[Tensor]]]:
    """
    What gives any part of a chain's tokens: the input's share of their gates; or, of the first `num_many`, which run in
    many rows, the inputs and what they are to be multiplied with. Their product is as fast step by step as at once, and
    then lies as the gates do.
    """
    if isinstance(inputs, Tensor):
        return lambda start, end: (inputs[start:end], None)
    vectors, weight, bias = inputs
    gates = torch.addmm(bias, vectors[num_many:], weight.t())
    if num_many == 0:
        return lambda start, end: (gates[start:end], None)
    # The bias is the weight of an input that is 1.
    with_one = torch.cat([vectors[:num_many], vectors.new_ones(num_many, 1)], dim=1)
    with_bias = torch.cat([weight, bias.unsqueeze(1)], dim=1).t()

    def part(start: int, end: int) -> Tuple[Tensor, Optional[Tensor]]:
        return (with_one[start:end], with_bias) if end <= num_many else (gates[start - num_many : end - num_many], None)

    return part


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
    run: _Run, hidden: Tensor, places: Sequence[Tensor], given: Sequence[Sequence[Given]], clips: Clips
) -> Tensor:
    """Fills in `places`, step after step, and returns the last of them: the state's hidden half."""
    input_gate, candidate, forget_gate, output_gate = run.gates.chunk(4, dim=2)
    memory = run.memory
    per_chain = list(zip(run.recurrents, run.gates)), list(zip(run.exposed, run.projections, run.projected))
    for place, *own in zip(places, *given):
        for share, before, (weight, out) in zip(own, hidden, per_chain[0]):
            _set_gates(share, before, weight, out)
        # tanh(g) = 2 σ(2 g) - 1, which takes half the time, and one call for all gates.
        candidate.mul_(2)
        run.gates.sigmoid_()
        memory.mul_(forget_gate).sub_(input_gate).addcmul_(input_gate, candidate, value=2)
        clip_into(memory, memory, clips[0])
        torch.mul(output_gate, torch.tanh(memory, out=run.squashed), out=run.exposed)
        for exposed, weight, out in per_chain[1]:
            _set_product(exposed, weight, out)
        clip_into(place, run.projected, clips[1])
        hidden = place
    return hidden


def _set_gates(given: Given, rows: Tensor, weight: Union[Tensor, PackedMatrix], out: Tensor) -> None:
    share, input_weight = given
    if input_weight is not None:
        torch.mm(share, input_weight, out=out).addmm_(rows, weight)
    elif isinstance(weight, PackedMatrix):
        torch.add(share, weight(rows), out=out)
    else:
        torch.addmm(share, rows, weight, out=out)


def _set_product(rows: Tensor, weight: Union[Tensor, PackedMatrix], out: Tensor) -> None:
    if isinstance(weight, PackedMatrix):
        out.copy_(weight(rows))
    else:
        torch.mm(rows, weight, out=out)
