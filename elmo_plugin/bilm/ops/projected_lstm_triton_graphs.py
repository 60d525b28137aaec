"""
All steps of a window, captured as one CUDA graph there and one back.

What launches take is then that of a graph and of a copy for each tensor that goes in or comes out, whatever the number
of steps. It is for windows of the same shape again and again, as training has them; those of another shape are launched
step by step.
"""

from functools import partial
from typing import Iterable, List, Optional, Sequence, Tuple

import torch
from torch import Tensor

from elmo_plugin.bilm.ops import cuda_graphs
from elmo_plugin.bilm.ops.graph_store import Loan, current_store
from elmo_plugin.bilm.ops.projected_lstm import Chain
from elmo_plugin.bilm.ops.projected_lstm_triton_steps import (
    Clips,
    Slopes,
    operands_of,
    steps_back,
    steps_forward,
)


class CapturedSteps:
    """
    What it returns is written over when it runs again: copies are the caller's business.

    # Parameters

    chains : of the shapes that are captured; their numbers do not matter.
    dtype : of products.
    keep : whether there is a way back.
    """

    def __init__(
        self, chains: Sequence[Chain], dtype: torch.dtype, rows: List[int], clips: Clips, keep: bool
    ) -> None:
        device = chains[0].memory.device
        # Neither belongs to the graph of autograd, nor to the inference that may be under way.
        with torch.inference_mode(False), torch.no_grad():
            self._operands = operands_of(chains, dtype)
            there = cuda_graphs.capture(partial(steps_forward, self._operands, rows, clips, keep), device)
            self._outputs, self.kept = there.outputs
            self._run_forward = there.replay
            held = [*self._operands, self._outputs, *self.kept]
            if keep:
                state = self._operands.hidden, self._operands.memory
                self._slopes = Slopes(*(torch.zeros_like(tensor) for tensor in (self._outputs, *state)))
                self._first_memory = torch.zeros_like(self._operands.memory)
                function = partial(steps_back, self._slopes, self.kept, self._first_memory, rows, clips)
                back = cuda_graphs.capture(function, device, there.pool)
                self._of_steps, self._run_back = back.outputs, back.replay
                held += [*self._slopes, self._first_memory, *back.outputs]
        # Some are there twice. What a step writes for the next one is left out.
        self.num_bytes = sum({tensor.data_ptr(): tensor.nbytes for tensor in held}.values())

    def forward(self, chains: Sequence[Chain]) -> Tuple[Tensor, Tensor, Tensor]:
        """Outputs, last hidden and last memory. Shapes begin with num_chains."""
        for place, tensors in zip(self._operands, zip(*chains)):
            _fill(place, tensors)
        self._run_forward()
        return self._outputs, self._operands.hidden, self._operands.memory

    def back(self, of_results: Sequence[Tensor], memories: Sequence[Tensor]) -> Tuple[Tensor, Tensor, Slopes]:
        """
        After `forward`, what `steps_back` returns, and the slopes behind it.

        # Parameters

        of_results : gradients of outputs, last hidden and last memory of each chain in turn.
        memories : of each chain, before the first step.
        """
        for index, place in enumerate(self._slopes):
            _fill(place, of_results[index::3])
        _fill(self._first_memory, memories)
        self._run_back()
        of_gates, of_projected = self._of_steps
        return of_gates, of_projected, self._slopes


def lent_steps(
    chains: Sequence[Chain], dtype: torch.dtype, rows: List[int], clips: Clips, keep: bool
) -> Optional[Loan[CapturedSteps]]:
    """
    Those of the store that is in use, lent until they are given back or the loan is forgotten; `None` where there is no
    store, or it has none for such a window.
    """
    store = current_store()
    if store is None or not rows:
        return None
    device = chains[0].memory.device
    shapes = tuple((tensor.shape, tensor.dtype) for tensor in chains[0])
    key = len(chains), shapes, device, cuda_graphs.stream_of(device), dtype, tuple(rows), clips, keep
    return store.lend(key, partial(CapturedSteps, chains, dtype, rows, clips, keep))


def _fill(place: Tensor, tensors: Iterable[Tensor]) -> None:
    for part, tensor in zip(place, tensors):
        part.copy_(tensor)
