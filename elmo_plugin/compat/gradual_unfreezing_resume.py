"""
Gradual unfreezing that goes on after `--recover` where it was.

AllenNLP's `slanted_triangular` scheduler (`training/learning_rate_schedulers/slanted_triangular.py` 125) freezes all
groups of parameters but the last when it is built, and unfreezes one more at the end of each epoch. What is frozen is
no part of its state, so that a training taken up in a later epoch trains that epoch with everything frozen again,
silently.  No fault of the stack; it is mended here because fine-tuning a biLM would be wrong otherwise.
"""

from typing import Any, Dict

from allennlp.training.learning_rate_schedulers import SlantedTriangular
from allennlp.training.scheduler import Scheduler


def _load_state_dict(self: SlantedTriangular, state_dict: Dict[str, Any]) -> None:
    """Restores the numbers, then freezes what is frozen in their epoch: group i from the end opens in epoch i - 1."""
    Scheduler.load_state_dict(self, state_dict)
    if not self.gradual_unfreezing:
        return
    for i, group in enumerate(reversed(self.optimizer.param_groups)):
        for parameter in group["params"]:
            parameter.requires_grad = i <= self.last_epoch + 1


def is_needed() -> bool:
    """Always: the mistake is AllenNLP's own, whatever is installed beside it."""
    return True


def apply() -> None:
    SlantedTriangular.load_state_dict = _load_state_dict
