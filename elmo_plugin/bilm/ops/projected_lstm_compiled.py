"""
The recurrence of projected LSTM layers where nothing is kept for a way back, as a program of its own: a fast peer of
`projected_lstm` for processors with AVX2.

Torch has a call for each product and each small operation of a step, its threads meet in each, and its products with
few rows copy the weights before they multiply. `compiled/projected_lstm.c` reads them once a step, and a direction's
thread goes through all steps without waiting for anybody. Besides, a row's numbers are the same bits whatever rows are
beside it.

It is compiled where the package is installed and a C compiler with OpenMP is at hand (setup.py). Where it is not, or
the processor is another, `projected_lstm_reading` runs.
"""

import ctypes
import math
from functools import lru_cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any, List, Optional, Sequence, Union

import torch
from torch import Tensor

from elmo_plugin.bilm.ops.projected_lstm import Chain, ChainOutput

FILE_NAMES = [f"compiled/projected_lstm{suffix}" for suffix in EXTENSION_SUFFIXES]
# All as in the program.
VERSION, WIDTH, MAX_CHAINS = 1, 16, 8


class PanelMatrix:
    """
    Weights as the program reads them: panels of `WIDTH` columns of each of a step's gates.

    # Parameters

    weight : one that is of `float32` on a CPU. Shape: (out, in), `out` a multiple of `num_gates * WIDTH`
    num_gates : whose columns lie one behind the other in `weight`.
    dtype : `torch.float32`, or `torch.float16`, each weight rounded to it; sums are in `float32` in any case.
    """

    def __init__(self, weight: Tensor, num_gates: int = 1, dtype: torch.dtype = torch.float32) -> None:
        by_panel = weight.detach().to(dtype).view(num_gates, -1, WIDTH, weight.size(1))
        # Shape: (out / num_gates / WIDTH, num_gates, in, WIDTH)
        self.panels = by_panel.permute(1, 0, 3, 2).contiguous()


def in_panels(
    weight_recurrent: Tensor, weight_projection: Tensor, dtype: torch.dtype = torch.float32
) -> List[PanelMatrix]:
    """Both matrices of a chain, as `projected_lstms_compiled` takes them."""
    return [PanelMatrix(weight_recurrent, num_gates=4, dtype=dtype), PanelMatrix(weight_projection, dtype=dtype)]


def is_for(weight_projection: Tensor) -> bool:
    """Whether layers with such a projection, shape (projection_dim, cell_dim), can be run."""
    is_suited = weight_projection.device.type == "cpu" and weight_projection.dtype == torch.float32
    return is_suited and all(size % WIDTH == 0 for size in weight_projection.shape) and why_not() is None


def why_not() -> Optional[str]:
    """Why the program can't run here; `None` if it can."""
    found = _library()
    return found if isinstance(found, str) else None


def projected_lstms_compiled(
    chains: Sequence[Chain], rows_per_step: Sequence[int], cell_clip: Optional[float], projection_clip: Optional[float]
) -> List[ChainOutput]:
    """
    The values of `ops.projected_lstm.projected_lstms`; see there for the formula and the shapes. Weights may be
    `in_panels`, those of all chains in the same precision; else they are copied so.

    # Raises

    `RuntimeError` where the program can't run; `ValueError` for tensors that do not fit together, as it would read
    beyond them.
    """
    library = _library()
    if isinstance(library, str):
        raise RuntimeError(f"The compiled recurrence can't run: {library}")
    num_tokens, num_threads = sum(rows_per_step), torch.get_num_threads()
    results, described, kept = [], [], []
    for chain in chains:
        # Under autocast they may have fewer bits.
        gates = chain.input_gates.float().contiguous()
        hidden, memory = (state.float().clone(memory_format=torch.contiguous_format) for state in chain[1:3])
        recurrent, projection = _panels(chain)
        _check(rows_per_step, gates, hidden, memory, recurrent, projection)
        outputs, exposed = hidden.new_empty(num_tokens, hidden.size(1)), torch.empty_like(memory)
        at_work = memory.new_empty(num_threads, 4, len(memory), WIDTH)
        tensors = (gates, outputs, hidden, memory, recurrent, projection, exposed, at_work)
        described.append(_Chain(*(tensor.data_ptr() for tensor in tensors)))
        # Until the program has returned.
        kept.append(tensors)
        results.append(ChainOutput(outputs, hidden, memory))
    rows = (ctypes.c_int64 * len(rows_per_step))(*rows_per_step)
    clips = (math.inf if clip is None else clip for clip in (cell_clip, projection_clip))
    is_half = recurrent.dtype == torch.float16
    sizes = _Sizes(len(rows), *results[0].memory.shape, hidden.size(1), ctypes.addressof(rows), *clips, is_half)
    for start in range(0, len(described), MAX_CHAINS):
        some = described[start : start + MAX_CHAINS]
        library.elmo_projected_lstms(len(some), (_Chain * len(some))(*some), ctypes.byref(sizes), num_threads)
    return results


class _Chain(ctypes.Structure):
    """`struct chain` of the program."""

    _names = ("input_gates", "outputs", "hidden", "memory", "recurrent", "projection", "exposed", "gates")
    _fields_ = [(name, ctypes.c_void_p) for name in _names]


class _Sizes(ctypes.Structure):
    """`struct sizes` of the program."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("num_steps", "batch_size", "cell_dim", "projection_dim")),
        ("rows_per_step", ctypes.c_void_p),
        ("cell_clip", ctypes.c_float),
        ("projection_clip", ctypes.c_float),
        ("are_half", ctypes.c_int64),
    ]


def _panels(chain: Chain) -> List[Tensor]:
    if isinstance(chain.weight_recurrent, PanelMatrix):
        matrices = [chain.weight_recurrent, chain.weight_projection]
    else:
        matrices = in_panels(chain.weight_recurrent, chain.weight_projection)
    return [matrix.panels for matrix in matrices]


def _check(rows: Sequence[int], gates: Tensor, hidden: Tensor, memory: Tensor, recurrent: Tensor, projection: Tensor):
    (batch_size, dim), cell_dim = hidden.shape, memory.size(1)
    expected = [
        ("input_gates", gates, (sum(rows), 4 * cell_dim)),
        ("memory", memory, (batch_size, cell_dim)),
        ("weight_recurrent", recurrent, (cell_dim // WIDTH, 4, dim, WIDTH)),
        ("weight_projection", projection, (dim // WIDTH, 1, cell_dim, WIDTH)),
    ]
    for name, tensor, shape in expected:
        if tuple(tensor.shape) != shape:
            raise ValueError(f"`{name}` should have the shape {shape}, but it has {tuple(tensor.shape)}.")
    if rows and not 0 <= min(rows) <= max(rows) <= batch_size:
        raise ValueError(f"`rows_per_step` should be from 0 to {batch_size}, but it is {list(rows)}.")


@lru_cache(maxsize=None)
def _library() -> Union[Any, str]:
    """The program, or why there is none."""
    path = next((p for p in (Path(__file__).parent / name for name in FILE_NAMES) if p.is_file()), None)
    if path is None:
        return "it was not compiled when the package was installed, for want of a C compiler with OpenMP for x86."
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        return f"{path.name} can't be loaded: {error}."
    if library.elmo_version() != VERSION:
        return f"{path.name} was compiled from another version of the package; install it again."
    if not library.elmo_can_run():
        return "this processor has no AVX2, or no FMA."
    library.elmo_projected_lstms.restype = None
    library.elmo_projected_lstms.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int]
    return library
