"""One direction of the contextual half: a stack of LSTM layers with projections (Sak et al. 2014)."""

import math
from typing import List, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from elmo_plugin.bilm.ops.dispatch import projected_lstms
from elmo_plugin.bilm.ops.projected_lstm import Chain, Inputs
from elmo_plugin.bilm.options import LstmOptions
from elmo_plugin.bilm.ragged import RaggedLayout
from elmo_plugin.bilm.state import LstmState


class ProjectedLstmLayer(nn.Module):
    """
    Weights of one layer, for the recurrence of `ops.projected_lstm`.

    Gate blocks are in the order input, candidate, forget, output. The forget gate's +1.0 is added when the layer
    runs and is no part of `bias`, so that weights come out of a file and go back into it bit by bit.

    # Parameters

    options : widths and clips. The input is `projection_dim` wide in every layer.
    """

    def __init__(self, options: LstmOptions) -> None:
        super().__init__()
        self.options = options
        self.weight_input = nn.Parameter(torch.empty(4 * options.cell_dim, options.projection_dim))
        self.weight_recurrent = nn.Parameter(torch.empty(4 * options.cell_dim, options.projection_dim))
        self.weight_projection = nn.Parameter(torch.empty(options.projection_dim, options.cell_dim))
        self.bias = nn.Parameter(torch.zeros(4 * options.cell_dim))
        forget_offset = torch.zeros(4 * options.cell_dim)
        forget_offset[2 * options.cell_dim : 3 * options.cell_dim] = 1.0
        self.register_buffer("forget_offset", forget_offset, persistent=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Glorot's uniform initialisation over the joined matrices, TensorFlow's default, as in bilm-tf."""
        dim, cell_dim = self.options.projection_dim, self.options.cell_dim
        bound = math.sqrt(6.0 / (2 * dim + 4 * cell_dim))
        for weight in (self.weight_input, self.weight_recurrent):
            nn.init.uniform_(weight, -bound, bound)
        nn.init.xavier_uniform_(self.weight_projection)
        nn.init.zeros_(self.bias)

    def chain(self, packed: Tensor, hidden: Tensor, memory: Tensor) -> Chain:
        """
        What the recurrence takes: what the input's share of the gates of all steps is made of, state and weights.

        # Parameters

        packed : inputs as `RaggedLayout` packs them. Shape: (sum of lengths, projection_dim)
        hidden, memory : of this layer, rows in that layout's order.
            Shapes: (batch_size, projection_dim), (batch_size, cell_dim)
        """
        inputs = Inputs(packed, self.weight_input, self.bias + self.forget_offset)
        return Chain(inputs, hidden, memory, self.weight_recurrent, self.weight_projection)


class ProjectedLstm(nn.Module):
    """
    All layers of one direction. With skip connections, from the second layer on

        output_j = layer_j(output_{j-1}) + output_{j-1}

    where the sum is no part of the recurrent state.

    # Parameters

    options : widths, clips, number of layers.
    dropout : share of every layer's inputs that training sets to zero (of the skip connection's too, as in bilm-tf).
    """

    def __init__(self, options: LstmOptions, dropout: float = 0.0) -> None:
        super().__init__()
        self.options = options
        self.dropout = dropout
        self.layers = nn.ModuleList(ProjectedLstmLayer(options) for _ in range(options.num_layers))

    def zero_state(self, batch_size: int) -> LstmState:
        """The state before any text."""
        zeros, options = self.layers[0].bias.new_zeros, self.options
        return LstmState(
            zeros(options.num_layers, batch_size, options.projection_dim),
            zeros(options.num_layers, batch_size, options.cell_dim),
        )

    def forward(
        self, inputs: Tensor, state: LstmState, lengths: Optional[Tensor] = None
    ) -> Tuple[List[Tensor], LstmState]:
        """
        # Parameters

        inputs : word vectors in this direction's reading order. Shape: (batch_size, num_steps, projection_dim)
        state : before the first step. A row of length 0 keeps its state.
        lengths : tokens in each row; `None` where all are full. Shape: (batch_size,)

        # Returns

        The output of each layer, skip connections included, zeros beyond a row's length, and the state after each
        row's last token. Shapes: `num_layers` times (batch_size, num_steps, projection_dim)
        """
        return read_in_step([self], [inputs], [state], lengths)[0]


def read_in_step(
    lstms: Sequence[ProjectedLstm],
    inputs: Sequence[Tensor],
    states: Sequence[LstmState],
    lengths: Optional[Tensor] = None,
) -> List[Tuple[List[Tensor], LstmState]]:
    """
    What each of several LSTMs of the same options returns for its own inputs and state, found layer by layer and step
    by step together. They know nothing of each other; it only is faster (see `ops.projected_lstm_buffered`).

    # Parameters

    lengths : tokens in each row, for all alike.
    """
    layout = RaggedLayout(lengths, inputs[0].size(0), inputs[0].size(1), inputs[0].device)
    options = lstms[0].options
    currents = [layout.pack(padded) for padded in inputs]
    results: List[Tuple[List[Tensor], List[LstmState]]] = [([], []) for _ in lstms]
    for index in range(options.num_layers):
        currents = [functional.dropout(x, lstm.dropout, lstm.training) for lstm, x in zip(lstms, currents)]
        chains = [
            lstm.layers[index].chain(x, layout.sort_rows(state.hidden[index]), layout.sort_rows(state.memory[index]))
            for lstm, x, state in zip(lstms, currents, states)
        ]
        chain_outputs = projected_lstms(chains, layout.rows_per_step, options.cell_clip, options.projection_clip)
        for number, (output, hidden, memory) in enumerate(chain_outputs):
            has_skip = index > 0 and options.use_skip_connections
            currents[number] = output + currents[number] if has_skip else output
            results[number][0].append(layout.unpack(currents[number]))
            results[number][1].append(LstmState(layout.restore_rows(hidden), layout.restore_rows(memory)))
    return [(layers, LstmState(*(torch.stack(tensors) for tensors in zip(*after)))) for layers, after in results]
