"""
A function of a GPU, captured: launched as a whole, with none of the time that launching its parts takes.

What a graph reads and writes lies at fixed places, and a replay writes over what the one before has left there. Who
keeps some of it copies it. Captured as torch's documentation of CUDA graphs wants it: after some runs on a side stream,
where kernels are compiled and libraries make what they need.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Callable, Generic, Optional, TypeVar

import torch

# As in `torch.cuda.make_graphed_callables`.
NUM_WARM_UPS = 3

Outputs = TypeVar("Outputs")


@dataclass(frozen=True)
class Captured(Generic[Outputs]):
    """
    outputs : what the function returned while it was captured. Their numbers are there after a replay.
    replay : runs the function again on the tensors that it read then, in the stream that is current.
    pool : of memory, for graphs that never run before this one's outputs have been used.
    """

    outputs: Outputs
    replay: Callable[[], None]
    pool: Any


def capture(function: Callable[[], Outputs], device: torch.device, pool: Any = None) -> "Captured[Outputs]":
    """
    # Parameters

    function : of tensors that stay where they are. It must ask for no numbers, and what it writes is written, several
        times, before this returns.
    device : a GPU.
    pool : of an earlier graph.

    # Raises

    Errors of the function, and of CUDA where something in it can't be captured.
    """
    pool = torch.cuda.graph_pool_handle() if pool is None else pool
    before = torch.cuda.current_stream(device)
    graph, stream = torch.cuda.CUDAGraph(), _side_stream(device, before.cuda_stream)
    stream.wait_stream(before)
    try:
        # Where capturing fails, `torch.cuda.graph` by itself does not go back to the stream before.
        with torch.cuda.stream(stream):
            for _ in range(NUM_WARM_UPS):
                function()
            # Other threads may make pinned memory meanwhile, as data loaders do; in "global" mode that is an error.
            with torch.cuda.graph(graph, pool=pool, stream=stream, capture_error_mode="thread_local"):
                outputs = function()
    finally:
        before.wait_stream(stream)
    return Captured(outputs, graph.replay, pool)


@lru_cache(maxsize=None)
def _side_stream(device: torch.device, stream: int) -> torch.cuda.Stream:
    """One for all graphs that run in a stream: libraries keep memory for each, which is then used by one at a time."""
    return torch.cuda.Stream(device)


def stream_of(device: torch.device) -> Optional[int]:
    """What tells the current stream of a GPU from others; `None` elsewhere."""
    return torch.cuda.current_stream(device).cuda_stream if device.type == "cuda" else None
