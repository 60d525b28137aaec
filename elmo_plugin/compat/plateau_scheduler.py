"""
`reduce_on_plateau` on a torch whose `ReduceLROnPlateau` has no `verbose`.

AllenNLP (`training/learning_rate_schedulers/pytorch_lr_schedulers.py` 216) always passes `verbose`, which torch has
deprecated and then removed (torch 2.11 has it no more), so that the scheduler cannot be built at all.  The constructor
is replaced on AllenNLP's class: a new class registered under the old name would leave direct imports broken.
"""

import inspect
import logging
from typing import List, Optional, Union

from allennlp.training.learning_rate_schedulers import learning_rate_scheduler
from allennlp.training.learning_rate_schedulers import pytorch_lr_schedulers
from allennlp.training.optimizers import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

logger = logging.getLogger(__name__)


class _VerboseReduceLROnPlateau(ReduceLROnPlateau):
    """Says what `verbose` used to say: the learning rates that a step has changed."""

    def step(self, metrics: float, epoch: Optional[int] = None) -> None:
        before = [group["lr"] for group in self.optimizer.param_groups]
        super().step(metrics, epoch)
        for index, (old, group) in enumerate(zip(before, self.optimizer.param_groups)):
            if group["lr"] != old:
                logger.info("Learning rate of parameter group %d reduced from %g to %g", index, old, group["lr"])


def _init(
    self,
    optimizer: Optimizer,
    mode: str = "min",
    factor: float = 0.1,
    patience: int = 10,
    verbose: bool = False,
    threshold_mode: str = "rel",
    threshold: float = 1e-4,
    cooldown: int = 0,
    min_lr: Union[float, List[float]] = 0,
    eps: float = 1e-8,
) -> None:
    scheduler_class = _VerboseReduceLROnPlateau if verbose else ReduceLROnPlateau
    lr_scheduler = scheduler_class(
        optimizer,
        mode=mode,
        factor=factor,
        patience=patience,
        threshold=threshold,
        threshold_mode=threshold_mode,
        cooldown=cooldown,
        min_lr=min_lr,
        eps=eps,
    )
    learning_rate_scheduler._PyTorchLearningRateSchedulerWithMetricsWrapper.__init__(self, lr_scheduler)


def is_needed() -> bool:
    """Whether this torch's scheduler takes no `verbose`."""
    return "verbose" not in inspect.signature(ReduceLROnPlateau).parameters


def apply() -> None:
    pytorch_lr_schedulers.ReduceOnPlateauLearningRateScheduler.__init__ = _init
