"""What is trained: a biLM and the softmax over the vocabulary, which both directions share."""

from typing import NamedTuple, Optional

import torch
from torch import Tensor, nn
from torch.nn import functional

from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.on_device import on_device
from elmo_plugin.bilm.ops.graph_store import GraphStore, captured_in
from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.softmax import Softmax
from elmo_plugin.bilm.state import BilmState


class LanguageModelOutput(NamedTuple):
    """
    forward_losses, backward_losses : of each token, in nats. Shape: (num_tokens,)
    state : after the window; gradients flow through it until it is detached.
    """

    forward_losses: Tensor
    backward_losses: Tensor
    state: BilmState


class LanguageModel(nn.Module):
    """
    Predicts every word of a stream from the words before it and, in the other direction, from those behind it.

    # Parameters

    options : the model's shape, `num_words` included.
    dropout : on the inputs of each LSTM layer and on the output before the softmax.
    sparse_softmax : see `Softmax`.
    autocast : the precision of products of matrices in training, `torch.bfloat16`, say; `None` for that of the weights,
        in which evaluation always is. Weights, their gradients, LSTM states, losses and the sums of exponentials keep
        the weights' precision.
    cuda_graphs : on a GPU where the recurrence has its own kernels, capture windows that come again and again
        (`ops.projected_lstm_triton_graphs`). It holds memory for each layer besides, up to `ops.graph_store.MAX_BYTES`.

    # Raises

    `ValueError` where the options lack the number of words.
    """

    def __init__(
        self,
        options: BilmOptions,
        dropout: float = 0.0,
        sparse_softmax: bool = False,
        autocast: Optional[torch.dtype] = None,
        cuda_graphs: bool = False,
    ) -> None:
        super().__init__()
        if options.num_words is None:
            raise ValueError("A language model needs the size of its vocabulary: give the options 'n_tokens_vocab'.")
        self.dropout, self.autocast = dropout, autocast
        self.graphs = GraphStore() if cuda_graphs else None
        self.bilm = Bilm(options, dropout)
        self.softmax = Softmax(options.num_words, options.projection_dim, sparse_softmax)

    def zero_state(self, batch_size: int) -> BilmState:
        """The state before any text."""
        return self.bilm.zero_state(batch_size)

    def forward(
        self,
        types: Tensor,
        forward_inputs: Tensor,
        backward_inputs: Tensor,
        forward_targets: Tensor,
        backward_targets: Tensor,
        state: BilmState,
        lengths: Optional[Tensor] = None,
        num_samples: Optional[int] = None,
    ) -> LanguageModelOutput:
        """
        # Parameters

        types : distinct words. Shape: (num_types, max_characters), or (num_types,) for word ids
        forward_inputs, backward_inputs : positions in `types`, in reading order. Shape: (batch_size, num_steps)
        forward_targets, backward_targets : word ids. Shape: (batch_size, num_steps)
        state : before the window.
        lengths : steps of each row that are text; `None` where all are. Shape: (batch_size,)
        num_samples : draw so many words for a sampled softmax; the full one if `None`. Both directions share the draw.

        # Raises

        `ValueError` where the width of a word is not the options'.
        """
        self._check_types(types)
        # Waits for a GPU, in the last windows of a pass.
        lengths = None if lengths is None else lengths.cpu()
        with torch.autocast(types.device.type, self.autocast, enabled=self.training and self.autocast is not None):
            with captured_in(self.graphs):
                inputs = forward_inputs, backward_inputs
                forward_layers, backward_layers, state = self.bilm(types, *inputs, state, lengths)
            pairs = (forward_layers[-1], backward_layers[-1]), (forward_targets, backward_targets)
            places = None if lengths is None else _places(lengths, forward_targets)
            vectors, targets = (torch.cat([_present(padded, places) for padded in pair]) for pair in pairs)
            vectors = functional.dropout(vectors, self.dropout, self.training)
            if num_samples is None:
                losses = self.softmax.full_loss(vectors, targets)
            else:
                losses = self.softmax.sampled_loss(vectors, targets, num_samples)
        return LanguageModelOutput(*losses.chunk(2), state)

    def _check_types(self, types: Tensor) -> None:
        """Any width would do for the convolutions, but the model would learn words cut elsewhere than it reads them."""
        width = self.bilm.options.max_characters
        if width is None and types.dim() != 1:
            raise ValueError(
                "This model has no 'char_cnn' in its options, so it takes word ids, but the windows hold characters. "
                "Give the data loader `max_characters: null`."
            )
        if width is not None and types.shape[1:] != (width,):
            found = "are word ids" if types.dim() == 1 else f"have {types.size(1)} characters each"
            raise ValueError(
                f"The words of the windows {found}, but 'max_characters_per_token' of the model's options is {width}. "
                f"Give the data loader `max_characters: {width}`."
            )


def _places(lengths: Tensor, padded: Tensor) -> Tensor:
    """
    Which steps are text, row after row, in a tensor of shape (batch_size, num_steps) that was flattened.

    Shape: (batch_size,), on the CPU, to (sum of lengths,), where `padded` is
    """
    is_text = torch.arange(padded.size(1)).unsqueeze(0) < lengths.unsqueeze(1)
    return on_device(is_text.flatten().nonzero().squeeze(1), padded.device)


def _present(padded: Tensor, places: Optional[Tensor]) -> Tensor:
    """The steps that are text, row after row. Shape: (batch_size, num_steps, …) to (sum of lengths, …)"""
    flat = padded.flatten(0, 1)
    return flat if places is None else flat[places]
