"""An LSTM over padded texts, which on a CPU trains two to three times as fast as one over packed texts."""

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.modules import Seq2SeqEncoder
from torch import Tensor, nn

from elmo_plugin.bilm.ragged import reverse_rows


@Seq2SeqEncoder.register("padded_lstm")
class PaddedLstm(Seq2SeqEncoder):
    """
    An LSTM, the same function of its weights as AllenNLP's `lstm` without dropout between layers.

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
    num_layers : `int`, optional (default = `1`)
    bidirectional : `bool`, optional (default = `False`)
        Outputs of the backward direction stand behind those of the forward one.
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, bidirectional: bool = False) -> None:
        super().__init__()
        sizes = {"input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers}
        for name, size in sizes.items():
            if size < 1:
                raise ConfigurationError(f"{name} must be at least 1; it is {size}.")
        self.input_size, self.hidden_size, self.bidirectional = input_size, hidden_size, bidirectional
        widths = [input_size] + (num_layers - 1) * [self.get_output_dim()]
        self.forward_layers = nn.ModuleList(_layer(width, hidden_size) for width in widths)
        self.backward_layers = nn.ModuleList(_layer(width, hidden_size) for width in widths if bidirectional)

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """
        # Parameters

        inputs : Shape: (batch_size, num_tokens, input_size)
        mask : true where a text has a token, all of which stand before its padding. Shape: (batch_size, num_tokens)

        # Returns

        The last layer's hidden states, zeros in padding. Shape: (batch_size, num_tokens, hidden_size), twice as wide
        where bidirectional.
        """
        lengths = mask.sum(dim=1)
        outputs = inputs
        for number, forward_layer in enumerate(self.forward_layers):
            directions = [forward_layer(outputs)[0]]
            if self.bidirectional:
                turned = self.backward_layers[number](reverse_rows(outputs, lengths))[0]
                directions.append(reverse_rows(turned, lengths))
            outputs = torch.cat(directions, dim=-1)
        return outputs.masked_fill(~mask.unsqueeze(-1), 0.0)

    def get_input_dim(self) -> int:
        return self.input_size

    def get_output_dim(self) -> int:
        return self.hidden_size * (2 if self.bidirectional else 1)

    def is_bidirectional(self) -> bool:
        return self.bidirectional


def _layer(input_size: int, hidden_size: int) -> nn.LSTM:
    return nn.LSTM(input_size, hidden_size, batch_first=True)
