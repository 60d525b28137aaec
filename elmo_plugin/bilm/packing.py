"""A biLM for reading on the CPU: its weights packed in fewer bits, or as they are, laid out for their products."""

import copy
from functools import partial
from typing import Callable, List, Sequence, TypeVar, Union

import torch
from torch import Tensor, nn

from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.char_cnn import CharCnnEncoder
from elmo_plugin.bilm.ops.compiled_program import PanelMatrix
from elmo_plugin.bilm.ops.dispatch import in_panels_for_linear, is_compiled, linear
from elmo_plugin.bilm.ops.linear_compiled import linear_compiled
from elmo_plugin.bilm.ops.packed_matrix import FLOAT16, FLOAT32, PackedMatrix, check_precision
from elmo_plugin.bilm.ops.projected_lstm import Chain, Inputs
from elmo_plugin.bilm.ops.projected_lstm_compiled import in_panels
from elmo_plugin.bilm.projected_lstm import ProjectedLstmLayer

AnyModule = TypeVar("AnyModule", bound=nn.Module)


def with_weights(bilm: Bilm, weights: str) -> Bilm:
    """
    A model that reads as `bilm` does, with weights of that precision: those of all products of the LSTMs (inputs,
    recurrence, projection) and of the encoder's highways and projection. Convolutions, embeddings and biases stay as
    they are, and are the model's own, not copies. It gives no gradients, and keeps what it is if `bilm` changes.

    # Parameters

    weights : `"float32"` (the model itself), `"float16"` or `"int8"`; see `PackedMatrix`, and for `"float16"`, where
        the program in C can run, `PanelMatrix`.

    # Raises

    `ValueError` for another precision, where the machine or torch can't, and for a model that is not of `float32`.
    """
    check_precision(weights, bilm.boundaries.device)
    if weights == FLOAT32:
        return bilm
    packed = _copy_of_modules(bilm)
    for lstm in (packed.forward_lstm, packed.backward_lstm):
        lstm.layers = nn.ModuleList(_packed_layer(layer, weights) for layer in lstm.layers)
    _exchange_products(packed.encoder, lambda product: _PackedLinear(product, weights))
    return packed.eval()


def laid_out(bilm: Bilm) -> Bilm:
    """
    A model that reads as `bilm` does, with copies of its weights as products take them: `lstms_laid_out` and
    `encoder_laid_out`.

    # Returns

    `bilm` itself where it is not of `float32` on a CPU.
    """
    result = lstms_laid_out(bilm)
    if result is not bilm:
        result.encoder = encoder_laid_out(bilm.encoder)
    return result


def lstms_laid_out(bilm: Bilm) -> Bilm:
    """
    A model that reads as `bilm` does, with copies of the LSTMs' weights as their products take them: all of them in
    panels for the compiled recurrence where that runs, else those of the steps, both directions' in one tensor. `bilm`
    itself has the latter copied so for each batch. It gives no gradients. Where `bilm` changes, it is to be made anew.

    # Returns

    `bilm` itself where it is not of `float32` on a CPU.
    """
    weights = bilm.forward_lstm.layers[0].weight_recurrent
    if weights.device.type != "cpu" or weights.dtype != torch.float32:
        return bilm
    result = _copy_of_modules(bilm)
    lstms = result.forward_lstm, result.backward_lstm
    for index, layers in enumerate(zip(*(lstm.layers for lstm in lstms))):
        for lstm, matrices in zip(lstms, _for_steps(layers)):
            lstm.layers[index] = _LaidOutLayer(lstm.layers[index], *matrices)
    return result.eval()


def encoder_laid_out(encoder: nn.Module) -> nn.Module:
    """
    An encoder that maps words as this one does, with copies of the weights of its highways and projection, in panels,
    where the program in C can run. Where `encoder` changes, it is to be made anew.
    """
    result = _copy_of_modules(encoder)
    _exchange_products(result, _LaidOutLinear)
    return result.eval()


