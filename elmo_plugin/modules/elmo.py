"""ELMo as an embedder of AllenNLP."""

import logging
import os
from typing import Any, Dict, List, Optional, Tuple

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.modules.token_embedders import TokenEmbedder
from torch import Tensor

from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.embedding import steady_state_of
from elmo_plugin.bilm.ops.packed_matrix import FLOAT32, PRECISIONS, check_precision
from elmo_plugin.bilm.packing import laid_out, with_weights
from elmo_plugin.bilm.sidecar import FILE_NAME, load_sidecar
from elmo_plugin.bilm.state import BilmState
from elmo_plugin.bilm.state_policy import STATE_POLICIES, STEADY, state_after, state_before
from elmo_plugin.bilm.weights import load_bilm
from elmo_plugin.modules.archived_options import BUFFER_NAME, archived_options, options_to_tensor
from elmo_plugin.modules.layer_mixer import LayerMixer
from elmo_plugin.remote_files import present_path

logger = logging.getLogger(__name__)

WeightsAsTheyAre = List[Tuple[int, int]]

_STEADY_BUFFERS = "steady_{direction}_{part}"


@TokenEmbedder.register("elmo")
class ElmoEmbedder(LayerMixer):
    """
    A biLM's layers, mixed by weights that the task learns: `gamma * sum_j softmax(s)_j * layer_j`.

    Its arguments are those of AllenNLP's `elmo_token_embedder`, and some more. An archive of a model with this embedder
    needs neither `options_file` nor `weight_file` again: both are in its weights.

    Registered as a `TokenEmbedder` with name "elmo". It belongs with the indexer "elmo_character_ids" (or AllenNLP's
    "elmo_characters").

    ```jsonnet
    { "type": "elmo", "options_file": "fixtures/bilm/options.json", "weight_file": "fixtures/bilm/weights.hdf5" }
    ```

    # Parameters

    options_file, weight_file : `str`
        A biLM in bilm-tf's files (`docs/formats.md`); paths or URLs.
    requires_grad : `bool`, optional (default = `False`)
        Train the biLM too. Gradients flow through whole sentences; AllenNLP's `Elmo` cuts them at every time step.
    do_layer_norm : `bool`, optional (default = `False`)
        Normalise each layer before mixing; see `ScalarMix`.
    dropout : `float`, optional (default = `0.5`)
        On the mix, in training.
    projection_dim : `int`, optional (default = `None`)
        Project the mix to this width.
    scalar_mix_parameters : `List[float]`, optional (default = `None`)
        A fixed mix: `s`, before the softmax. `None` learns `s` and `gamma`.
    gamma : `float`, optional (default = `1.0`)
        Where `gamma` begins, or what it is in a fixed mix.
    num_output_representations : `int`, optional (default = `1`)
        How many mixes, each with `s` and `gamma` of its own, to give side by side; the biLM runs once for all. A model
        that adds ELMo in several places (`bidaf_self_attention`) takes them apart again, with `OutputMix`.
    state : `str`, optional (default = `"steady"`)
        The LSTMs' state before a sentence: `"zero"`, `"steady"` (what they hold after a sentence in running text,
        always the same) or `"stateful"` (what the batch before left in this row; AllenNLP's way, under which the same
        sentence has other vectors in another place).
    sidecar_file : `str`, optional (default = `sidecar.hdf5` beside `weight_file`, where there is one)
        Where the steady state is stored. Without one it is computed from a few sentences of English.
    weights : `str`, optional (default = `"float32"`)
        Precision that the biLM computes with: `"float32"`, or on the CPU and with `requires_grad` off `"float16"` or
        `"int8"`, which are faster and give nearly the same vectors (`docs/performance.md`). An archive holds all digits
        in any case.
    serialization_dir : `str`, optional
        Filled in by AllenNLP.
    """

    def __init__(
        self,
        options_file: str,
        weight_file: str,
        requires_grad: bool = False,
        do_layer_norm: bool = False,
        dropout: float = 0.5,
        projection_dim: Optional[int] = None,
        scalar_mix_parameters: Optional[List[float]] = None,
        gamma: float = 1.0,
        state: str = STEADY,
        sidecar_file: Optional[str] = None,
        serialization_dir: Optional[str] = None,
        num_output_representations: int = 1,
        weights: str = FLOAT32,
    ) -> None:
        if weights not in PRECISIONS:
            raise ConfigurationError(
                f"`weights` of the embedder elmo must be one of {PRECISIONS}, but it is {weights!r}."
            )
        if weights != FLOAT32 and requires_grad:
            raise ConfigurationError(
                f"The embedder elmo: `weights` of {weights} can't be trained. Leave them at float32, or "
                "`requires_grad` off."
            )
        if state not in STATE_POLICIES:
            raise ConfigurationError(
                f"`state` of the embedder elmo must be one of {STATE_POLICIES}, but it is {state!r}."
            )
        options = archived_options(serialization_dir, options_file)
        # What the model around it draws at random is the same with any biLM, or with a store (`elmo_precomputed`).
        with torch.random.fork_rng(devices=[]):
            bilm = Bilm(options) if options is not None else _read_bilm(options_file, weight_file)
        super().__init__(
            "elmo",
            bilm.options.num_representations,
            bilm.options.representation_dim,
            do_layer_norm=do_layer_norm,
            dropout=dropout,
            projection_dim=projection_dim,
            scalar_mix_parameters=scalar_mix_parameters,
            gamma=gamma,
            num_output_representations=num_output_representations,
        )
        self.bilm = bilm
        self.requires_grad, self.weights = requires_grad, weights
        # What the biLM is read with, and the weights that it was made of, once it is needed.
        self._reading: Optional[Tuple[WeightsAsTheyAre, Bilm]] = None
        self.bilm.requires_grad_(requires_grad)
        self.register_buffer(BUFFER_NAME, options_to_tensor(options_file, self.bilm.options))

        self.state_policy = state
        self._carried: Optional[BilmState] = None
        self._register_steady_state(weight_file, sidecar_file, is_archived=options is not None)

    def _register_steady_state(self, weight_file: str, sidecar_file: Optional[str], is_archived: bool) -> None:
        """Four buffers, so that the state is saved with the weights."""
        if self.state_policy != STEADY:
            return
        if is_archived:
            state = self.bilm.zero_state(1)  # The archive's weights are about to fill it.
        else:
            with torch.random.fork_rng(devices=[]):
                state = _read_steady_state(self.bilm, weight_file, sidecar_file)
        for name, tensor in state.named(_STEADY_BUFFERS).items():
            self.register_buffer(name, tensor.clone())

    def _reading_bilm(self) -> Bilm:
        check_precision(self.weights, self.bilm.boundaries.device)
        if self.requires_grad:
            return self.bilm
        weights, found = _weights_as_they_are(self.bilm), self._reading
        if found is None or found[0] != weights:
            found = self._reading = None  # Both at once may be too much.
            made = laid_out(self.bilm) if self.weights == FLOAT32 else with_weights(self.bilm, self.weights)
            found = self._reading = weights, made
        return found[1]

    def __getstate__(self) -> Dict[str, Any]:
        return {**self.__dict__, "_reading": None}

    def steady_state(self) -> Optional[BilmState]:
        """The stored state of the policy `"steady"`, of one row; `None` under another policy."""
        if self.state_policy != STEADY:
            return None
        return BilmState.from_named(_STEADY_BUFFERS, self.get_buffer)

    def forward(self, elmo_tokens: Tensor) -> Tensor:
        """
        # Parameters

        elmo_tokens : character ids as the indexer makes them, 0 where there is no word.
            Shape: (batch_size, num_tokens, max_characters)

        # Returns

        Shape: (batch_size, num_tokens, `get_output_dim()`), zeros (before a projection) where there is no word
        """
        batch_size = elmo_tokens.size(0)
        before = state_before(self.state_policy, self.bilm, batch_size, self._carried, self.steady_state())
        with torch.set_grad_enabled(self.requires_grad and torch.is_grad_enabled()):
            try:
                representations, after = self._reading_bilm().represent(elmo_tokens, before)
            except ValueError as error:
                raise ConfigurationError(f"The embedder elmo: {error}") from error
        self._carried = state_after(self.state_policy, self._carried, after)
        without = representations.without_boundaries
        return self.finish([without(mix(representations.layers, representations.mask)) for mix in self.mixes()])


