"""
Training states that hold NumPy values, loaded under `weights_only=True`.

torch 2.6 made `weights_only=True` the default of `torch.load`, which then refuses every class it does not know.
AllenNLP (`training/checkpointer.py` 289) loads its training state that way, and NumPy values are common there: the
`cosine` scheduler's learning rates (`np.cos`), metrics, a random state kept by a callback.  Resuming fails.

The safety stays on.  NumPy's number, string and time types are added to what torch may load, under the module names
that NumPy 1 and NumPy 2 pickle them by, so that a checkpoint survives an upgrade.  Object and structured types are
left out: they can hold anything, so no pickle may set their state.

The other `torch.load` calls (model weights, archives, the `pretrained` initializer) load tensors only and need nothing.
"""

from typing import Any, List

import numpy as np
import torch

_DTYPE_CODES = "?" + np.typecodes["AllInteger"] + np.typecodes["AllFloat"] + "SUMm"


def _safe_globals() -> List[Any]:
    """What `add_safe_globals` takes: classes, and pairs of a function and the name that pickles know it by."""
    functions = {"scalar": np.float64(0).__reduce__()[0], "_reconstruct": np.zeros(0).__reduce__()[0]}
    named = [
        (function, f"{package}.multiarray.{name}")
        for name, function in functions.items()
        for package in ("numpy.core", "numpy._core")
    ]
    dtype_classes = {type(np.dtype(code)) for code in _DTYPE_CODES}
    return [np.ndarray, np.dtype, *dtype_classes, *named]


def is_needed() -> bool:
    """Whether `torch.load` still refuses one of these types."""
    return not set(_safe_globals()).issubset(torch.serialization.get_safe_globals())


def apply() -> None:
    torch.serialization.add_safe_globals(_safe_globals())
