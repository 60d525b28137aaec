"""The task's own weighting of the layers (Peters et al. 2018, equation 1)."""

from typing import List, Optional, Sequence

import torch
from torch import Tensor, nn


class ScalarMix(nn.Module):
    """
    `gamma * sum_j softmax(s)_j * layer_j`

    Parameters are named `scalar_parameters.{j}` and `gamma`, as in AllenNLP, so that its archives and people's
    regularizer patterns fit. With layer norm, every layer is first shifted and scaled to mean 0 and variance 1 *over
    all unmasked positions and features of the batch*, as bilm-tf does; this is not the layer norm of one position.

    # Parameters

    num_representations : how many layers are mixed.
    do_layer_norm : normalise each layer first.
    initial_parameters : `s`, before the softmax; zeros (equal weights) if `None`.
    trainable : whether `s` and `gamma` learn.
    """

    def __init__(
        self,
        num_representations: int,
        do_layer_norm: bool = False,
        initial_parameters: Optional[Sequence[float]] = None,
        trainable: bool = True,
    ) -> None:
        super().__init__()
        if initial_parameters is None:
            initial_parameters = [0.0] * num_representations
        if len(initial_parameters) != num_representations:
            raise ValueError(
                f"`scalar_mix_parameters` must hold one number for each of the {num_representations} layers (word "
                f"vectors first), but it holds {len(initial_parameters)}: {list(initial_parameters)}."
            )
        self.do_layer_norm = do_layer_norm
        self.scalar_parameters = nn.ParameterList(
            nn.Parameter(torch.tensor([float(value)]), requires_grad=trainable) for value in initial_parameters
        )
        self.gamma = nn.Parameter(torch.ones(1), requires_grad=trainable)

    def weights(self) -> Tensor:
        """`softmax(s)`. Shape: (num_representations,)"""
        return torch.softmax(torch.cat(list(self.scalar_parameters)), dim=0)

    def forward(self, layers: List[Tensor], mask: Tensor) -> Tensor:
        """
        # Parameters

        layers : Shape: `num_representations` times (batch_size, num_tokens, representation_dim)
        mask : where there is a token. Shape: (batch_size, num_tokens), `bool`

        # Returns

        Shape: (batch_size, num_tokens, representation_dim)
        """
        weights = self.weights().to(layers[0].dtype)
        if self.do_layer_norm:
            layers = [_normalise(layer, mask) for layer in layers]
        return self.gamma.to(layers[0].dtype) * sum(weight * layer for weight, layer in zip(weights, layers))


def _normalise(layer: Tensor, mask: Tensor) -> Tensor:
    present = mask.unsqueeze(-1).to(layer.dtype)
    count = (mask.sum() * layer.size(-1)).clamp(min=1)
    mean = (layer * present).sum() / count
    variance = (((layer - mean) * present) ** 2).sum() / count
    return (layer - mean) / torch.sqrt(variance + 1e-13)
