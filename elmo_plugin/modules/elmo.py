"""ELMo as an embedder of AllenNLP."""

import logging
import os
from typing import Dict, List, Optional

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import cached_path
from allennlp.modules.token_embedders import TokenEmbedder
from torch import Tensor

from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.scalar_mix import ScalarMix
from elmo_plugin.bilm.sidecar import FILE_NAME, load_sidecar
from elmo_plugin.bilm.state import BilmState, LstmState
from elmo_plugin.bilm.state_policy import STATE_POLICIES, STEADY, state_after, state_before
from elmo_plugin.bilm.steady_state import RUNNING_TEXT, compute_steady_state
from elmo_plugin.bilm.weights import load_bilm
from elmo_plugin.modules.archived_options import BUFFER_NAME, archived_options, options_to_tensor

logger = logging.getLogger(__name__)


@TokenEmbedder.register("elmo")
class ElmoEmbedder(TokenEmbedder):
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
        Train the biLM too.
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
        The LSTMs' state before a sentence: `"zero"`, `"steady"` (what they hold after a sentence in running text, always
        the same) or `"stateful"` (what the batch before left in this row; AllenNLP's way, under which the same sentence
        has other vectors in another place).
    sidecar_file : `str`, optional (default = `sidecar.hdf5` beside `weight_file`, where there is one)
        Where the steady state is stored. Without one it is computed from a few sentences of English.
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
    ) -> None:
        super().__init__()
        if num_output_representations < 1:
            raise ConfigurationError(
                f"`num_output_representations` of the embedder elmo is the number of mixes to give, at least 1, but it "
                f"is {num_output_representations}."
            )
        if state not in STATE_POLICIES:
            raise ConfigurationError(f"`state` of the embedder elmo must be one of {STATE_POLICIES}, but it is {state!r}.")
        options = archived_options(serialization_dir, options_file)
        self.bilm = Bilm(options) if options is not None else _read_bilm(options_file, weight_file)
        self.requires_grad = requires_grad
        self.bilm.requires_grad_(requires_grad)
        self.register_buffer(BUFFER_NAME, options_to_tensor(options_file, self.bilm.options))

        self.state_policy = state
        self._carried: Optional[BilmState] = None
        self._register_steady_state(weight_file, sidecar_file, is_archived=options is not None)
        self.num_output_representations = num_output_representations
        for mix in range(num_output_representations):
            self.add_module(f"scalar_mix_{mix}", self._new_mix(do_layer_norm, scalar_mix_parameters, gamma))
        self._dropout = torch.nn.Dropout(dropout)
        self._projection = None
        if projection_dim is not None:
            self._projection = torch.nn.Linear(self.bilm.options.representation_dim, projection_dim)

    def _new_mix(self, do_layer_norm: bool, scalar_mix_parameters: Optional[List[float]], gamma: float) -> ScalarMix:
        num_representations, is_learned = self.bilm.options.num_representations, scalar_mix_parameters is None
        try:
            mix = ScalarMix(num_representations, do_layer_norm, scalar_mix_parameters, trainable=is_learned)
        except ValueError as error:
            raise ConfigurationError(f"The embedder elmo: {error}") from error
        torch.nn.init.constant_(mix.gamma, gamma)
        return mix

    def _mixes(self) -> List[ScalarMix]:
        return [getattr(self, f"scalar_mix_{mix}") for mix in range(self.num_output_representations)]

    def _register_steady_state(self, weight_file: str, sidecar_file: Optional[str], is_archived: bool) -> None:
        """Four buffers, so that the state is saved with the weights."""
        if self.state_policy != STEADY:
            return
        if is_archived:
            state = self.bilm.zero_state(1)  # The archive's weights are about to fill it.
        else:
            state = _read_steady_state(self.bilm, weight_file, sidecar_file)
        for direction, of_direction in state._asdict().items():
            for part, tensor in of_direction._asdict().items():
                self.register_buffer(f"steady_{direction}{part}", tensor.clone())

    def steady_state(self) -> Optional[BilmState]:
        """The stored state of the policy `"steady"`, of one row; `None` under another policy."""
        if self.state_policy != STEADY:
            return None
        return BilmState(
            LstmState(self.steady_forward_hidden, self.steady_forward_memory),
            LstmState(self.steady_backward_hidden, self.steady_backward_memory),
        )

    def get_output_dim(self) -> int:
        dim = self.bilm.options.representation_dim if self._projection is None else self._projection.out_features
        return self.num_output_representations * dim

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
                representations, after = self.bilm.represent(elmo_tokens, before)
            except ValueError as error:
                raise ConfigurationError(f"The embedder elmo: {error}") from error
        self._carried = state_after(self.state_policy, self._carried, after)
        embedded = []
        for mix in self._mixes():
            mixed = self._dropout(representations.without_boundaries(mix(representations.layers, representations.mask)))
            embedded.append(mixed if self._projection is None else self._projection(mixed))
        return torch.cat(embedded, dim=-1) if len(embedded) > 1 else embedded[0]

    def mix_metrics(self) -> Dict[str, float]:
        """
        The learned mix: `elmo/layer_{j}` (softmax weights, word vectors first) and `elmo/gamma`; further mixes are
        `elmo_1/…`, `elmo_2/…`.
        """
        metrics: Dict[str, float] = {}
        for k, mix in enumerate(self._mixes()):
            name = "elmo" if k == 0 else f"elmo_{k}"
            metrics.update({f"{name}/layer_{j}": weight for j, weight in enumerate(mix.weights().tolist())})
            metrics[f"{name}/gamma"] = mix.gamma.item()
        return metrics


def _read_bilm(options_file: str, weight_file: str) -> Bilm:
    try:
        return load_bilm(cached_path(options_file), cached_path(weight_file))
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
    if sidecar_file is not None:
        try:
            state = load_sidecar(cached_path(sidecar_file), bilm.options).steady_state
        except (FileNotFoundError, ValueError) as error:
            raise ConfigurationError(f"The embedder elmo, steady state: {error}") from error
        if state is not None:
            return state
    if bilm.options.char_cnn is None:
        raise ConfigurationError(
            "The embedder elmo: a biLM of word ids has no steady state without a sidecar file. Give `sidecar_file`, or "
            'another `state`: "zero" or "stateful".'
        )
    logger.info("No steady state is stored beside %s; it is computed from a few sentences of English.", weight_file)
    return compute_steady_state(bilm, RUNNING_TEXT)
