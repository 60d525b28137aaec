"""
Which implementation of a hot operation runs: the plain definition, or its fast peer where there is one for the device.

The peers have no behaviour of their own, so nobody has to know which one ran. Tests and measurements force one:

    with forced("plain"):
        layers, state = lstm(inputs, state)

Who needs a row's numbers to be the same bits whatever rows are beside it forces `"fixed"` (`fixed_rows.py`).

The choice is made when an operation runs forward; its gradients follow.
"""

from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from importlib.util import find_spec
from typing import Callable, ContextManager, Iterator, List, Optional, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from elmo_plugin.bilm.ops import char_convolutions as plain_convolutions
from elmo_plugin.bilm.ops import char_convolutions_compiled as compiled_convolutions
from elmo_plugin.bilm.ops import linear_compiled as compiled_linear
from elmo_plugin.bilm.ops import projected_lstm as plain_lstm
from elmo_plugin.bilm.ops import projected_lstm_compiled as compiled_lstm
from elmo_plugin.bilm.ops import sampled_softmax as plain_softmax
from elmo_plugin.bilm.ops.char_convolutions_blocked import char_convolutions_blocked
from elmo_plugin.bilm.ops.char_convolutions_learning import char_convolutions_learning
from elmo_plugin.bilm.ops.compiled_program import PanelMatrix
from elmo_plugin.bilm.ops.fixed_rows import char_convolutions_fixed, in_blocks, linear_fixed, projected_lstms_fixed
from elmo_plugin.bilm.ops.projected_lstm import Chain, ChainOutput, Inputs, Recurrence
from elmo_plugin.bilm.ops.projected_lstm_buffered import projected_lstms_buffered
from elmo_plugin.bilm.ops.projected_lstm_compiled import projected_lstms_compiled
from elmo_plugin.bilm.ops.projected_lstm_learning import projected_lstms_learning
from elmo_plugin.bilm.ops.projected_lstm_reading import projected_lstms_reading
from elmo_plugin.bilm.ops.projected_lstm_trial import kernels_run
from elmo_plugin.bilm.ops.sampled_softmax_inplace import log_sum_over_sample_inplace

IMPLEMENTATIONS = ("plain", "fast")
# Without gradients.
FIXED = "fixed"

# From some more rows on the library's products with the weight itself are as fast.
ROWS_FOR_PANELS = 512

Convolutions = Callable[[Tensor, Tensor, Sequence[Tensor], Sequence[Tensor]], Tensor]

_forced: ContextVar[Optional[str]] = ContextVar("forced", default=None)


@contextmanager
def forced(implementation: str) -> Iterator[None]:
    """
    Inside the context (and this thread) every operation runs as `"plain"`, `"fast"` or `"fixed"`, wherever its tensors
    are; as `"plain"` where it has no such peer. `"fast"` is by torch's operations alone, so neither Triton's kernels
    nor the program in C run. Weights that were packed or laid out before (`packing`) stay so.

    # Raises

    `ValueError` for another name.
    """
    if implementation not in (*IMPLEMENTATIONS, FIXED):
        names = (*IMPLEMENTATIONS, FIXED)
        raise ValueError(f"The implementation must be one of {names}, but it is {implementation!r}.")
    token = _forced.set(implementation)
    try:
        yield
    finally:
        _forced.reset(token)


def with_fixed_rows(wanted: bool) -> ContextManager[None]:
    """`forced("fixed")` where it is wanted."""
    return forced(FIXED) if wanted else nullcontext()


def is_fast(*tensors: Tensor) -> bool:
    """Whether the fast peer is to run: as forced, else on a CPU, where all is in one precision of 32 or 64 bits."""
    implementation = _forced.get()
    if implementation is not None:
        return implementation == "fast"
    dtype = tensors[0].dtype
    if dtype not in (torch.float32, torch.float64) or torch.is_autocast_enabled("cpu"):
        return False
    return all(tensor.device.type == "cpu" and tensor.dtype == dtype for tensor in tensors)


def has_own_kernels(device: torch.device, state: torch.dtype) -> bool:
    """
    Whether the recurrence is to run in kernels of its own (`ops.projected_lstm_triton`), if they run
    (`ops.projected_lstm_trial`): on a GPU where Triton is installed, with a state in float32, and unless an
    implementation is forced.
    """
    is_for_them = _forced.get() is None and device.type == "cuda" and state == torch.float32
    return is_for_them and find_spec("triton") is not None


def is_compiled(weight_projection: Tensor) -> bool:
    """
    Whether the recurrence of a layer with such a projection, shape (projection_dim, cell_dim), is to run in the program
    in C (`ops.projected_lstm_compiled` where it only reads, `ops.projected_lstm_learning` where something is learned):
    where that can, and unless `"plain"` or `"fast"` is forced.
    """
    return _forced.get() in (None, FIXED) and compiled_lstm.is_for(weight_projection)


