"""The bidirectional language model: word vectors, and two LSTMs that read them from either end."""

from typing import List, NamedTuple, Optional, Tuple, Union

import torch
from torch import Tensor, nn
from torch.nn import functional

from elmo_plugin.bilm.char_cnn import CharCnnEncoder, SymbolCnnEncoder, WordEncoder
from elmo_plugin.bilm.characters import BEGIN_SENTENCE, END_SENTENCE, word_to_characters
from elmo_plugin.bilm.on_device import on_device
from elmo_plugin.bilm.ops.dispatch import of_rows
from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.projected_lstm import ProjectedLstm, read_in_step
from elmo_plugin.bilm.ragged import reverse_rows
from elmo_plugin.bilm.state import BilmState
from elmo_plugin.bilm.vocabulary import WordVocabulary
from elmo_plugin.bilm.word_types import distinct_words


class Representations(NamedTuple):
    """
    What a biLM says of sentences, `<S>` and `</S>` included.

    layers : word vectors `[v; v]`, then `[forward; backward]` of each LSTM layer, zeros where there is no token.
        Shape: `num_representations` times (batch_size, num_tokens + 2, representation_dim)
    mask : Shape: (batch_size, num_tokens + 2), `bool`
    """

    layers: List[Tensor]
    mask: Tensor

    def without_boundaries(self, tensor: Tensor) -> Tensor:
        """
        A tensor over these positions, without those of `<S>` and `</S>`.

        Shape: (batch_size, num_tokens + 2, dim) to (batch_size, num_tokens, dim)
        """
        return tensor[:, 1:-1] * self.mask[:, 2:].unsqueeze(-1).to(tensor.dtype)


