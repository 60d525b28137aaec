"""
Automatic mixed precision by `torch.amp` instead of `torch.cuda.amp`.

torch 2.4 deprecated `torch.cuda.amp.autocast` and `GradScaler` for `torch.amp` with a device type.  AllenNLP enters the
former for every batch, `use_amp` or not (`training/gradient_descent_trainer.py` 509 and 689), and so warns for every
batch; its scalers (`training/gradient_descent_trainer.py` 326, `nn/parallel/ddp_accelerator.py` 76) warn once.  The
name `amp` is replaced in both modules.  What is computed stays the same: float16 on CUDA, the loss scaled.
"""

from types import SimpleNamespace

import torch
from allennlp.nn.parallel import ddp_accelerator
from allennlp.training import gradient_descent_trainer


def autocast(enabled: bool = True) -> torch.amp.autocast:
    """`torch.cuda.amp.autocast(enabled)` under its present name."""
    return torch.amp.autocast("cuda", dtype=torch.float16, enabled=enabled)


def grad_scaler() -> "torch.amp.GradScaler":
    """`torch.cuda.amp.GradScaler()` under its present name."""
    return torch.amp.GradScaler("cuda")


_AMP = SimpleNamespace(autocast=autocast, GradScaler=grad_scaler)


def is_needed() -> bool:
    """Whether this torch has the scaler that names its device, which came with the deprecation."""
    return hasattr(torch.amp, "GradScaler")


def apply() -> None:
    gradient_descent_trainer.amp = _AMP
    ddp_accelerator.amp = _AMP
