"""An LSTM over padded texts, which on a CPU trains two to three times as fast as one over packed texts."""

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.modules import Seq2SeqEncoder
from torch import Tensor, nn

from elmo_plugin.bilm.ragged import reverse_rows


@Seq2SeqEncoder.register("padded_lstm")
class PaddedLstm(Seq2SeqEncoder):
    """
    A one-layer LSTM, the same function of its weights as AllenNLP's `lstm` with one layer.

    That one packs its texts. On a CPU torch then multiplies step by step in operations of its own, the backward pass
    of which fills a tensor as large as the whole input at every step. For padded texts it has one call, oneDNN's, for
    all steps. Padding follows the text, so the forward direction meets it when its outputs no longer count; the
    backward direction reads each text turned round in its own length, and its outputs are turned round again.

    Registered as a `Seq2SeqEncoder` with name "padded_lstm".

    ```jsonnet
    {"type": "padded_lstm", "input_size": 16, "hidden_size": 8, "bidirectional": true}
    ```

    # Parameters

    input_size : `int`, required
    hidden_size : `int`, required
        Of each direction.
    bidirectional : `bool`, optional (default = `False`)
        Outputs of the backward direction stand behind those of the forward one.
    """

    def __init__(self, input_size: int, hidden_size: int, bidirectional: bool = False) -> None:
        super().__init__()
        if input_size < 1 or hidden_size < 1:
            raise ConfigurationError(
                f"input_size and hidden_size must be at least 1; they are {input_size} and {hidden_size}."
            )
        self.input_size = input_size
        self.forward_lstm = nn.LSTM(input_size, hidden_size, batch_first=True)
        self.backward_lstm = nn.LSTM(input_size, hidden_size, batch_first=True) if bidirectional else None

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """
        # Parameters

        inputs : Shape: (batch_size, num_tokens, input_size)
        mask : true where a text has a token, all of which stand before its padding. Shape: (batch_size, num_tokens)

        # Returns

        The hidden states, zeros in padding. Shape: (batch_size, num_tokens, hidden_size), twice as wide where
        bidirectional.
        """
        outputs = self.forward_lstm(inputs)[0]
        if self.backward_lstm is not None:
            lengths = mask.sum(dim=1)
            backward = self.backward_lstm(reverse_rows(inputs, lengths))[0]
            outputs = torch.cat([outputs, reverse_rows(backward, lengths)], dim=-1)
        return outputs.masked_fill(~mask.unsqueeze(-1), 0.0)

    def get_input_dim(self) -> int:
        return self.input_size

    def get_output_dim(self) -> int:
        return self.forward_lstm.hidden_size * (1 if self.backward_lstm is None else 2)

    def is_bidirectional(self) -> bool:
        return self.backward_lstm is not None