def is_fixed() -> bool:
    """Whether `"fixed"` is forced."""
    return _forced.get() == FIXED


def of_rows(function: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
    """`function(rows)`, for a function of each row by itself."""
    return in_blocks(function, rows) if is_fixed() and len(rows) > 0 else function(rows)


def linear(inputs: Tensor, weight: Tensor, bias: Tensor, laid_out: Optional[PanelMatrix] = None) -> Tensor:
    """
    `x weightᵀ + bias` of each row x. Shapes: (any number, in), (out, in), (out,) to (any number, out)

    laid_out : the same weight for `linear_compiled`, which runs where it is given and rows are few, unless `"plain"` or
        `"fast"` is forced or autocast is on; where `"fixed"` is forced, for any rows.
    """
    if laid_out is not None and (is_fixed() or _takes_panels(len(inputs))):
        return compiled_linear.linear_compiled(inputs, laid_out, bias)
    return linear_fixed(inputs, weight, bias) if is_fixed() else functional.linear(inputs, weight, bias)


def _takes_panels(num_rows: int) -> bool:
    return _forced.get() is None and num_rows <= ROWS_FOR_PANELS and not torch.is_autocast_enabled("cpu")


def in_panels_for_linear(weight: Tensor, dtype: torch.dtype = torch.float32) -> Optional[PanelMatrix]:
    """What `linear` takes as `laid_out`; `None` where that can't run."""
    return PanelMatrix(weight, dtype=dtype) if compiled_linear.is_for(weight) else None


def projected_lstms(
    chains: Sequence[Chain], rows_per_step: Sequence[int], cell_clip: Optional[float], projection_clip: Optional[float]
) -> List[ChainOutput]:
    """
    The recurrence of one layer in each direction; see `ops.projected_lstm` for the formula and the shapes. The input
    gates are `Inputs`.
    """
    recurrence, inputs = _recurrence_of(chains), chains[0].input_gates
    if isinstance(inputs, Inputs):
        take_inputs = (
            projected_lstms_reading,
            projected_lstms_buffered,
            projected_lstms_learning,
            projected_lstms_compiled,
        )
        takes_inputs = recurrence in take_inputs and not is_fixed()
        if not takes_inputs and isinstance(inputs.weight, Tensor):
            chains = [chain._replace(input_gates=linear(*chain.input_gates)) for chain in chains]
    return recurrence(chains, rows_per_step, cell_clip, projection_clip)


def _recurrence_of(chains: Sequence[Chain]) -> Recurrence:
    weight_projection = chains[0].weight_projection
    if isinstance(weight_projection, PanelMatrix):
        return projected_lstms_compiled
    if not isinstance(weight_projection, Tensor):
        return projected_lstms_reading
    may_compile = is_compiled(weight_projection)
    if is_fixed():
        return projected_lstms_compiled if may_compile else projected_lstms_fixed
    if has_own_kernels(chains[0].memory.device, chains[0].memory.dtype):
        # Triton is not everywhere, and takes a while to import.
        from elmo_plugin.bilm.ops.projected_lstm_triton import dtype_of_products, projected_lstms_triton

        if kernels_run(chains[0].memory.device, dtype_of_products(chains[0])):
            return projected_lstms_triton
    tensors = [tensor for inputs, *others in chains for tensor in (*inputs, *others)]
    if not is_fast(*tensors):
        return plain_lstm.projected_lstms
    if _keeps_gradients(tensors):
        return projected_lstms_learning if may_compile else projected_lstms_buffered
    return projected_lstms_compiled if may_compile else projected_lstms_reading


def _keeps_gradients(tensors: Sequence[Tensor]) -> bool:
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


def char_convolutions(
    characters: Tensor, embedding: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor]
) -> Tensor:
    """The convolutions over characters; see `ops.char_convolutions` for the formula and the shapes."""
    convolutions = _convolutions_of([embedding, *weights, *biases], compiled_convolutions.is_for(embedding, weights))
    return convolutions(characters, embedding, weights, biases)


def _convolutions_of(tensors: Sequence[Tensor], may_compile: bool) -> Convolutions:
    if is_fixed():
        return compiled_convolutions.char_convolutions_compiled if may_compile else char_convolutions_fixed
    if not is_fast(*tensors):
        return plain_convolutions.char_convolutions
    if not may_compile or _forced.get() is not None:
        return char_convolutions_blocked
    return char_convolutions_learning if _keeps_gradients(tensors) else compiled_convolutions.char_convolutions_compiled


def log_sum_over_sample(vectors: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, sampled: Tensor) -> Tensor:
    """The sum over the sample in a sampled softmax; see `ops.sampled_softmax` for the formula and the shapes."""
    log_sum = log_sum_over_sample_inplace if is_fast(vectors, weight, bias) else plain_softmax.log_sum_over_sample
    return log_sum(vectors, weight, bias, targets, sampled)
