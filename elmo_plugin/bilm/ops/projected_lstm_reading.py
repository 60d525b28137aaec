"""
The recurrence of projected LSTM layers where nothing is kept for a way back, by torch's products: a fast peer of
`projected_lstm` for weights in fewer bits, and where `projected_lstm_compiled` can't run.

The chains go in step, and what a step multiplies is one call for all of them, of matrices that are copied to lie one
behind the other: the library then gives each chain to a thread. Where it divides a single product of few rows among its
threads, they wait for each other. Measured with float32 and two chains on two threads of one core of an AMD EPYC (AVX2,
Intel's MKL), 2026-11-21, in microseconds for the products of a step:

    cell_dim, projection_dim   rows   one by one   one call
    1,024, 128                    1          245        130
                                  8          469        294
                                 32          926        737
    4,096, 512                    1        6,820      3,376
                                  8       12,548     10,866
                                 32       19,814     16,500

The copies took 7 and 33 milliseconds.
"""

from itertools import groupby, islice
from typing import Callable, Iterable, Iterator, List, Optional, Sequence, Tuple, Union

import torch
from torch import Tensor

from elmo_plugin.bilm.ops.packed_matrix import PackedMatrix
from elmo_plugin.bilm.ops.projected_lstm import Chain, ChainOutput
from elmo_plugin.bilm.ops.projected_lstm_buffered_steps import clip_into
from elmo_plugin.bilm.ops.projected_lstm_compiled import portions

# From so many numbers on a sigmoid and three small operations take less time than torch's tanh.
MANY_NUMBERS = 2**15

Clips = Tuple[Optional[float], Optional[float]]
# Of all chains, transposed, in one tensor of shape (num_chains, in, out); or what multiplies the rows of each.
Weights = Union[Tensor, Sequence[Callable[[Tensor], Tensor]]]


def projected_lstms_reading(
    chains: Sequence[Chain], rows_per_step: Sequence[int], cell_clip: Optional[float], projection_clip: Optional[float]
) -> List[ChainOutput]:
    """
    The values of `ops.projected_lstm.projected_lstms`; see there for the formula and the shapes. The input gates of a
    chain must be `Inputs`, or its weights be packed (`ops.packed_matrix`), that of `Inputs` too.
    """
    # Each row's state as of its last step so far. Shapes: (num_chains, batch_size, projection_dim or cell_dim)
    hidden, memory = (torch.stack([chain[index] for chain in chains]) for index in (1, 2))
    outputs = hidden.new_empty(len(chains), sum(rows_per_step), hidden.size(2))
    weights = tuple(_joined([chain[index] for chain in chains]) for index in (3, 4))
    rows = [num_rows for num_rows in rows_per_step if num_rows > 0]
    steps = zip(_given(chains, rows), outputs.split(rows, dim=1))
    for num_rows, run in groupby(rows):
        own_steps = islice(steps, len(list(run)))
        _go(hidden[:, :num_rows], memory[:, :num_rows], own_steps, weights, (cell_clip, projection_clip))
    return [ChainOutput(*tensors) for tensors in zip(outputs, hidden, memory)]


def _given(chains: Sequence[Chain], rows: List[int]) -> Iterable[Sequence[Tensor]]:
    """The input's share of each step's gates, of all chains."""
    if isinstance(chains[0].input_gates, Tensor):
        return zip(*(chain.input_gates.split(rows) for chain in chains))
    vectors, weight, _ = chains[0].input_gates
    if isinstance(weight, PackedMatrix):
        return _given_by_packed(chains, rows)
    gates = vectors.new_empty(len(chains), len(vectors), len(weight))
    for chain, out in zip(chains, gates):
        vectors, weight, bias = chain.input_gates
        torch.addmm(bias, vectors, weight.t(), out=out)
    return gates.split(rows, dim=1)


def _given_by_packed(chains: Sequence[Chain], rows: List[int]) -> Iterator[Sequence[Tensor]]:
    """As `_given`, multiplied for some steps at a time: those of all would be the largest tensor of all reading."""
    for place, portion in portions(rows):
        yield from zip(*(inputs.weight(inputs.vectors[place]).split(portion) for inputs, *_ in chains))


def _joined(weights: List[Union[Tensor, PackedMatrix]]) -> Weights:
    if not isinstance(weights[0], Tensor):
        return weights
    return (_beside_each_other(weights) if are_side_by_side(weights) else torch.stack(weights)).transpose(1, 2)


def are_side_by_side(weights: Sequence[Tensor]) -> bool:
    """Whether matrices of the same shape lie one behind the other already, as the parts of one tensor do."""
    first, size = weights[0], weights[0].numel()
    return all(
        weight.is_contiguous()
        and weight.untyped_storage().data_ptr() == first.untyped_storage().data_ptr()
        and weight.storage_offset() == first.storage_offset() + index * size
        for index, weight in enumerate(weights)
    )


def _beside_each_other(weights: Sequence[Tensor]) -> Tensor:
    """`torch.stack` of them without a copy."""
    first = weights[0]
    return first.as_strided((len(weights), *first.shape), (first.numel(), *first.stride()))


def _go(
    hidden: Tensor,
    memory: Tensor,
    steps: Iterable[Tuple[Sequence[Tensor], Tensor]],
    weights: Tuple[Weights, Weights],
    clips: Clips,
) -> None:
    """
    Steps of the same number of rows, each with what it is given and the place of its outputs. Changes the state.

    Shapes: (num_chains, num_rows, projection_dim), (num_chains, num_rows, cell_dim)
    """
    # Each step writes over the one before.
    gates = memory.new_empty(*memory.shape[:2], 4 * memory.size(2))
    squashed, exposed, projected = (memory.new_empty(like.shape) for like in (memory, memory, hidden))
    input_gate, candidate, forget_gate, output_gate = gates.chunk(4, dim=2)
    before = hidden
    for given, place in steps:
        _set_gates(gates, given, before, weights[0])
        # tanh(g) = 2 σ(2 g) - 1, which takes half the time, and one call for all gates.
        candidate.mul_(2)
        gates.sigmoid_()
        memory.mul_(forget_gate).sub_(input_gate).addcmul_(input_gate, candidate, value=2)
        clip_into(memory, memory, clips[0])
        torch.mul(output_gate, _tanh_into(squashed, memory), out=exposed)
        _set_products(projected, exposed, weights[1])
        clip_into(place, projected, clips[1])
        before = place
    hidden.copy_(before)


def _tanh_into(out: Tensor, values: Tensor) -> Tensor:
    if values.numel() < MANY_NUMBERS:
        return torch.tanh(values, out=out)
    return torch.mul(values, 2, out=out).sigmoid_().mul_(2).sub_(1)


def _set_gates(gates: Tensor, given: Sequence[Tensor], rows: Tensor, weights: Weights) -> None:
    if isinstance(weights, Tensor):
        torch.baddbmm(given, rows, weights, out=gates)
        return
    for out, own_given, own_rows, weight in zip(gates, given, rows, weights):
        torch.add(own_given, weight(own_rows), out=out)


def _set_products(out: Tensor, rows: Tensor, weights: Weights) -> None:
    if isinstance(weights, Tensor):
        torch.bmm(rows, weights, out=out)
        return
    for own, own_rows, weight in zip(out, rows, weights):
        own.copy_(weight(own_rows))
