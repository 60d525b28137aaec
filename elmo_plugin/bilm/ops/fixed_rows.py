"""
The model's operations such that a row's result does not depend on the rows beside it, not in a single bit.

A product of matrices adds up in an order that the library chooses by the shapes. So a sentence read alone and the same
sentence read among 99 others differ by some 1e-7 of the largest number. Here every product has exactly `NUM_ROWS` rows,
the last one repeated where there are not as many: one shape, one order. What works on each number by itself gets whole
blocks, too, because the numbers left over behind the last full vector of the processor are computed in another way.

This holds where a library treats the rows of one product alike. Intel's, which torch has on x86, was seen to do so for
widths that are multiples of four, and not for a product with a matrix of 7 by 5.

Without gradients. A row alone pays for a whole block. Where the program in C can run (`compiled_program`), whose rows
are by themselves anyway, its operations run in place of these but for what works on each number; else reading takes 1.6
times as long as by torch's usual products in batches of 64 sentences, and 5 times as long for a sentence alone.
"""

import math
from typing import Callable, Iterator, List, Optional, Sequence, Tuple

import torch
from torch import Tensor
from torch.nn import functional

from elmo_plugin.bilm.characters import MASK_ID
from elmo_plugin.bilm.ops.char_convolutions_blocked import joined_weights
from elmo_plugin.bilm.ops.projected_lstm import Chain, ChainOutput
from elmo_plugin.bilm.ops.projected_lstm_buffered_steps import MAX_COLUMNS, clip_into

NUM_ROWS = 32
# Torch gives more numbers than these to several threads, and cuts between them anywhere. Of twice as many it gives
# each of two threads one half, whole rows.
_NUMBERS_AT_ONCE = 2 * 32768


def in_blocks(function: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
    """`function(rows)`, of `NUM_ROWS` rows at a time. Rows may be anything, ids of words too."""
    return torch.cat([function(_filled_up(block))[: len(block)] for block in rows.split(NUM_ROWS)])


def linear_fixed(inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """
    `x weightᵀ + bias` of each row x.

    Shapes: (any number, in), (out, in), (out,) to (any number, out)
    """
    outputs = inputs.new_empty(len(inputs), len(weight))
    for given, out in zip(inputs.split(NUM_ROWS), outputs.split(NUM_ROWS)):
        if len(given) == NUM_ROWS:
            torch.addmm(bias, given, weight.t(), out=out)
        else:
            out.copy_(torch.addmm(bias, _filled_up(given), weight.t())[: len(given)])
    return outputs


def char_convolutions_fixed(
    characters: Tensor, embedding: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor]
) -> Tensor:
    """
    The values of `ops.char_convolutions.char_convolutions`; see there for the formula and the shapes.

    A product for each position: of the windows there with the filters of all widths.
    """
    joined = joined_weights(weights)
    num_positions = [characters.size(1) - weight.size(2) + 1 for weight in weights]
    # Where each filter has no window any more: the wide ones end earlier. Shape: (number of all filters,)
    ends = torch.cat([torch.full((weight.size(0),), n) for weight, n in zip(weights, num_positions)]).to(joined.device)

    def maxima_of(words: Tensor) -> Tensor:
        maxima = joined.new_full((len(words), joined.size(1)), -math.inf)
        for position, windows in enumerate(_windows(words, embedding, joined.size(0))[: max(num_positions)]):
            sums = windows @ joined
            if position >= min(num_positions):
                sums.masked_fill_(ends <= position, -math.inf)
            torch.maximum(maxima, sums, out=maxima)
        return maxima

    return in_blocks(maxima_of, characters) + torch.cat(list(biases))


def _windows(words: Tensor, embedding: Tensor, num_numbers: int) -> Tensor:
    """Shape: (num_types, max_characters) to (max_characters, num_types, num_numbers)"""
    widest = num_numbers // embedding.size(1)
    embedded = functional.embedding(functional.pad(words, (0, widest - 1), value=MASK_ID), embedding).flatten(1)
    return embedded.unfold(1, num_numbers, embedding.size(1)).transpose(0, 1).contiguous()


def projected_lstms_fixed(
    chains: Sequence[Chain], rows_per_step: Sequence[int], cell_clip: Optional[float], projection_clip: Optional[float]
) -> List[ChainOutput]:
    """The values of `ops.projected_lstm.projected_lstms`; see there for the formula and the shapes."""
    results = []
    for chain in chains:
        output = ChainOutput(
            chain.hidden.new_empty(sum(rows_per_step), chain.hidden.size(1)), chain.hidden.clone(), chain.memory.clone()
        )
        for first_row in range(0, len(chain.hidden), NUM_ROWS):
            _read_block(chain, output, _places(rows_per_step, first_row), first_row, (cell_clip, projection_clip))
        results.append(output)
    return results


def _places(rows_per_step: Sequence[int], first_row: int) -> Iterator[slice]:
    """Where in the packed layout a block's rows stand, step after step, until all have ended."""
    start = 0
    for num_rows in rows_per_step:
        if num_rows <= first_row:
            return
        yield slice(start + first_row, start + min(num_rows, first_row + NUM_ROWS))
        start += num_rows


def _read_block(
    chain: Chain,
    output: ChainOutput,
    places: Iterator[slice],
    first_row: int,
    clips: Tuple[Optional[float], Optional[float]],
) -> None:
    """Fills in a block's part of `output`. Rows that have ended are computed on; what comes out is not looked at."""
    block = slice(first_row, first_row + NUM_ROWS)
    hidden, memory = _filled_up(chain.hidden[block]), _filled_up(chain.memory[block])
    gates, exposed = memory.new_zeros(NUM_ROWS, 4 * memory.size(1)), torch.empty_like(memory)
    width = gates.size(1) if gates.size(1) <= MAX_COLUMNS else MAX_COLUMNS // 4
    products = list(zip(gates.split(width, dim=1), chain.weight_recurrent.split(width)))
    rows_at_once = max(1, _NUMBERS_AT_ONCE // memory.size(1))
    cells = list(zip(gates.split(rows_at_once), memory.split(rows_at_once), exposed.split(rows_at_once)))
    projection = chain.weight_projection.t()
    for place in places:
        num_rows = place.stop - place.start
        gates[:num_rows] = chain.input_gates[place]
        for columns, weight in products:
            columns.addmm_(hidden, weight.t())
        for cell in cells:
            _cell(*cell, clips[0])
        torch.mm(exposed, projection, out=hidden)
        clip_into(hidden, hidden, clips[1])
        output.outputs[place] = hidden[:num_rows]
        ran = slice(first_row, first_row + num_rows)
        output.hidden[ran], output.memory[ran] = hidden[:num_rows], memory[:num_rows]


def _cell(gates: Tensor, memory: Tensor, exposed: Tensor, clip: Optional[float]) -> None:
    """From gates before their activations to the clipped memory, and what is exposed of it; all in place."""
    input_gate, candidate, forget_gate, output_gate = gates.chunk(4, dim=1)
    for gate in (input_gate, forget_gate, output_gate):
        gate.sigmoid_()
    memory.mul_(forget_gate).addcmul_(input_gate, candidate.tanh_())
    clip_into(memory, memory, clip)
    torch.tanh(memory, out=exposed).mul_(output_gate)


def _filled_up(rows: Tensor) -> Tensor:
    """A copy, the last row again and again behind. Shape: (1 to NUM_ROWS, …) to (NUM_ROWS, …)"""
    return torch.cat([rows, rows[-1:].expand(NUM_ROWS - len(rows), *rows.shape[1:])])
