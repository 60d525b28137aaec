"""A step of training: this project's beside the best that AllenNLP's own parts make, and, on a GPU, cuDNN's LSTM."""

from contextlib import contextmanager
from typing import Any, Callable, ContextManager, Dict, Iterator, List

import torch
from torch import Tensor, nn

from elmo_plugin.benchmark.text import generate_sentences, generate_words
from elmo_plugin.bilm.encoded_text import EncodedText, encode_text
from elmo_plugin.bilm.language_model import LanguageModel
from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.streams import Streams, Window
from elmo_plugin.bilm.vocabulary import SPECIAL_WORDS, WordVocabulary
from elmo_plugin.kept_memory import can_keep_memory, give_back_memory, memory_kept

OURS, THEIRS, CUDNN = "elmo_plugin", "AllenNLP's parts", "torch.nn.LSTM (no clipping)"
THEIRS_KEPT = f"{THEIRS}, memory kept"
_DROPOUT, _LEARNING_RATE, _CLIP_NORM = 0.1, 0.2, 10.0


class Step:
    """
    One window, as tensors.

    # Parameters

    window : as `Streams` makes it.
    text : what it is of.
    max_characters : width of a word.
    device : where to.
    """

    def __init__(self, window: Window, text: EncodedText, max_characters: int, device: torch.device) -> None:
        self.types = torch.from_numpy(text.model_inputs(window.types, max_characters)).to(device)
        arrays = (window.forward_inputs, window.backward_inputs, window.forward_targets, window.backward_targets)
        tensors = [torch.from_numpy(array).to(device) for array in arrays]
        self.forward_inputs, self.backward_inputs, self.forward_targets, self.backward_targets = tensors


