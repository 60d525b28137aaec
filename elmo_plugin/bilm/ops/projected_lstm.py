"""The recurrence of projected LSTM layers, plainly."""

from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple, Union

import torch
from torch import Tensor


class Inputs(NamedTuple):
    """
    What the input's share of the gates is made of, `x weightᵀ + bias` of each row x, while it is not multiplied yet.
    The weight may be laid out or packed as the peer that multiplies takes it; the bias is `None` where that has it.

    Shapes: (sum of rows_per_step, projection_dim), (4 * cell_dim, projection_dim), (4 * cell_dim,)
    """

    vectors: Tensor
    weight: Tensor
    bias: Optional[Tensor]


class Chain(NamedTuple):
    """
    One layer of one direction, as `projected_lstm` takes it; see there for shapes. Before it is known what will run
    (`ops.dispatch`), the input gates are `Inputs`.
    """

    input_gates: Union[Tensor, Inputs]
    hidden: Tensor
    memory: Tensor
    weight_recurrent: Tensor
    weight_projection: Tensor


class ChainOutput(NamedTuple):
    """What `projected_lstm` returns."""

    outputs: Tensor
    hidden: Tensor
    memory: Tensor


# `projected_lstms`, and each of its peers.
Recurrence = Callable[[Sequence[Chain], Sequence[int], Optional[float], Optional[float]], List[ChainOutput]]


def projected_lstms(
    chains: Sequence[Chain], rows_per_step: Sequence[int], cell_clip: Optional[float], projection_clip: Optional[float]
) -> List[ChainOutput]:
    """`projected_lstm` for several chains of the same shape, which know nothing of each other."""
    return [
        ChainOutput(
            *projected_lstm(
                chain.input_gates,
                rows_per_step,
                chain.hidden,
                chain.memory,
                chain.weight_recurrent,
                chain.weight_projection,
                cell_clip,
                projection_clip,
            )
        )
        for chain in chains
    ]


def projected_lstm(
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
    For each step, with the gates in the order input, candidate, forget, output:

        i, g, f, o = split(input_gates_t + h W_recurrentᵀ)
        c = clip(σ(f) * c + σ(i) * tanh(g), cell_clip)
        h = clip((σ(o) * tanh(c)) W_projectionᵀ, projection_clip)

    Rows are sorted by descending length, so the rows that still have a token at a step are the first ones. A row
    that has ended keeps its state.

    # Parameters

    input_gates : the input's share of the gates, biases included, step after step, rows that have ended left out.
        Shape: (sum of rows_per_step, 4 * cell_dim)
    rows_per_step : how many rows each step has, never increasing. Length: num_steps
    hidden : Shape: (batch_size, projection_dim)
    memory : Shape: (batch_size, cell_dim)
    weight_recurrent : Shape: (4 * cell_dim, projection_dim)
    weight_projection : Shape: (projection_dim, cell_dim)
    cell_clip, projection_clip : bounds, or `None`. The gradient of a clipped value is zero.

    # Returns

    The outputs, laid out like `input_gates`, and each row's last hidden and memory.
    Shapes: (sum of rows_per_step, projection_dim), (batch_size, projection_dim), (batch_size, cell_dim)
    """
    outputs: List[Tensor] = []
    recurrent, projection = weight_recurrent.t(), weight_projection.t()
    for gates, num_rows in zip(input_gates.split(list(rows_per_step)), rows_per_step):
        ended_hidden, ended_memory = hidden[num_rows:], memory[num_rows:]
        # Under autocast the products have fewer digits; the state, which lives long, and what enters it never.
        gates = torch.addmm(gates, hidden[:num_rows], recurrent).to(memory.dtype)
        # Shapes: (num_rows, cell_dim)
        input_gate, candidate, forget_gate, output_gate = gates.chunk(4, dim=1)
        memory = torch.sigmoid(forget_gate) * memory[:num_rows] + torch.sigmoid(input_gate) * torch.tanh(candidate)
        if cell_clip is not None:
            memory = memory.clamp(-cell_clip, cell_clip)
        hidden = ((torch.sigmoid(output_gate) * torch.tanh(memory)) @ projection).to(memory.dtype)
        if projection_clip is not None:
            hidden = hidden.clamp(-projection_clip, projection_clip)
        outputs.append(hidden)
        if ended_hidden.size(0):
            hidden, memory = torch.cat([hidden, ended_hidden]), torch.cat([memory, ended_memory])
    packed = torch.cat(outputs) if outputs else hidden.new_zeros(0, hidden.size(1))
    return packed, hidden, memory


def hidden_before_each_step(hidden: Tensor, outputs: Tensor, rows: List[int]) -> Tensor:
    """
    What the recurrent products of a chain began with, which is what the gradient of their weight is made of.

    # Parameters

    hidden : before the first step. Shape: (batch_size, projection_dim)
    outputs : of all steps, packed. Shape: (sum of rows, projection_dim)
    rows : of each step, steps without rows left out.

    # Returns

    Packed like `outputs`. Shape: (sum of rows, projection_dim)
    """
    if not rows:
        return outputs
    return torch.cat([before[:num_rows] for before, num_rows in zip([hidden, *outputs.split(rows)], rows)])
