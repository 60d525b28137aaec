"""ELMo from vectors that were computed once."""

import logging
import os
from typing import List, Optional, Tuple

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.modules.token_embedders import TokenEmbedder
from torch import Tensor

from elmo_plugin.bilm.embedding import SentenceReader, steady_state_of
from elmo_plugin.bilm.state_policy import STEADY
from elmo_plugin.bilm.store import StoreDescription, VectorStore
from elmo_plugin.bilm.stored_layers import StoredLayers
from elmo_plugin.bilm.weights import load_bilm
from elmo_plugin.modules.archived_options import archived_contents, json_to_tensor
from elmo_plugin.modules.layer_mixer import LayerMixer
from elmo_plugin.remote_files import present_path

logger = logging.getLogger(__name__)

STORE_BUFFER = "elmo_store_json"


@TokenEmbedder.register("elmo_precomputed")
class ElmoPrecomputedEmbedder(LayerMixer):
    """
    A biLM's layers, looked up by sentence in a store that `allennlp elmo TEXT STORE --all --format store …` wrote, and
    mixed by weights that the task learns, as "elmo" mixes them. An epoch then costs no more than the mix.

    Sentences that the store lacks are computed with `options_file` and `weight_file`, where these are given; the store
    must have been computed with the same weights. An archive holds neither store nor biLM. To predict new sentences,
    give both files as overrides: `predict … -o '{"model.text_field_embedder.token_embedders.elmo.options_file": …}'`.

    Layer norm is over the words of a batch, and not over their sentences' `<S>` and `</S>` too, which are not stored.

    Registered as a `TokenEmbedder` with name "elmo_precomputed". It belongs with the indexer "elmo_character_ids" (or
    AllenNLP's "elmo_characters").

    ```jsonnet
    { "type": "elmo_precomputed", "store": "fixtures/store" }
    ```

    # Parameters

    store : `str`
        The folder.
    options_file, weight_file : `str`, optional (default = `None`)
        A biLM in bilm-tf's files, for sentences that are not stored; paths or URLs.
    do_layer_norm, dropout, projection_dim, scalar_mix_parameters, gamma, num_output_representations :
        As in "elmo".
    serialization_dir : `str`, optional
        Filled in by AllenNLP.
    """

    def __init__(
        self,
        store: str,
        options_file: Optional[str] = None,
        weight_file: Optional[str] = None,
        do_layer_norm: bool = False,
        dropout: float = 0.5,
        projection_dim: Optional[int] = None,
        scalar_mix_parameters: Optional[List[float]] = None,
        gamma: float = 1.0,
        num_output_representations: int = 1,
        serialization_dir: Optional[str] = None,
    ) -> None:
        if (options_file is None) != (weight_file is None):
            missing = "options_file" if options_file is None else "weight_file"
            raise ConfigurationError(
                f"The embedder elmo_precomputed: `{missing}` is missing. Give both files, or neither."
            )
        try:
            described = _archived_description(serialization_dir, store)
            found = None if described is not None and not os.path.isdir(store) else VectorStore(store)
            if found is not None:
                described = found.description
            # As in "elmo": what the model around it draws at random is the same.
            with torch.random.fork_rng(devices=[]):
                reader = _reader(described, found, options_file, weight_file, is_archived=found is None)
            layers = StoredLayers(described, found, reader)
        except ValueError as error:
            raise ConfigurationError(f"The embedder elmo_precomputed: {error}") from error
        super().__init__(
            "elmo_precomputed",
            described.num_representations,
            described.representation_dim,
            do_layer_norm=do_layer_norm,
            dropout=dropout,
            projection_dim=projection_dim,
            scalar_mix_parameters=scalar_mix_parameters,
            gamma=gamma,
            num_output_representations=num_output_representations,
        )
        # No module, so that the biLM does not go into the archive.
        self._layers = layers
        self.register_buffer(STORE_BUFFER, json_to_tensor({"store": store, "description": described._asdict()}))

    def forward(self, elmo_tokens: Tensor) -> Tensor:
        """
        # Parameters

        elmo_tokens : character ids as the indexer makes them, 0 where there is no word.
            Shape: (batch_size, num_tokens, max_characters)

        # Returns

        Shape: (batch_size, num_tokens, `get_output_dim()`), zeros (before a projection) where there is no word
        """
        layers, mask = self.look_up(elmo_tokens)
        present = mask.unsqueeze(-1).to(layers[0].dtype)
        return self.finish([mix(layers, mask) * present for mix in self.mixes()])

    def look_up(self, elmo_tokens: Tensor) -> Tuple[List[Tensor], Tensor]:
        """
        # Parameters

        elmo_tokens : as for `forward`.

        # Returns

        The biLM's layers, and where there is a word.
        Shapes: `num_representations` times (batch_size, num_tokens, representation_dim), (batch_size, num_tokens)
        """
        layers, was_whole = self._layers, self._layers.first_missing is None
        try:
            found = layers(elmo_tokens)
        except ValueError as error:
            raise ConfigurationError(f"The embedder elmo_precomputed: {error}") from error
        if was_whole and layers.first_missing is not None and layers.store is not None:
            logger.warning(
                f"The store lacks {layers.num_computed} of the first {layers.num_found + layers.num_computed} "
                f"sentences that came, such as {layers.first_missing[:60]!r}. They are computed whenever they come, "
                "which takes many times as long. A store of what `elmo-text` writes under the same overrides has all."
            )
        return found


def _archived_description(serialization_dir: Optional[str], store: str) -> Optional[StoreDescription]:
    for content in archived_contents(serialization_dir, STORE_BUFFER):
        if content["store"] == store:
            return StoreDescription(**content["description"])
    return None


def _reader(
    described: StoreDescription,
    store: Optional[VectorStore],
    options_file: Optional[str],
    weight_file: Optional[str],
    is_archived: bool,
) -> Optional[SentenceReader]:
    """The biLM for sentences that are not stored. In an archive its files may be gone: then there is none."""
    if options_file is None or weight_file is None:
        return None
    try:
        weights = present_path(weight_file)
        bilm = load_bilm(present_path(options_file), weights).requires_grad_(False)
    except FileNotFoundError as error:
        if is_archived:
            logger.warning("%s Only stored sentences can be embedded.", error)
            return None
        raise ValueError(f"{error} Give the files of the biLM that the store was computed with, or none.") from error
    steady = None
    if described.state == STEADY:
        steady = store.steady if store is not None else steady_state_of(bilm, weights)
    invariant = not torch.cuda.is_available()
    return SentenceReader(bilm, described.state, steady, invariant=invariant)
