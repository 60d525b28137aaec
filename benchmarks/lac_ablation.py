"""
ELMo with the two mistakes of the reference demonstration of lexical analysis, to measure what they cost. It is no part
of the plugin: a config reaches it by `--include-package benchmarks.lac_ablation`, in the project's root.

    allennlp-elmo train training_configs/lac_with_elmo.jsonnet -s OUT --include-package benchmarks.lac_ablation \
      -o '{"model.text_field_embedder.token_embedders.elmo.type": "elmo_with_mistakes"}'

or, from a store of the right vectors, "elmo_precomputed_with_mistakes" and `store`.
"""

from dataclasses import replace
from typing import List, Tuple

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.modules.token_embedders import TokenEmbedder
from torch import Tensor

from elmo_plugin.bilm.bilm import Bilm, Representations
from elmo_plugin.bilm.ragged import reverse_rows
from elmo_plugin.bilm.state import BilmState
from elmo_plugin.modules.elmo import ElmoEmbedder
from elmo_plugin.modules.elmo_precomputed import ElmoPrecomputedEmbedder


def with_backward_halves_unreversed(layers: List[Tensor], mask: Tensor) -> List[Tensor]:
    """
    The layers as they are where the backward LSTM's outputs are never turned round again: token t of T tokens has the
    forward output of t beside the backward output of T - 1 - t. The word vectors have no direction.
    """
    lengths = mask.sum(dim=1)
    words, *contextual = layers
    unreversed = [words]
    for layer in contextual:
        forward_half, backward_half = layer.chunk(2, dim=-1)
        unreversed.append(torch.cat([forward_half, reverse_rows(backward_half, lengths)], dim=-1))
    return unreversed


@TokenEmbedder.register("elmo_with_mistakes")
class ElmoWithMistakes(ElmoEmbedder):
    """
    `ElmoEmbedder`, its backward outputs not turned round and its residual connections left out, each of them unless it
    is switched off.

    Registered as a `TokenEmbedder` with name "elmo_with_mistakes".

    # Parameters

    backward_unreversed : `bool`, optional (default = `True`)
    residual_missing : `bool`, optional (default = `True`)
        Though the biLM was trained with residual connections.
    """

    def __init__(
        self,
        options_file: str,
        weight_file: str,
        backward_unreversed: bool = True,
        residual_missing: bool = True,
        **kwargs,
    ) -> None:
        super().__init__(options_file, weight_file, **kwargs)
        if residual_missing:
            for lstm in (self.bilm.forward_lstm, self.bilm.backward_lstm):
                lstm.options = replace(lstm.options, use_skip_connections=False)
        if backward_unreversed:
            self.bilm.__class__ = _UnreversedBilm


class _UnreversedBilm(Bilm):
    def represent(self, words: Tensor, state: BilmState) -> Tuple[Representations, BilmState]:
        """See `Bilm.represent`."""
        representations, after = super().represent(words, state)
        layers = with_backward_halves_unreversed(representations.layers, representations.mask)
        return Representations(layers, representations.mask), after


@TokenEmbedder.register("elmo_precomputed_with_mistakes")
class ElmoPrecomputedWithMistakes(ElmoPrecomputedEmbedder):
    """
    `ElmoPrecomputedEmbedder` with both mistakes, made of the right vectors: in a biLM of two layers the second one's
    output without the residual connection is its output less the first one's.

    Registered as a `TokenEmbedder` with name "elmo_precomputed_with_mistakes".
    """

    def look_up(self, elmo_tokens: Tensor) -> Tuple[List[Tensor], Tensor]:
        layers, mask = super().look_up(elmo_tokens)
        if len(layers) != 3:
            raise ConfigurationError(
                "elmo_precomputed_with_mistakes: expected a store of a biLM of two layers, but it has "
                f"{len(layers) - 1}. Use elmo_with_mistakes."
            )
        words, first, second = layers
        return with_backward_halves_unreversed([words, first, second - first], mask), mask
