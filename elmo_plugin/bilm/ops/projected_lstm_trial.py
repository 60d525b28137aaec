"""
Whether the recurrence in Triton's kernels runs on a GPU, found out by a few numbers before it is relied on.

Triton compiles where it runs. That needs more than the package: a C compiler, a driver that is new enough, a GPU that
knows the precision. Where something is missing the plain recurrence runs, and what is missing is told, once.
"""

import logging
from functools import lru_cache
from typing import List, Optional

import torch
from torch import Tensor

from elmo_plugin.bilm.ops.projected_lstm import Chain, Recurrence, projected_lstms
from elmo_plugin.bilm.out_of_memory import ran_out_of_memory

logger = logging.getLogger(__name__)

# Of numbers about 1. What differs is rounding, at most that of bfloat16 in a product.
TOLERANCE = 0.05
# Rows of each step, and widths.
_ROWS, _CELL_DIM, _DIM = [3, 2], 32, 16


@lru_cache(maxsize=None)
def kernels_run(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether they run there, with products in that precision; where not, it is logged why."""
    reason = why_not(device, dtype)
    if reason is not None:
        logger.warning(
            "The LSTMs' kernels do not run on %s in %s, so the plain recurrence does, which takes longer. %s",
            device, dtype, reason,
        )
    return reason is None


def why_not(device: torch.device, dtype: torch.dtype) -> Optional[str]:
    """
    Why they do not run there; `None` if they do. Draws no random numbers.

    # Raises

    Where memory runs out, which says nothing about the kernels.
    """
    try:
        from elmo_plugin.bilm.ops.projected_lstm_triton import projected_lstms_triton

        with torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32):
            expected, found = (_values_and_gradients(run, device) for run in (projected_lstms, projected_lstms_triton))
        # Waits for the GPU: an error in a kernel is raised here.
        errors = [float((one - other).abs().max()) for one, other in zip(found, expected)]
    except Exception as error:  # Of Triton, of the compiler that it calls or of the driver.
        if ran_out_of_memory(error):
            raise
        return f"{type(error).__name__}: {error}"
    wrong = [error for error in errors if not error <= TOLERANCE]
    if wrong:
        return f"Their numbers differ from the plain recurrence's, by {wrong[0]:.2g} somewhere; please report this."
    return None


def _values_and_gradients(recurrence: Recurrence, device: torch.device) -> List[Tensor]:
    sizes = [(sum(_ROWS), 4 * _CELL_DIM), (max(_ROWS), _DIM), (max(_ROWS), _CELL_DIM)]
    sizes += [(4 * _CELL_DIM, _DIM), (_DIM, _CELL_DIM)]
    with torch.inference_mode(False):
        chain = Chain(*(_numbers(rows, columns).to(device).requires_grad_() for rows, columns in sizes))
        with torch.no_grad():
            (read,) = recurrence([chain], _ROWS, 3.0, 3.0)
        with torch.enable_grad():
            (output,) = recurrence([chain], _ROWS, 3.0, 3.0)
            total = sum((tensor.float() * _numbers(*tensor.shape).to(device)).sum() for tensor in output)
            return [tensor.detach().float() for tensor in (*read, *output, *torch.autograd.grad(total, chain))]


def _numbers(rows: int, columns: int) -> Tensor:
    """Some between -0.5 and 0.5."""
    return (0.5 * torch.sin(torch.arange(1.0, rows * columns + 1))).view(rows, columns)
