"""Gradients for the drawn rows of the softmax only, wherever that changes nothing but the time."""

import logging

import torch
from allennlp.training import GradientDescentTrainer
from allennlp.training.callbacks import TrainerCallback

from elmo_plugin.models.language_model import BidirectionalLanguageModel

logger = logging.getLogger(__name__)


@TrainerCallback.register("elmo_sparse_softmax")
class SparseSoftmaxCallback(TrainerCallback):
    """
    Turns on the language model's `sparse_softmax` where

    - it trains with a sample (`num_samples`): otherwise every row has a gradient;
    - the optimizer's step with sparse gradients is its step with dense ones: Adagrad and SGD without weight decay
      and momentum. (Adam and its kin move rows that have no gradient, too);
    - it trains on a CPU, in one process.

    A step then touches only the rows of drawn words and targets, in gradient, clipping and update, so that its time
    does not grow with the vocabulary. Where most words are drawn it can be slower by a few per cent
    (`docs/training.md`, "Large vocabularies").
    Elsewhere nothing happens; the model's own `sparse_softmax: true` can still be said.

    Registered as a `TrainerCallback` with name "elmo_sparse_softmax".

    ```jsonnet
    { "type": "elmo_sparse_softmax" }
    ```
    """

    def on_start(self, trainer: GradientDescentTrainer, is_primary: bool = True, **kwargs) -> None:
        super().on_start(trainer, is_primary, **kwargs)
        model = trainer.model
        if not isinstance(model, BidirectionalLanguageModel) or model.num_samples is None:
            return
        if trainer._distributed or trainer.cuda_device.type != "cpu" or not steps_are_the_same(trainer.optimizer):
            return
        model.language_model.softmax.sparse = True
        # The default of torch, said aloud: else Adagrad's step warns of it.
        torch.sparse.check_sparse_tensor_invariants.disable()
        logger.info("The softmax gets gradients for the drawn words and the targets only.")


def steps_are_the_same(optimizer: torch.optim.Optimizer) -> bool:
    """Whether rows without a gradient stay as they are, in the optimizer's state too, and it takes sparse gradients."""
    if not isinstance(optimizer, (torch.optim.Adagrad, torch.optim.SGD)):
        return False
    changing = ("weight_decay", "momentum", "fused")
    return not any(group.get(name) for group in optimizer.param_groups for name in changing)