def steps(
    options: BilmOptions, batch_size: int, num_steps: int, num_batches: int, device: torch.device, seed: int = 13
) -> List[Step]:
    """Windows of generated text, all of them full."""
    vocabulary = WordVocabulary([*SPECIAL_WORDS, *generate_words(options.num_words - len(SPECIAL_WORDS), seed)])
    num_tokens = (num_batches + 2) * batch_size * num_steps
    sentences = generate_sentences(num_tokens // 20 + batch_size, seed, options.num_words - len(SPECIAL_WORDS))
    text = encode_text([sentences], vocabulary)
    full = (window for window in Streams(text, batch_size, num_steps) if window.lengths is None)
    return [Step(next(full), text, options.max_characters, device) for _ in range(num_batches)]


def trainers(options: BilmOptions, num_samples: int, device: torch.device) -> Dict[str, Callable[[Step], Any]]:
    """
    Steps of Adagrad with clipped gradients; models with random weights, each its own. On a CPU all softmaxes have
    sparse gradients, and this project's Adagrad is `elmo_adagrad`, as in the shipped configs. Where memory can be kept
    between steps (see `settings`), AllenNLP's parts, the same model, are there a second time, for a turn with it.
    """
    # The default of torch, said aloud: else Adagrad's step warns of it.
    torch.sparse.check_sparse_tensor_invariants.disable()
    found = {OURS: _ours(options, num_samples, device), THEIRS: _theirs(options, num_samples, device)}
    if device.type == "cuda":
        found[CUDNN] = _theirs(options, num_samples, device, _CudnnLayers)
    elif can_keep_memory():
        found[THEIRS_KEPT] = found[THEIRS]
    return found


def settings(device: torch.device) -> Dict[str, Callable[[], ContextManager]]:
    """
    By contender, what its turns take place in: this project's keep memory, as `elmo_kept_memory` of the shipped configs
    does; AllenNLP's do not, and what they free is given back after each. As other contenders' blocks lie among free
    ones, which glibc keeps, AllenNLP's parts have fewer page faults than alone: of the small model, 32 x 20, 210,000 in
    a step instead of 244,000.
    """
    if device.type == "cuda" or not can_keep_memory():
        return {}
    return {OURS: memory_kept, THEIRS: _memory_given_back, THEIRS_KEPT: memory_kept}


@contextmanager
def _memory_given_back() -> Iterator[None]:
    try:
        yield
    finally:
        give_back_memory()


def _updates(
    model: nn.Module, loss_of: Callable[[Step], Tensor], optimizer: torch.optim.Optimizer
) -> Callable[[Step], Tensor]:
    from elmo_plugin.compat.sparse_gradient_norm import clip_grad_norm_

    parameters = list(model.parameters())

    def step(window: Step) -> Tensor:
        loss = loss_of(window)
        loss.backward()
        clip_grad_norm_(parameters, _CLIP_NORM)
        optimizer.step()
        # Last, not first: in the others' turns there are no gradients.
        optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    return step


def _ours(options: BilmOptions, num_samples: int, device: torch.device) -> Callable[[Step], Tensor]:
    from elmo_plugin.training.optimizers.adagrad import FusedAdagrad

    model = LanguageModel(options, _DROPOUT, sparse_softmax=device.type == "cpu").to(device)
    state = None

    def loss_of(window: Step) -> Tensor:
        nonlocal state
        before = model.zero_state(window.forward_inputs.size(0)) if state is None else state
        output = model(
            window.types,
            window.forward_inputs,
            window.backward_inputs,
            window.forward_targets,
            window.backward_targets,
            before,
            num_samples=num_samples,
        )
        state = output.state.detach()
        return (output.forward_losses.sum() + output.backward_losses.sum()) / (2 * window.forward_inputs.numel())

    optimizer = FusedAdagrad(list(model.named_parameters()), lr=_LEARNING_RATE, initial_accumulator_value=1.0)
    return _updates(model, loss_of, optimizer)


class _CudnnLayers(nn.Module):
    """What `ElmoLstm` computes, but for the clipping, by `torch.nn.LSTM`; the state is carried."""

    def __init__(self, options: BilmOptions) -> None:
        super().__init__()
        lstm = options.lstm
        self.directions = nn.ModuleList(
            nn.LSTM(
                lstm.projection_dim, lstm.cell_dim, lstm.num_layers, batch_first=True, proj_size=lstm.projection_dim
            )
            for _ in range(2)
        )
        self._states: List[Any] = [None, None]

    def forward(self, vectors: Tensor) -> Tensor:
        outputs = []
        for number, lstm in enumerate(self.directions):
            output, state = lstm(vectors.flip(1) if number else vectors, self._states[number])
            self._states[number] = tuple(part.detach() for part in state)
            outputs.append(output.flip(1) if number else output)
        return torch.cat(outputs, dim=2)


class _ElmoLayers(nn.Module):
    def __init__(self, options: BilmOptions) -> None:
        super().__init__()
        from allennlp.modules.elmo_lstm import ElmoLstm

        lstm = options.lstm
        self.lstm = ElmoLstm(
            lstm.projection_dim,
            lstm.projection_dim,
            lstm.cell_dim,
            lstm.num_layers,
            requires_grad=True,
            memory_cell_clip_value=lstm.cell_clip,
            state_projection_clip_value=lstm.projection_clip,
        )

    def forward(self, vectors: Tensor) -> Tensor:
        mask = torch.ones(vectors.shape[:2], dtype=torch.bool, device=vectors.device)
        return self.lstm(vectors, mask)[-1]


class _AllenNlpParts(nn.Module):
    """
    `TokenCharactersEncoder`, a stack of LSTMs, `SampledSoftmaxLoss` for either direction: characters of every token,
    one text that both directions read.
    """

    def __init__(self, options: BilmOptions, num_samples: int, layers: nn.Module, sparse: bool) -> None:
        super().__init__()
        from allennlp.modules.sampled_softmax_loss import SampledSoftmaxLoss
        from allennlp.modules.seq2vec_encoders import CnnHighwayEncoder
        from allennlp.modules.token_embedders import Embedding, TokenCharactersEncoder

        cnn = options.char_cnn
        encoder = CnnHighwayEncoder(cnn.embedding_dim, cnn.filters, cnn.num_highway, options.projection_dim)
        self.words = TokenCharactersEncoder(Embedding(cnn.embedding_dim, 262, padding_index=0), encoder)
        self.layers, self.width = layers, options.projection_dim
        self.softmax = SampledSoftmaxLoss(options.num_words, options.projection_dim, num_samples, sparse)
        self.dropout = nn.Dropout(_DROPOUT)

    def forward(self, window: Step) -> Tensor:
        outputs = self.dropout(self.layers(self.dropout(self.words(window.types[window.forward_inputs]))))
        losses = [
            self.softmax(outputs[:, :, begin : begin + self.width].flatten(0, 1), targets.flatten())
            for begin, targets in ((0, window.forward_targets), (self.width, window.backward_targets))
        ]
        return sum(losses) / (2 * window.forward_targets.numel())


def _theirs(
    options: BilmOptions,
    num_samples: int,
    device: torch.device,
    layers: Callable[[BilmOptions], nn.Module] = _ElmoLayers,
) -> Callable[[Step], Tensor]:
    model = _AllenNlpParts(options, num_samples, layers(options), device.type == "cpu").to(device)
    optimizer = torch.optim.Adagrad(model.parameters(), lr=_LEARNING_RATE, initial_accumulator_value=1.0)
    return _updates(model, model, optimizer)
