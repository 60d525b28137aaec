"""What the embedders of a biLM's layers have in common: the mixes that the task learns."""

from typing import Dict, List, Optional

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.modules.token_embedders import TokenEmbedder
from torch import Tensor

from elmo_plugin.bilm.scalar_mix import ScalarMix


class LayerMixer(TokenEmbedder):
    """
    Layers to vectors: `gamma * sum_j softmax(s)_j * layer_j`, dropout, and perhaps a projection; as often, side by
    side, as there are mixes.

    # Parameters

    name : `str`
        Of the embedder, for errors.
    num_representations, representation_dim : `int`
        Of the layers.
    others :
        As the embedder "elmo" has them.
    """

    def __init__(
        self,
        name: str,
        num_representations: int,
        representation_dim: int,
        do_layer_norm: bool,
        dropout: float,
        projection_dim: Optional[int],
        scalar_mix_parameters: Optional[List[float]],
        gamma: float,
        num_output_representations: int,
    ) -> None:
        super().__init__()
        if num_output_representations < 1:
            raise ConfigurationError(
                f"`num_output_representations` of the embedder {name} is the number of mixes to give, at least 1, "
                f"but it is {num_output_representations}."
            )
        self.representation_dim = representation_dim
        self.num_output_representations = num_output_representations
        is_learned = scalar_mix_parameters is None
        for number in range(num_output_representations):
            try:
                mix = ScalarMix(num_representations, do_layer_norm, scalar_mix_parameters, trainable=is_learned)
            except ValueError as error:
                raise ConfigurationError(f"The embedder {name}: {error}") from error
            torch.nn.init.constant_(mix.gamma, gamma)
            self.add_module(f"scalar_mix_{number}", mix)
        self._dropout = torch.nn.Dropout(dropout)
        self._projection = None
        if projection_dim is not None:
            self._projection = torch.nn.Linear(representation_dim, projection_dim)

    def mixes(self) -> List[ScalarMix]:
        """`scalar_mix_0` and so on."""
        return [getattr(self, f"scalar_mix_{number}") for number in range(self.num_output_representations)]

    def finish(self, mixed: List[Tensor]) -> Tensor:
        """
        What is to be done with the mixes, zeros where there is no word.

        Shape: `num_output_representations` times (batch_size, num_tokens, representation_dim) to
        (batch_size, num_tokens, `get_output_dim()`)
        """
        dropped = [self._dropout(mix) for mix in mixed]
        embedded = dropped if self._projection is None else [self._projection(mix) for mix in dropped]
        return torch.cat(embedded, dim=-1) if len(embedded) > 1 else embedded[0]

    def get_output_dim(self) -> int:
        dim = self.representation_dim if self._projection is None else self._projection.out_features
        return self.num_output_representations * dim

    def mix_metrics(self) -> Dict[str, float]:
        """
        The learned mix: `elmo/layer_{j}` (softmax weights, word vectors first) and `elmo/gamma`; further mixes are
        `elmo_1/…`, `elmo_2/…`.
        """
        metrics: Dict[str, float] = {}
        for k, mix in enumerate(self.mixes()):
            name = "elmo" if k == 0 else f"elmo_{k}"
            metrics.update({f"{name}/layer_{j}": weight for j, weight in enumerate(mix.weights().tolist())})
            metrics[f"{name}/gamma"] = mix.gamma.item()
        return metrics
