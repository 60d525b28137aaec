"""A biLM for reading on the CPU: its weights packed in fewer bits, or as they are, laid out for their products."""

import copy
from typing import Any, Dict, List, Sequence, Union

import torch
from torch import Tensor, nn

from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.char_cnn import CharCnnEncoder
from elmo_plugin.bilm.ops.compiled_program import PanelMatrix
from elmo_plugin.bilm.ops.dispatch import is_compiled
from elmo_plugin.bilm.ops.packed_matrix import FLOAT16, FLOAT32, PackedMatrix, check_precision
from elmo_plugin.bilm.ops.projected_lstm import Chain, Inputs
from elmo_plugin.bilm.ops.projected_lstm_compiled import in_panels
from elmo_plugin.bilm.projected_lstm import ProjectedLstmLayer


def with_weights(bilm: Bilm, weights: str) -> Bilm:
    """
    A model that reads as `bilm` does, with weights of that precision: those of all products of the LSTMs (inputs,
    recurrence, projection) and of the encoder's highways and projection. Convolutions, embeddings and biases stay as
    they are, and are the model's own, not copies. It gives no gradients, and keeps what it is if `bilm` changes.

    # Parameters

    weights : `"float32"` (the model itself), `"float16"` or `"int8"`; see `PackedMatrix`, and for the steps of the
        LSTMs under `"float16"`, where the recurrence is compiled, `PanelMatrix`.

    # Raises

    `ValueError` for another precision, where the machine or torch can't, and for a model that is not of `float32`.
    """
    check_precision(weights, bilm.boundaries.device)
    if weights == FLOAT32:
        return bilm
    packed = _sharing_tensors(bilm)
    for lstm in (packed.forward_lstm, packed.backward_lstm):
        lstm.layers = nn.ModuleList(_PackedLayer(layer, weights) for layer in lstm.layers)
    if isinstance(packed.encoder, CharCnnEncoder):
        for highway in packed.encoder.highways:
            highway.transform, highway.carry = (_PackedLinear(x, weights) for x in (highway.transform, highway.carry))
        if packed.encoder.projection is not None:
            packed.encoder.projection = _PackedLinear(packed.encoder.projection, weights)
    return packed.eval()


def laid_out(bilm: Bilm) -> Bilm:
    """
    A model that reads as `bilm` does, with copies of the weights that the LSTMs' steps multiply by, as these take them:
    in panels for the compiled recurrence where that runs, else both directions' in one tensor. `bilm` itself has them
    copied so for each batch. It gives no gradients, and keeps what it is if `bilm` changes.

    # Returns

    `bilm` itself where it is not of `float32` on a CPU.
    """
    weights = bilm.forward_lstm.layers[0].weight_recurrent
    if weights.device.type != "cpu" or weights.dtype != torch.float32:
        return bilm
    result = _sharing_tensors(bilm)
    lstms = result.forward_lstm, result.backward_lstm
    for index, layers in enumerate(zip(*(lstm.layers for lstm in lstms))):
        for lstm, matrices in zip(lstms, _for_steps(layers)):
            lstm.layers[index] = _LaidOutLayer(lstm.layers[index], *matrices)
    return result.eval()


def _for_steps(layers: Sequence[ProjectedLstmLayer]) -> List[Sequence[Union[Tensor, PanelMatrix]]]:
    """The recurrent matrix and the projection of each."""
    recurrent = [layer.weight_recurrent.detach() for layer in layers]
    projections = [layer.weight_projection.detach() for layer in layers]
    if is_compiled(projections[0]):
        return [in_panels(*matrices) for matrices in zip(recurrent, projections)]
    return list(zip(torch.stack(recurrent), torch.stack(projections)))


def _sharing_tensors(bilm: Bilm) -> Bilm:
    """Another model of the same parameters and buffers."""
    shared: Dict[int, Any] = {id(tensor): tensor for tensor in [*bilm.parameters(), *bilm.buffers()]}
    return copy.deepcopy(bilm, shared)


class _LaidOutLayer(nn.Module):
    """A `ProjectedLstmLayer` to read with."""

    def __init__(
        self,
        layer: ProjectedLstmLayer,
        recurrent: Union[Tensor, PanelMatrix],
        projection: Union[Tensor, PanelMatrix],
    ) -> None:
        super().__init__()
        self.options, self.bias, self.weight_input = layer.options, layer.bias, layer.weight_input
        self.bias_and_offset = (layer.bias + layer.forget_offset).detach()
        self.recurrent, self.projection = recurrent, projection

    def chain(self, packed: Tensor, hidden: Tensor, memory: Tensor) -> Chain:
        """See `ProjectedLstmLayer.chain`."""
        inputs = Inputs(packed, self.weight_input, self.bias_and_offset)
        return Chain(inputs, hidden, memory, self.recurrent, self.projection)


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
        matrices = layer.weight_recurrent, layer.weight_projection
        if weights == FLOAT16 and is_compiled(layer.weight_projection):
            self.recurrent, self.projection = in_panels(*matrices, dtype=torch.float16)
        else:
            self.recurrent, self.projection = (PackedMatrix(matrix, weights) for matrix in matrices)

    def chain(self, packed: Tensor, hidden: Tensor, memory: Tensor) -> Chain:
        """See `ProjectedLstmLayer.chain`."""
        return Chain(self.input(packed), hidden, memory, self.recurrent, self.projection)
