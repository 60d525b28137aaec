"""
A moving average that goes on averaging the model after `--recover`.

AllenNLP (`training/moving_average.py` 47-50) saves the parameters beside their averages, and on loading keeps the saved
copies as if they were the model's.  From then on it averages copies that nobody trains, and validates and saves the
model without its average, silently.  That is as old as AllenNLP's moving average and no fault of the stack; it is
mended here because resuming would be wrong otherwise.
"""

from typing import Any, Dict

import torch
from allennlp.training.moving_average import MovingAverage


@torch.no_grad()
def _load_state_dict(self: MovingAverage, state_dict: Dict[str, Any]) -> None:
    """Copies the saved averages, and goes on with the parameters of the model at hand."""
    for name, _ in self._parameters:
        self._shadows[name].copy_(state_dict["shadows"][name])
        self._backups[name].copy_(state_dict["backups"][name])


def is_needed() -> bool:
    """Always: the mistake is AllenNLP's own, whatever is installed beside it."""
    return True


def apply() -> None:
    MovingAverage.load_state_dict = _load_state_dict