class Bilm(nn.Module):
    """
    Word vectors and the two directions. The softmax that training needs is no part of it (see `softmax.py`).

    # Parameters

    options : the model's shape. Without `char_cnn` it must have `num_words`.
    dropout : on the inputs of every LSTM layer, in training.
    """

    def __init__(self, options: BilmOptions, dropout: float = 0.0) -> None:
        super().__init__()
        self.options = options
        self.encoder: Union[CharCnnEncoder, WordEncoder]
        if options.char_cnn is not None:
            encoder = CharCnnEncoder if options.char_cnn.symbols is None else SymbolCnnEncoder
            self.encoder = encoder(options.char_cnn, options.projection_dim)
        elif options.num_words is not None:
            self.encoder = WordEncoder(options.num_words, options.projection_dim)
        else:
            raise ValueError(
                "The options have no 'char_cnn', so this model takes word ids, and they have no 'n_tokens_vocab' "
                "either, so the number of words is unknown. Add one of the two to options.json."
            )
        self.forward_lstm = ProjectedLstm(options.lstm, dropout)
        self.backward_lstm = ProjectedLstm(options.lstm, dropout)
        self.register_buffer("boundaries", self._boundaries(), persistent=False)

    def _boundaries(self) -> Tensor:
        """`<S>` and `</S>` as input. Shape: (2, max_characters), or (2,) for word ids"""
        if self.options.char_cnn is None:
            return torch.tensor([WordVocabulary.begin_sentence_id + 1, WordVocabulary.end_sentence_id + 1])
        return torch.tensor(
            [word_to_characters(mark, self.options.char_cnn.max_characters) for mark in (BEGIN_SENTENCE, END_SENTENCE)]
        )

    def zero_state(self, batch_size: int) -> BilmState:
        """The state before any text."""
        return BilmState(self.forward_lstm.zero_state(batch_size), self.backward_lstm.zero_state(batch_size))

    def forward(
        self,
        types: Tensor,
        forward_inputs: Tensor,
        backward_inputs: Tensor,
        state: BilmState,
        lengths: Optional[Tensor] = None,
    ) -> Tuple[List[Tensor], List[Tensor], BilmState]:
        """
        Runs both directions over windows of text, each over its own.

        # Parameters

        types : the distinct words. Shape: (num_types, max_characters), or (num_types,) for word ids
        forward_inputs, backward_inputs : which type stands where, in each direction's reading order.
            Shape: (batch_size, num_steps)
        state : before the first step.
        lengths : tokens in each row, the same for both directions; `None` where all are full. Shape: (batch_size,)

        # Returns

        The outputs of each layer, forward and backward, each in its own reading order, and the state after.
        Shapes: `num_layers` times (batch_size, num_steps, projection_dim)
        """
        vectors = self.encoder(types)
        # Not `vectors[...]`: on several threads of a CPU its gradients are added up in another order each time.
        inputs = [functional.embedding(places, vectors) for places in (forward_inputs, backward_inputs)]
        (forward_layers, forward_state), (backward_layers, backward_state) = read_in_step(
            (self.forward_lstm, self.backward_lstm), inputs, state, lengths
        )
        return forward_layers, backward_layers, BilmState(forward_state, backward_state)

    def represent(self, words: Tensor, state: BilmState) -> Tuple[Representations, BilmState]:
        """
        Layers of whole sentences. `<S>` and `</S>` are put around each; an empty row is the sentence `<S> </S>`.

        # Parameters

        words : shifted character ids, or shifted word ids; 0 (in all characters) where a row has ended.
            Shape: (batch_size, num_tokens, max_characters), or (batch_size, num_tokens)
        state : before the first token, one row for each of `words`.

        # Raises

        `ValueError` where the width of a word is not the options' or a row has a gap.
        """
        with_boundaries, lengths = self._add_boundaries(words)
        types, indices = distinct_words(with_boundaries)
        return self.contextualize(of_rows(self.encoder, types)[indices], lengths, state)

    def contextualize(
        self, vectors: Tensor, lengths: Tensor, state: BilmState
    ) -> Tuple[Representations, BilmState]:
        """
        Layers of whole sentences, from the vectors of their words.

        # Parameters

        vectors : of `<S>`, the words and `</S>`; anything where a row has ended.
            Shape: (batch_size, num_tokens + 2, projection_dim)
        lengths : tokens in each row, `<S>` and `</S>` included. Shape: (batch_size,)
        state : before the first token, one row for each of `vectors`.
        """
        ends = on_device(lengths, vectors.device)
        (forward_layers, forward_state), (reversed_layers, backward_state) = read_in_step(
            (self.forward_lstm, self.backward_lstm), (vectors, reverse_rows(vectors, ends)), state, lengths
        )
        positions = torch.arange(vectors.size(1), device=vectors.device)
        mask = positions.unsqueeze(0) < ends.unsqueeze(1)
        layers = [torch.cat([vectors, vectors], dim=-1) * mask.unsqueeze(-1).to(vectors.dtype)]
        for forward_layer, reversed_layer in zip(forward_layers, reversed_layers):
            layers.append(torch.cat([forward_layer, reverse_rows(reversed_layer, ends)], dim=-1))
        return Representations(layers, mask), BilmState(forward_state, backward_state)

    def _add_boundaries(self, words: Tensor) -> Tuple[Tensor, Tensor]:
        """
        Shape: (batch_size, num_tokens, …) to (batch_size, num_tokens + 2, …), and lengths (batch_size,)
        """
        expected = (3, self.options.max_characters) if self.options.char_cnn is not None else (2, None)
        if words.dim() != expected[0] or (words.dim() == 3 and words.size(2) != expected[1]):
            raise ValueError(
                "The words of this biLM must be a tensor of shape (batch_size, num_tokens"
                f"{'' if expected[1] is None else f', {expected[1]}'}), but their shape is {tuple(words.shape)}. The "
                "last number is 'max_characters_per_token' of its options; give the token indexer the same width."
            )
        present = words != 0 if words.dim() == 2 else (words != 0).any(dim=2)
        num_words = present.sum(dim=1)
        steps = torch.arange(words.size(1), device=words.device)
        if bool((present != (steps.unsqueeze(0) < num_words.unsqueeze(1))).any()):
            raise ValueError(
                "A row of `words` has a masked position before its last word. Sentences must be padded on the right "
                "only."
            )
        shape = (words.size(0), words.size(1) + 2, *words.shape[2:])
        result = words.new_zeros(shape)
        result[:, 1:-1] = words
        result[:, 0] = self.boundaries[0]
        result[torch.arange(words.size(0), device=words.device), num_words + 1] = self.boundaries[1]
        return result, num_words + 2
