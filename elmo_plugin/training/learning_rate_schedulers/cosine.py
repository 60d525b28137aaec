"""Warm-up, then half a cosine down to (nearly) nothing."""

import math
from typing import List, Optional

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.training.learning_rate_schedulers import LearningRateScheduler, PolynomialDecay


@LearningRateScheduler.register("elmo_cosine")
class CosineWithWarmup(PolynomialDecay):
    """
    The rate of step t of T, the optimizer's `lr` times

        t / warmup_steps                                    up to `warmup_steps`,
        f + (1 - f) * (1 + cos(π (t - warmup_steps) / (T - warmup_steps))) / 2   from there on

    with f = `final_fraction` (Loshchilov and Hutter 2017, without restarts). AllenNLP's `cosine` changes the rate once
    an epoch and has no warm-up; a biLM often trains for one epoch.

    T comes from the data loader, which knows its steps before the first one, and from the trainer's `num_epochs`.

    Registered as a `LearningRateScheduler` with name "elmo_cosine".

    ```jsonnet
    { "type": "elmo_cosine", "warmup_steps": 200 }
    ```

    # Parameters

    optimizer : `torch.optim.Optimizer`
        Not part of the configuration, like the next two.
    num_epochs : `int`
        Of the whole training.
    num_steps_per_epoch : `int`
        Updates of the weights: fewer than windows where gradients are accumulated.
    warmup_steps : `int`, optional (default = `100`)
        Steps in which the rate rises from nothing to `lr`.
    final_fraction : `float`, optional (default = `0.0`)
        What is left of the rate at the end.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        num_epochs: int,
        num_steps_per_epoch: Optional[int],
        warmup_steps: int = 100,
        final_fraction: float = 0.0,
    ) -> None:
        if not 0.0 <= final_fraction <= 1.0:
            raise ConfigurationError(f"`final_fraction` must be from 0 to 1, but it is {final_fraction}.")
        if num_steps_per_epoch is None:
            raise ConfigurationError(
                "The scheduler elmo_cosine must know how many steps an epoch has, but this data loader does not say. "
                "Give the loader its length (elmo_stream has one), or another scheduler."
            )
        if not 0 <= warmup_steps < num_epochs * num_steps_per_epoch:
            raise ConfigurationError(
                f"`warmup_steps` must be from 0 to {num_epochs * num_steps_per_epoch - 1}, less than the steps of the "
                f"whole training ({num_epochs} epochs of {num_steps_per_epoch}), but it is {warmup_steps}."
            )
        self.final_fraction = final_fraction
        super().__init__(optimizer, num_epochs, num_steps_per_epoch, warmup_steps=warmup_steps)

    def get_values(self) -> List[float]:
        """The rates of step `self.steps`, one for each group of parameters."""
        if self.steps < self.warmup_steps:
            factor = self.steps / self.warmup_steps
        else:
            progress = min(1.0, (self.steps - self.warmup_steps) / (self.total_steps - self.warmup_steps))
            factor = self.final_fraction + (1.0 - self.final_fraction) * (1.0 + math.cos(math.pi * progress)) / 2.0
        return [factor * value for value in self.base_values]
