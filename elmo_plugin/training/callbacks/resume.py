"""`allennlp train --recover` that goes on as if nothing had happened."""

import random
from typing import Any, Dict, Optional

import numpy
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.training import GradientDescentTrainer
from allennlp.training.callbacks import TrainerCallback

from elmo_plugin.data.data_loaders.stream import ElmoStreamLoader
from elmo_plugin.models.language_model import BidirectionalLanguageModel


@TrainerCallback.register("elmo_resume")
class ResumeCallback(TrainerCallback):
    """
    Puts into checkpoints what AllenNLP leaves out: the states of the random generators, from which dropout and
    sampled softmax draw, and the LSTMs' states of the training streams. A training that was killed and is taken up by
    `--recover` then takes the same steps, bit for bit on a CPU, as one that was not. With `elmo_stream` the text that
    was read already is jumped over instead of read again.

    In distributed training only the first worker writes checkpoints, so only its states are kept; resuming there is
    refused rather than inexact.

    Registered as a `TrainerCallback` with name "elmo_resume".

    ```jsonnet
    { "type": "elmo_resume" }
    ```
    """

    _restored: Optional[Dict[str, Any]] = None

    def state_dict(self) -> Dict[str, Any]:
        state = {"random": _random_states()}
        model = getattr(self.trainer.model, "module", self.trainer.model)
        if isinstance(model, BidirectionalLanguageModel):
            state["streams"] = model.training_state()
        return state

    def load_state_dict(self, state_dict: Dict[str, Any]) -> None:
        self._restored = state_dict

    def on_start(self, trainer: GradientDescentTrainer, is_primary: bool = True, **kwargs) -> None:
        """Called after a checkpoint was restored, before the first step."""
        super().on_start(trainer, is_primary, **kwargs)
        if self._restored is None:
            return
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            raise ConfigurationError(
                "The callback elmo_resume can't take up distributed training exactly: the checkpoint holds the states of "
                "one worker alone. Remove the callback to go on with new streams, or train in one process."
            )
        _set_random_states(self._restored["random"])
        if self._restored.get("streams") is not None:
            trainer.model.set_training_state(self._restored["streams"])
        if isinstance(trainer.data_loader, ElmoStreamLoader):
            groups = trainer._start_after_batches_in_epoch_completed
            trainer.data_loader.jump_to(
                trainer._start_after_epochs_completed, groups * trainer._num_gradient_accumulation_steps
            )


def _random_states() -> Dict[str, Any]:
    """In types that torch's safe loading takes."""
    _, numbers, position, has_gauss, gauss = numpy.random.get_state()
    states = {
        "python": random.getstate(),
        "numpy": [numbers.tolist(), position, has_gauss, gauss],
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def _set_random_states(states: Dict[str, Any]) -> None:
    random.setstate(states["python"])
    numbers, position, has_gauss, gauss = states["numpy"]
    numpy.random.set_state(("MT19937", numpy.array(numbers, dtype=numpy.uint32), position, has_gauss, gauss))
    torch.set_rng_state(states["torch"].cpu())
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state_all([state.cpu() for state in states["cuda"]])
