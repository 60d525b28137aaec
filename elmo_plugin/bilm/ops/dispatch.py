"""
Which implementation of a hot operation runs: the plain definition, or its fast peer where there is one for the device.

The peers have no behaviour of their own, so nobody has to know which one ran. Tests and measurements force one:

    with forced("plain"):
        layers, state = lstm(inputs, state)

The choice is made when an operation runs forward; its gradients follow.
"""

from contextlib import contextmanager
from contextvars import ContextVar
from typing import Iterator, List, Optional, Sequence

import torch
from torch import Tensor

from elmo_plugin.bilm.ops import char_convolutions as plain_convolutions
from elmo_plugin.bilm.ops import projected_lstm as plain_lstm
from elmo_plugin.bilm.ops import sampled_softmax as plain_softmax
from elmo_plugin.bilm.ops.char_convolutions_blocked import char_convolutions_blocked
from elmo_plugin.bilm.ops.projected_lstm import Chain, ChainOutput
from elmo_plugin.bilm.ops.projected_lstm_buffered import projected_lstms_buffered
from elmo_plugin.bilm.ops.sampled_softmax_inplace import log_sum_over_sample_inplace

IMPLEMENTATIONS = ("plain", "fast")

_forced: ContextVar[Optional[str]] = ContextVar("forced", default=None)


@contextmanager
def forced(implementation: str) -> Iterator[None]:
    """
    Inside the context (and this thread) every operation runs as `"plain"` or as `"fast"`, wherever its tensors are.

    # Raises

    `ValueError` for another name.
    """
    if implementation not in IMPLEMENTATIONS:
        raise ValueError(f"The implementation must be one of {IMPLEMENTATIONS}, but it is {implementation!r}.")
    token = _forced.set(implementation)
    try:
        yield
    finally:
        _forced.reset(token)


def is_fast(*tensors: Tensor) -> bool:
    """Whether the fast peer is to run: as forced, else on a CPU, where all is in one precision of 32 or 64 bits."""
    implementation = _forced.get()
    if implementation is not None:
        return implementation == "fast"
    dtype = tensors[0].dtype
    if dtype not in (torch.float32, torch.float64) or torch.is_autocast_enabled("cpu"):
        return False
    return all(tensor.device.type == "cpu" and tensor.dtype == dtype for tensor in tensors)


def projected_lstms(
    chains: Sequence[Chain], rows_per_step: Sequence[int], cell_clip: Optional[float], projection_clip: Optional[float]
) -> List[ChainOutput]:
    """The recurrence of one layer in each direction; see `ops.projected_lstm` for the formula and the shapes."""
    is_chosen = is_fast(*(tensor for chain in chains for tensor in chain))
    recurrence = projected_lstms_buffered if is_chosen else plain_lstm.projected_lstms
    return recurrence(chains, rows_per_step, cell_clip, projection_clip)


def char_convolutions(
    characters: Tensor, embedding: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor]
) -> Tensor:
    """The convolutions over characters; see `ops.char_convolutions` for the formula and the shapes."""
    is_chosen = is_fast(embedding, *weights, *biases)
    convolutions = char_convolutions_blocked if is_chosen else plain_convolutions.char_convolutions
    return convolutions(characters, embedding, weights, biases)


def log_sum_over_sample(vectors: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, sampled: Tensor) -> Tensor:
    """The sum over the sample in a sampled softmax; see `ops.sampled_softmax` for the formula and the shapes."""
    log_sum = log_sum_over_sample_inplace if is_fast(vectors, weight, bias) else plain_softmax.log_sum_over_sample
    return log_sum(vectors, weight, bias, targets, sampled)
