"""
What the LSTMs remember between two calls, as values.

A state goes into a call and a new one comes out; no module keeps one. Whoever owns the stream of text owns its
state, and the functions here are all that such an owner needs.
"""

from typing import Callable, Dict, NamedTuple, Optional

import torch
from torch import Tensor

from elmo_plugin.bilm.on_device import on_device

# In the names of tensors, in the order of `BilmState`.
_DIRECTIONS = ("forward", "backward")


class LstmState(NamedTuple):
    """
    One direction.

    hidden : the clipped projections of the last step. Shape: (num_layers, batch_size, projection_dim)
    memory : the clipped memories of the last step. Shape: (num_layers, batch_size, cell_dim)
    """

    hidden: Tensor
    memory: Tensor


class BilmState(NamedTuple):
    """Both directions. (`backward_` reads each sentence from its end.)"""

    forward_: LstmState
    backward_: LstmState

    @property
    def batch_size(self) -> int:
        return self.forward_.hidden.size(1)

    def map(self, function: Callable[..., Tensor], *others: "BilmState") -> "BilmState":
        """The state of `function(tensor, *tensors of the others in that place)` for each of its four tensors."""
        return BilmState(*(LstmState(*map(function, *directions)) for directions in zip(self, *others)))

    def named(self, pattern: str) -> Dict[str, Tensor]:
        """
        Its four tensors by the names that a file has for them.

        # Parameters

        pattern : of the names; `{direction}` in it becomes `forward` or `backward`, and `{part}` `hidden` or `memory`.
        """
        return {
            pattern.format(direction=direction, part=part): tensor
            for direction, of_direction in zip(_DIRECTIONS, self)
            for part, tensor in of_direction._asdict().items()
        }

    @classmethod
    def from_named(cls, pattern: str, tensor_of: Callable[[str], Tensor]) -> "BilmState":
        """The state of `tensor_of(name)` for the names that `named` gives."""
        directions = (
            LstmState(*(tensor_of(pattern.format(direction=direction, part=part)) for part in LstmState._fields))
            for direction in _DIRECTIONS
        )
        return cls(*directions)

    def detach(self) -> "BilmState":
        """The same values, through which no gradient flows."""
        return self.map(Tensor.detach)

    def to(self, like: Tensor) -> "BilmState":
        """The same values on the device and in the precision of `like`."""
        return self.map(lambda tensor: on_device(tensor, like.device).to(like.dtype))

    def repeat_rows(self, batch_size: int) -> "BilmState":
        """A state of one row, for each of `batch_size` rows."""
        return self.map(lambda tensor: tensor.expand(-1, batch_size, -1))


def with_batch_size(state: BilmState, batch_size: int) -> BilmState:
    """
    The first `batch_size` rows of `state`; rows that it does not have are zeros.

    With `put_rows` this is what AllenNLP's ELMo does when batches of different sizes follow one another.
    """

    def resize(tensor: Tensor) -> Tensor:
        missing = batch_size - tensor.size(1)
        if missing <= 0:
            return tensor[:, :batch_size]
        return torch.cat([tensor, tensor.new_zeros(tensor.size(0), missing, tensor.size(2))], dim=1)

    return state.map(resize)


def put_rows(old: Optional[BilmState], new: BilmState) -> BilmState:
    """`new`, followed by those rows of `old` that lie beyond it."""
    if old is None or old.batch_size <= new.batch_size:
        return new
    return new.map(lambda above, below: torch.cat([above, below[:, above.size(1) :]], dim=1), old)


def with_rows_reset(state: BilmState, probability: float) -> BilmState:
    """
    The state with each row, by itself and with the given probability, set back to zeros.

    A model whose states are carried through all of its training need not know what to do with zeros. One was seen
    (256 memories, 450,000 words) whose backward LSTM, begun with zeros, fell into another mode that training never
    visits and stayed there: perplexity 150 forward, 10^8 backward. AllenNLP's ELMo begins with zeros, and so does an
    evaluation.
    """
    keep = torch.rand(state.batch_size, device=state.forward_.hidden.device) >= probability
    return state.map(lambda tensor: tensor * keep.unsqueeze(1).to(tensor.dtype))
