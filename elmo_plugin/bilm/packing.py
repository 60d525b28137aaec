"""A biLM whose weights are packed in fewer bits, for reading on the CPU."""

import copy
from typing import Any, Dict

from torch import Tensor, nn

from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.char_cnn import CharCnnEncoder
from elmo_plugin.bilm.ops.packed_matrix import FLOAT32, PackedMatrix, check_precision
from elmo_plugin.bilm.ops.projected_lstm import Chain
from elmo_plugin.bilm.projected_lstm import ProjectedLstmLayer


def with_weights(bilm: Bilm, weights: str) -> Bilm:
    """
    A model that reads as `bilm` does, with weights of that precision: those of all products of the LSTMs (inputs,
    recurrence, projection) and of the encoder's highways and projection. Convolutions, embeddings and biases stay as
    they are, and are the model's own, not copies. It gives no gradients, and keeps what it is if `bilm` changes.

    # Parameters

    weights : `"float32"` (the model itself), `"float16"` or `"int8"`; see `PackedMatrix`.

    # Raises

    `ValueError` for another precision, where the machine or torch can't, and for a model that is not of `float32`.
    """
    check_precision(weights, bilm.boundaries.device)
    if weights == FLOAT32:
        return bilm
    # Parameters and buffers are shared.
    shared: Dict[int, Any] = {id(tensor): tensor for tensor in [*bilm.parameters(), *bilm.buffers()]}
    packed = copy.deepcopy(bilm, shared)
    for lstm in (packed.forward_lstm, packed.backward_lstm):
        lstm.layers = nn.ModuleList(_PackedLayer(layer, weights) for layer in lstm.layers)
    if isinstance(packed.encoder, CharCnnEncoder):
        for highway in packed.encoder.highways:
            highway.transform, highway.carry = (_PackedLinear(x, weights) for x in (highway.transform, highway.carry))
        if packed.encoder.projection is not None:
            packed.encoder.projection = _PackedLinear(packed.encoder.projection, weights)
    return packed.eval()


class _PackedLinear(nn.Module):
    def __init__(self, linear: nn.Linear, weights: str) -> None:
        super().__init__()
        self.matrix = PackedMatrix(linear.weight, weights, linear.bias)
        self.out_features = linear.out_features

    def forward(self, rows: Tensor) -> Tensor:
        return self.matrix(rows)


class _PackedLayer(nn.Module):
    """A `ProjectedLstmLayer` to read with."""

    def __init__(self, layer: ProjectedLstmLayer, weights: str) -> None:
        super().__init__()
        self.options, self.bias = layer.options, layer.bias
        self.input = PackedMatrix(layer.weight_input, weights, layer.bias + layer.forget_offset)
        self.recurrent = PackedMatrix(layer.weight_recurrent, weights)
        self.projection = PackedMatrix(layer.weight_projection, weights)

    def chain(self, packed: Tensor, hidden: Tensor, memory: Tensor) -> Chain:
        """See `ProjectedLstmLayer.chain`."""
        return Chain(self.input(packed), hidden, memory, self.recurrent, self.projection)
