"""A reader that owns its carried state, under the names by which code for AllenNLP 0.9 reaches into its biLM."""

from threading import RLock
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

import torch
from torch import Tensor, nn

from elmo_plugin.bilm.bilm import Representations
from elmo_plugin.bilm.embedding import Sentence, SentenceReader, steady_state_of
from elmo_plugin.bilm.state import BilmState, LstmState
from elmo_plugin.bilm.state_policy import STATEFUL, ZERO, state_after, state_before


class CarryingBilm(nn.Module):
    """
    What `ElmoEmbedder.elmo_bilm` is: a biLM, its reader, and the state that the policy `"stateful"` carries from one
    call to the next. Threads take turns under that policy; under the others they need not.

    It takes the calls that AllenNLP's `_ElmoBiLm` takes: character ids in, `activations` and `mask` out; `to`, `apply`,
    `parameters`; and `_elmo_lstm` with `_states`, `stateful` and `reset_states`.

    # Parameters

    reader : of which it takes biLM and policy.
    """

    def __init__(self, reader: SentenceReader) -> None:
        super().__init__()
        self.bilm, self.reader = reader.bilm, reader
        self.carried: Optional[BilmState] = None
        self._lock = RLock()
        self._elmo_lstm = _ElmoLstm(self)

    @property
    def num_layers(self) -> int:
        """Layers in `activations`."""
        return self.bilm.options.num_representations

    def get_output_dim(self) -> int:
        """Width of a layer."""
        return self.bilm.options.representation_dim

    def read(self, sentences: Sequence[Sentence]) -> Representations:
        """As `SentenceReader.read`, with the state that is carried here."""
        if self.reader.policy != STATEFUL:
            return self.reader.read(sentences)[0]
        with self._lock:
            representations, self.carried = self.reader.read(sentences, self.carried)
            return representations

    def forward(self, inputs: Tensor, word_inputs: Optional[Tensor] = None) -> Dict[str, Union[List[Tensor], Tensor]]:
        """
        # Parameters

        inputs : shifted character ids, 0 where there is no word. Shape: (batch_size, num_tokens, max_characters)
        word_inputs : ids of cached words, in AllenNLP; there are none here, so it must be `None`.

        # Returns

        `activations` : `num_representations` times (batch_size, num_tokens + 2, representation_dim)
        `mask` : 1 where there is a word, else 0; `int64`, as in AllenNLP 0.9. Shape: (batch_size, num_tokens + 2)

        # Raises

        `ValueError` for `word_inputs`, and as `Bilm.represent`.
        """
        if word_inputs is not None:
            raise ValueError(
                "`word_inputs` are ids of AllenNLP's own cache of words. Leave them out: words are remembered here "
                "without."
            )
        with self._lock:
            steady = self.reader.steady
            if steady is not None:
                steady = steady.to(self.bilm.forward_lstm.layers[0].bias)
            before = state_before(self.reader.policy, self.bilm, inputs.size(0), self.carried, steady)
            with self.reader.rows_apart():
                representations, after = self.bilm.represent(inputs, before)
            self.carried = state_after(self.reader.policy, self.carried, after)
        return {"activations": representations.layers, "mask": representations.mask.long()}

    def create_cached_cnn_embeddings(self, tokens: List[str]) -> None:
        """Computes words' vectors now rather than when they are met; as many as are remembered at all."""
        with torch.no_grad():
            self.reader.word_vectors(list(dict.fromkeys(tokens)))

    def apply(self, fn: Callable[[nn.Module], None]) -> "CarryingBilm":
        """As any module's; the words' vectors and the steady state are computed anew, for `fn` may change weights."""
        super().apply(fn)
        self.reader.forget()
        if self.reader.steady is not None:
            self.reader.steady = steady_state_of(self.bilm)
        return self

    def load_state_dict(self, *arguments: Any, **named: Any) -> Any:
        """As any module's; the words' vectors and the steady state are computed anew."""
        result = super().load_state_dict(*arguments, **named)
        self.apply(lambda module: None)
        return result

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "CarryingBilm":
        """Behind `to`, `cuda`, `cpu`, `half`: the carried state goes along, the words' vectors are computed anew."""
        super()._apply(fn, recurse)
        self.reader.forget()
        if self.carried is not None:
            self.carried = self.carried.map(fn)
        return self

    def __getstate__(self) -> Dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        super().__setstate__(state)
        self._lock = RLock()


class _ElmoLstm:
    """
    The carried state, as AllenNLP's LSTMs show theirs: directions side by side.

    # Parameters

    owner : of the state.
    """

    def __init__(self, owner: CarryingBilm) -> None:
        self._owner = owner

    @property
    def stateful(self) -> bool:
        """Whether the state is carried; setting it to `False` is the policy `"zero"`, as in AllenNLP."""
        return self._owner.reader.policy == STATEFUL

    @stateful.setter
    def stateful(self, value: bool) -> None:
        self._owner.reader.policy = STATEFUL if value else ZERO

    @property
    def _states(self) -> Tuple[Tensor, ...]:
        """
        Nothing before the first sentence, or where nothing is carried; else hidden and memory.
        Shapes: (num_layers, batch_size, 2 * projection_dim), (num_layers, batch_size, 2 * cell_dim)
        """
        carried = self._owner.carried
        if carried is None:
            return ()
        return tuple(torch.cat(pair, dim=2) for pair in zip(carried.forward_, carried.backward_))

    @_states.setter
    def _states(self, states: Optional[Sequence[Tensor]]) -> None:
        if not states:
            self._owner.carried = None
            return
        halves = [state.chunk(2, dim=2) for state in states]
        self._owner.carried = BilmState(*(LstmState(hidden, memory) for hidden, memory in zip(*halves)))

    def reset_states(self) -> None:
        """The state before any text."""
        self._owner.carried = None