def _weights_as_they_are(bilm: Bilm) -> WeightsAsTheyAre:
    """
    Other numbers whenever a parameter was changed or exchanged, but not where it was changed through `.data` or in
    inference mode, of which torch keeps no count.
    """
    return [(weight.data_ptr(), 0 if weight.is_inference() else weight._version) for weight in bilm.parameters()]


def _read_bilm(options_file: str, weight_file: str) -> Bilm:
    try:
        return load_bilm(present_path(options_file), present_path(weight_file))
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"The embedder elmo: {error} Give the paths of a biLM's files as `options_file` ({options_file}) and "
            f"`weight_file` ({weight_file}); `allennlp elmo-export ARCHIVE DIR` writes both."
        ) from error
    except ValueError as error:
        raise ConfigurationError(f"The embedder elmo: {error}") from error


def _read_steady_state(bilm: Bilm, weight_file: str, sidecar_file: Optional[str]) -> BilmState:
    beside = os.path.join(os.path.dirname(weight_file), FILE_NAME)
    if sidecar_file is None and os.path.isfile(beside):
        sidecar_file = beside
    try:
        if sidecar_file is not None:
            stored = load_sidecar(present_path(sidecar_file), bilm.options).steady_state
            if stored is not None:
                return stored
        logger.info("No steady state is stored beside %s; it is computed from a few sentences of English.", weight_file)
        return steady_state_of(bilm)
    except (FileNotFoundError, ValueError) as error:
        raise ConfigurationError(f"The embedder elmo, steady state: {error}") from error
