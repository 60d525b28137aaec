"""
The biLM within an `ElmoEmbedder` that AllenNLP 0.9 pickled, as it stands in taggers that were saved with one.

A pickle names classes: to be read at all it needs AllenNLP, whose classes of 2.10.1 have the old names. What comes out
of it is only looked at here. Its layers are those that ELMoForManyLangs took over.
"""

from typing import Dict, List

from torch import Tensor, nn

from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.importing.elmoformanylangs import highway_layer, lstm_layer, take
from elmo_plugin.bilm.options import BilmOptions

_WORDS, _SENTENCES = "_token_embedder.", "_elmo_lstm."


def bilm_of_allennlp(module: nn.Module) -> Bilm:
    """
    # Parameters

    module : AllenNLP's `_ElmoBiLm`, on any device.

    # Returns

    The same model, on the CPU.

    # Raises

    `ValueError` where it is none, or has no projection of words, which that class always has.
    """
    words = getattr(module, "_token_embedder", None)
    given = getattr(words, "_options", None)
    if not isinstance(module, nn.Module) or given is None:
        raise ValueError(f"Expected the biLM of AllenNLP's ElmoEmbedder, but found a {type(module).__name__}.")
    options = BilmOptions.from_dict(given)
    wrong: List[str] = []
    found = {name: tensor.detach().cpu().float() for name, tensor in module.state_dict().items()}
    state = _word_encoder(_below(found, _WORDS), options, wrong)
    for direction in ("forward", "backward"):
        for layer in range(options.lstm.num_layers):
            state.update(lstm_layer(_below(found, _SENTENCES), direction, layer, options, wrong))
    if wrong:
        lines = "\n  ".join(wrong)
        raise ValueError(f"The biLM of AllenNLP's ElmoEmbedder does not fit its options:\n  {lines}")
    bilm = Bilm(options)
    bilm.load_state_dict(state)
    return bilm


def _below(found: Dict[str, Tensor], prefix: str) -> Dict[str, Tensor]:
    return {name[len(prefix) :]: tensor for name, tensor in found.items() if name.startswith(prefix)}


def _word_encoder(found: Dict[str, Tensor], options: BilmOptions, wrong: List[str]) -> Dict[str, Tensor]:
    """The encoder's parameters."""
    cnn, dim = options.char_cnn, options.projection_dim
    if cnn is None or not cnn.has_projection(dim):
        raise ValueError(
            "The biLM of AllenNLP's ElmoEmbedder projects words onto the width that they have already; such a model "
            "can't be taken over."
        )
    size = cnn.num_filters
    # One row of ids is the mask's, here as there.
    state = {"embedding.weight": take(found, "_char_embedding_weights", (cnn.num_ids, cnn.embedding_dim), wrong)}
    for i, (width, count) in enumerate(cnn.filters):
        here = f"char_conv_{i}"
        state[f"convolutions.{i}.weight"] = take(found, f"{here}.weight", (count, cnn.embedding_dim, width), wrong)
        state[f"convolutions.{i}.bias"] = take(found, f"{here}.bias", (count,), wrong)
    for k in range(cnn.num_highway):
        state.update(highway_layer(found, "_highways", k, size, wrong))
    state["projection.weight"] = take(found, "_projection.weight", (dim, size), wrong)
    state["projection.bias"] = take(found, "_projection.bias", (dim,), wrong)
    return {f"encoder.{name}": tensor for name, tensor in state.items()}
