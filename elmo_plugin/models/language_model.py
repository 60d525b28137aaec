"""Pretraining a biLM."""

from typing import Any, Dict, List, Optional

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary
from allennlp.models import Model
from torch import Tensor

from elmo_plugin.bilm.language_model import LanguageModel
from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.softmax_from_words import softmax_for_words
from elmo_plugin.bilm.state import BilmState, LstmState, with_rows_reset
from elmo_plugin.bilm.vocabulary import WordVocabulary
from elmo_plugin.data.vocabulary import word_vocabulary
from elmo_plugin.models.bilm_initializer import BilmInitializer, Pretrained
from elmo_plugin.modules.archived_options import BUFFER_NAME, archived_options, options_to_tensor
from elmo_plugin.training.metrics.perplexity import BidirectionalPerplexity
from elmo_plugin.training.metrics.token_rate import TokenRate

# Tells these options from an embedder's in a state dict; see `archived_options`.
_OPTIONS_KEY = "the language model"
_AUTOCAST = {None: None, "bfloat16": torch.bfloat16}


@Model.register("elmo_language_model")
@Model.register("language_model", exist_ok=True)
class BidirectionalLanguageModel(Model):
    """
    Predicts every word of a stream from the words before it and, in the other direction, from those behind it
    (Peters et al. 2018). The directions share word vectors and softmax.

    It owns the streams' LSTM states: one for training, one for evaluation. A training state lives as long as the
    training; an evaluation begins with zeros.

    Registered as a `Model` with names "elmo_language_model" and "language_model". The second replaces the model of
    that name in `allennlp_models`, where that is installed.

    ```jsonnet
    {
      "type": "language_model",
      "options": {
        "char_cnn": {
          "embedding": { "dim": 4 }, "filters": [[1, 4], [2, 8]], "max_characters_per_token": 50, "n_highway": 1
        },
        "lstm": {
          "dim": 16, "projection_dim": 8, "n_layers": 2, "cell_clip": 3, "proj_clip": 3, "use_skip_connections": true
        }
      },
      "num_samples": 32,
      "dropout": 0.1
    }
    ```

    # Parameters

    vocab : `Vocabulary`
        With the words in the namespace `elmo_words`, as `elmo_word_file` puts them there.
    options : `Dict[str, Any]`, optional
        The shape of the biLM, laid out like `options.json`. An `initializer` has its own.
    num_samples : `int`, optional (default = `None`)
        Words that training draws for the sampled softmax; `None` trains with the full one. Evaluation is always full.
    dropout : `float`, optional (default = `0.0`)
        On the inputs of each LSTM layer and on the output before the softmax.
    loss_scale : `float`, optional (default = `1.0`)
        The loss is the mean over tokens and directions in nats, times this. bilm-tf's is its `unroll_steps`; it matters
        to optimizers only through the clipping of gradients and Adagrad's initial accumulator.
    state_reset : `float`, optional (default = `0.0`)
        The probability with which a stream's state is set back to zeros before a window of training; see
        `with_rows_reset` for why one should. bilm-tf never does.
    sparse_softmax : `bool`, optional (default = `False`)
        Sparse gradients, for the drawn rows of the softmax only; see `Softmax`. Without effect where none are drawn.
        The callback `elmo_sparse_softmax` turns it on where it changes nothing but the time.
    autocast : `str`, optional (default = `None`)
        `"bfloat16"`: training multiplies matrices in that precision; the weights, the LSTMs' states and the losses stay
        as they are, and so does evaluation. For GPUs, and CPUs with instructions for it.
    initializer : `BilmInitializer`, optional
        A pretrained biLM to go on with, on other text or with other words: see `BilmInitializer` and
        training_configs/bilm_finetune.jsonnet. Words that it did not predict before get a row of the softmax made from
        their characters (`softmax_for_words`).
    cuda_graphs : `bool`, optional (default = `False`)
        On a GPU, launch the LSTMs' steps of a window as one CUDA graph, once windows of its shape have come a few
        times. It takes memory besides (docs/training.md). Without effect elsewhere.
    """

    def __init__(
        self,
        vocab: Vocabulary,
        options: Optional[Dict[str, Any]] = None,
        num_samples: Optional[int] = None,
        dropout: float = 0.0,
        loss_scale: float = 1.0,
        state_reset: float = 0.0,
        sparse_softmax: bool = False,
        autocast: Optional[str] = None,
        initializer: Optional[BilmInitializer] = None,
        cuda_graphs: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(vocab, **kwargs)
        words = word_vocabulary(vocab)
        pretrained = None if initializer is None else initializer.load()
        if options is None:
            options = self._options_elsewhere(pretrained)
            self.register_buffer(BUFFER_NAME, options_to_tensor(_OPTIONS_KEY, BilmOptions.from_dict(options)))
        try:
            self.options = BilmOptions.from_dict({**options, "n_tokens_vocab": len(words)})
        except ValueError as error:
            raise ConfigurationError(f"`options` of the language model: {error}") from error
        if num_samples is not None and not 0 < num_samples < len(words):
            raise ConfigurationError(
                f"`num_samples` must be between 1 and {len(words) - 1}, one less than the vocabulary has words, but it "
                f"is {num_samples}. For a vocabulary as small as this, the full softmax (null) is as fast."
            )
        if not 0.0 <= state_reset <= 1.0:
            raise ConfigurationError(f"`state_reset` is a probability, from 0 to 1, but it is {state_reset}.")
        if autocast not in _AUTOCAST:
            raise ConfigurationError(
                f'`autocast` must be "bfloat16" or null, but it is {autocast!r}. (float16 would need its loss scaled; '
                f"AllenNLP's trainer does that with `use_amp`, on a GPU.)"
            )
        self.num_samples, self.loss_scale, self.state_reset = num_samples, loss_scale, state_reset
        is_sparse = sparse_softmax and num_samples is not None
        self.language_model = LanguageModel(self.options, dropout, is_sparse, _AUTOCAST[autocast], cuda_graphs)
        if pretrained is not None:
            self._begin_with(pretrained, words)
        self._perplexity = BidirectionalPerplexity()
        self._token_rate = TokenRate()
        # Whether the stream is one of training, and its state.
        self._states: Dict[bool, BilmState] = {}

    def _options_elsewhere(self, pretrained: Optional[Pretrained]) -> Dict[str, Any]:
        """Of the pretrained model; when an archive is loaded, there is none: they are beside the archived weights."""
        if pretrained is not None:
            return pretrained.bilm.options.to_dict()
        archived = archived_options(self.serialization_dir, _OPTIONS_KEY)
        if archived is None:
            raise ConfigurationError(
                "The language model needs `options`, laid out like options.json, or an `initializer`: a pretrained "
                "model to go on with."
            )
        return archived.to_dict()

    def _begin_with(self, pretrained: Pretrained, words: WordVocabulary) -> None:
        if _shape(self.options) != _shape(pretrained.bilm.options):
            raise ConfigurationError(
                f"`options` of the language model say {_shape(self.options)}, but the model that it is to begin with, "
                f"{pretrained.source}, has {_shape(pretrained.bilm.options)}. Leave `options` out to take the latter."
            )
        known = pretrained.known
        if self.options.char_cnn is None and (known is None or known.vocabulary.words != words.words):
            raise ConfigurationError(
                f"{pretrained.source} is a biLM of word ids: it knows the words of its own vocabulary and no others. "
                "Give that file as the configuration's vocabulary, and its softmax (sidecar.hdf5) or archive."
            )
        self.language_model.bilm.load_state_dict(pretrained.bilm.state_dict())
        try:
            softmax = softmax_for_words(pretrained.bilm, words, known)
        except ValueError as error:
            raise ConfigurationError(f"{pretrained.source}: {error}") from error
        self.language_model.softmax.load_state_dict(softmax.state_dict())

    def forward(  # type: ignore
        self,
        types: Tensor,
        forward_inputs: Tensor,
        backward_inputs: Tensor,
        forward_targets: Tensor,
        backward_targets: Tensor,
        is_first: bool = True,
        lengths: Optional[Tensor] = None,
    ) -> Dict[str, Tensor]:
        """
        # Parameters

        types : distinct words. Shape: (num_types, max_characters), or (num_types,) for word ids
        forward_inputs, backward_inputs : positions in `types`. Shape: (batch_size, num_steps)
        forward_targets, backward_targets : word ids. Shape: (batch_size, num_steps)
        is_first : whether this is the first window of a pass.
        lengths : steps of each row that are text; `None` where all are. Shape: (batch_size,)

        # Returns

        `loss` : summed over the tokens of both directions, divided by `2 * batch_size * num_steps`, times `loss_scale`.
        Padding counts in the divisor, so a token weighs the same in every window, and in those of every worker: the
        mean over workers is the loss of one that has all their rows, also where some have no text left.
        """
        num_samples = self.num_samples if self.training else None
        try:
            output = self.language_model(
                types,
                forward_inputs,
                backward_inputs,
                forward_targets,
                backward_targets,
                self._state_before(forward_inputs, is_first),
                lengths,
                num_samples,
            )
        except ValueError as error:
            raise ConfigurationError(f"The language model: {error}") from error
        self._states[self.training] = output.state.detach()
        self._perplexity(output.forward_losses, output.backward_losses, sampled=num_samples is not None)
        self._token_rate(output.forward_losses.numel())
        total = output.forward_losses.sum() + output.backward_losses.sum()
        return {"loss": total * (self.loss_scale / (2 * forward_inputs.numel()))}

    def _state_before(self, inputs: Tensor, is_first: bool) -> BilmState:
        state = self._states.get(self.training)
        begins_anew = is_first and not self.training
        if state is None or begins_anew or state.batch_size != inputs.size(0):
            return self.language_model.zero_state(inputs.size(0))
        state = state.to(self.language_model.softmax.weight)
        return with_rows_reset(state, self.state_reset) if self.training and self.state_reset > 0 else state

    def training_state(self) -> Optional[List[Tensor]]:
        """The training streams' LSTM states, for a checkpoint: four tensors, or `None` before the first window."""
        state = self._states.get(True)
        return None if state is None else [tensor for direction in state for tensor in direction]

    def set_training_state(self, tensors: List[Tensor]) -> None:
        """What `training_state` gave."""
        self._states[True] = BilmState(LstmState(*tensors[:2]), LstmState(*tensors[2:]))

    def get_metrics(self, reset: bool = False) -> Dict[str, float]:
        """
        Perplexities of the full softmax (`forward_perplexity`, `backward_perplexity`, `perplexity`), or `sampled_loss`
        where training samples; `tokens_per_second`, from the second window on.
        """
        return {**self._perplexity.get_metric(reset), **self._token_rate.get_metric(reset)}


def _shape(options: BilmOptions) -> Dict[str, Any]:
    """What two models must have in common to share their weights, but for the softmax."""
    found = options.to_dict()
    return {name: found.get(name) for name in ("char_cnn", "symbol_cnn", "lstm")}
