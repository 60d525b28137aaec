"""
`evaluate_on_test` in distributed training, refused before it can hang.

AllenNLP (`commands/train.py` 583) evaluates in the first process alone when the training is done.  Metrics over all
workers then wait for others that have gone, before the archive is written; and the loader gives that worker's share of
the data.
"""

from typing import Any, Dict

from allennlp.commands.train import TrainModel
from allennlp.common.checks import ConfigurationError
from allennlp.common.util import is_distributed

_run = TrainModel.run


def _checked_run(self: TrainModel) -> Dict[str, Any]:
    if is_distributed() and self.evaluate_on_test and self.evaluation_data_loader is not None:
        raise ConfigurationError(
            "In distributed training AllenNLP would evaluate on the test data in one process, which waits for the "
            "others for ever. Set `evaluate_on_test` to false, and run `allennlp evaluate` on the archive when the "
            "training is done."
        )
    return _run(self)


def is_needed() -> bool:
    """Always: the fault is AllenNLP's own, whatever is installed beside it."""
    return True


def apply() -> None:
    TrainModel.run = _checked_run