def _exchange_products(encoder: nn.Module, exchanged: Callable[[nn.Linear], nn.Module]) -> None:
    """Those of the highways and the projection, in place; what is exchanged already stays."""
    if not isinstance(encoder, CharCnnEncoder):
        return
    for module in [encoder, *encoder.highways]:
        for name, product in list(module.named_children()):
            if isinstance(product, nn.Linear):
                setattr(module, name, exchanged(product))


def _for_steps(layers: Sequence[ProjectedLstmLayer]) -> List[Sequence[Union[Tensor, PanelMatrix]]]:
    """The recurrent matrix and the projection of each."""
    recurrent = [layer.weight_recurrent.detach() for layer in layers]
    projections = [layer.weight_projection.detach() for layer in layers]
    if is_compiled(projections[0]):
        return [in_panels(*matrices) for matrices in zip(recurrent, projections)]
    return list(zip(torch.stack(recurrent), torch.stack(projections)))


def _copy_of_modules(module: AnyModule) -> AnyModule:
    """Another one that shares all with it but its modules, which are such copies themselves."""
    result = copy.copy(module)
    children = module._modules.items()
    result._modules = {name: None if child is None else _copy_of_modules(child) for name, child in children}
    return result


def _packed_layer(layer: ProjectedLstmLayer, weights: str) -> nn.Module:
    if weights == FLOAT16 and is_compiled(layer.weight_projection):
        matrices = in_panels(layer.weight_recurrent, layer.weight_projection, dtype=torch.float16)
        return _LaidOutLayer(layer, *matrices)
    return _PackedLayer(layer, weights)


class _LaidOutLayer(nn.Module):
    """A `ProjectedLstmLayer` to read with."""

    def __init__(
        self,
        layer: ProjectedLstmLayer,
        recurrent: Union[Tensor, PanelMatrix],
        projection: Union[Tensor, PanelMatrix],
    ) -> None:
        super().__init__()
        self.options, self.bias = layer.options, layer.bias
        weight = layer.weight_input.detach()
        self.input = weight
        if isinstance(recurrent, PanelMatrix):
            self.input = PanelMatrix(weight, dtype=recurrent.panels.dtype)
        self.bias_and_offset = (layer.bias + layer.forget_offset).detach()
        self.recurrent, self.projection = recurrent, projection

    def chain(self, packed: Tensor, hidden: Tensor, memory: Tensor) -> Chain:
        """See `ProjectedLstmLayer.chain`."""
        inputs = Inputs(packed, self.input, self.bias_and_offset)
        return Chain(inputs, hidden, memory, self.recurrent, self.projection)


class _LaidOutLinear(nn.Module):
    def __init__(self, product: nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias, self.out_features = product.weight, product.bias, product.out_features
        self.laid_out = in_panels_for_linear(product.weight)

    def forward(self, rows: Tensor) -> Tensor:
        return linear(rows, self.weight, self.bias, self.laid_out)


class _PackedLinear(nn.Module):
    def __init__(self, product: nn.Linear, weights: str) -> None:
        super().__init__()
        halves = in_panels_for_linear(product.weight, torch.float16) if weights == FLOAT16 else None
        if halves is None:
            self.product = PackedMatrix(product.weight, weights, product.bias)
        else:
            self.product = partial(linear_compiled, matrix=halves, bias=product.bias.detach())
        self.out_features = product.out_features

    def forward(self, rows: Tensor) -> Tensor:
        return self.product(rows)


class _PackedLayer(nn.Module):
    """A `ProjectedLstmLayer` to read with."""

    def __init__(self, layer: ProjectedLstmLayer, weights: str) -> None:
        super().__init__()
        self.options, self.bias = layer.options, layer.bias
        self.input = PackedMatrix(layer.weight_input, weights, layer.bias + layer.forget_offset)
        matrices = layer.weight_recurrent, layer.weight_projection
        self.recurrent, self.projection = (PackedMatrix(matrix, weights) for matrix in matrices)

    def chain(self, packed: Tensor, hidden: Tensor, memory: Tensor) -> Chain:
        """See `ProjectedLstmLayer.chain`."""
        inputs = Inputs(packed, self.input, None)
        return Chain(inputs, hidden, memory, self.recurrent, self.projection)
