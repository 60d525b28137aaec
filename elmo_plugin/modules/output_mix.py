"""ELMo in two places of a model: at the input, and again at the output of its first encoder."""

from typing import List, NamedTuple, Optional, Tuple

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.modules import TextFieldEmbedder
from torch import Tensor


class _Part(NamedTuple):
    width: int
    is_output: bool


class OutputMix:
    """
    Takes what a `TextFieldEmbedder` gives apart: vectors for the input of a model, and those for the output of its
    first encoder (Peters et al. 2018, section 3.3: `h` becomes `[h; ELMo']` with another mix of the layers).

    The second are the second mix of each token embedder that has `num_output_representations` 2, as `elmo` may have.
    So one run of the biLM serves both places, and nothing is remembered between two calls.

    # Parameters

    embedder : `TextFieldEmbedder`
        A "basic" one, which puts the vectors of its embedders side by side, in the order of their names.

    # Raises

    `ConfigurationError` where an embedder gives more than two mixes.
    """

    def __init__(self, embedder: TextFieldEmbedder) -> None:
        self._parts: List[_Part] = []
        for name, child in sorted(_children(embedder)):
            num_mixes = getattr(child, "num_output_representations", 1)
            if num_mixes > 2:
                raise ConfigurationError(
                    f"`num_output_representations` of {name} is {num_mixes}; this model has two places for ELMo, its "
                    f"input and the output of its contextual layer. Set it to 1 or 2."
                )
            self._parts += [_Part(child.get_output_dim() // num_mixes, mix == 1) for mix in range(num_mixes)]
        if sum(part.width for part in self._parts) != embedder.get_output_dim():
            # Of another make than "basic": all of it is input.
            self._parts = [_Part(embedder.get_output_dim(), False)]

    @property
    def input_dim(self) -> int:
        return sum(part.width for part in self._parts if not part.is_output)

    @property
    def output_dim(self) -> int:
        """0 where there is nothing for the output."""
        return sum(part.width for part in self._parts if part.is_output)

    def split(self, embedded: Tensor) -> Tuple[Tensor, Optional[Tensor]]:
        """
        # Parameters

        embedded : Shape: (batch_size, num_tokens, input_dim + output_dim)

        # Returns

        Shapes: (batch_size, num_tokens, input_dim), and (batch_size, num_tokens, output_dim) or `None`
        """
        if self.output_dim == 0:
            return embedded, None
        pieces = embedded.split([part.width for part in self._parts], dim=-1)
        at_input = [piece for piece, part in zip(pieces, self._parts) if not part.is_output]
        at_output = [piece for piece, part in zip(pieces, self._parts) if part.is_output]
        return torch.cat(at_input, dim=-1), torch.cat(at_output, dim=-1)


def _children(module: torch.nn.Module) -> List[Tuple[str, torch.nn.Module]]:
    """As `named_children`, but a module that has two names is there twice."""
    modules = module.named_modules(remove_duplicate=False)
    return [(name, child) for name, child in modules if name != "" and "." not in name]
