"""`allennlp train --recover` that goes on as if nothing had happened."""

from typing import Any, Dict, List, Optional

from allennlp.common.checks import ConfigurationError
from allennlp.training import GradientDescentTrainer
from allennlp.training.callbacks import TrainerCallback

from elmo_plugin.data.data_loaders.stream import ElmoStreamLoader
from elmo_plugin.models.language_model import BidirectionalLanguageModel
from elmo_plugin.training.checkpointer import WholeCheckpointer
from elmo_plugin.training.random_states import random_states, seed_worker, set_random_states
from elmo_plugin.training.workers import (
    HasStateOfEachWorker,
    from_all_workers,
    number_of_workers,
    worker_number,
)


@TrainerCallback.register("elmo_resume")
class ResumeCallback(TrainerCallback, HasStateOfEachWorker):
    """
    Puts into checkpoints what AllenNLP leaves out: the states of the random generators, from which dropout and
    sampled softmax draw, the LSTMs' states of the training streams, and the scale of float16's gradients. A training of
    a biLM that was killed and is taken up by `--recover` then takes the same steps, bit for bit on a CPU, as one that
    was not. With `elmo_stream` the text that was read already is jumped over instead of read again. (AllenNLP's own
    loaders shuffle by the random generators, and read an epoch again in another order.)

    In distributed training each process gets random numbers of its own, and a checkpoint holds the states of all. It
    needs the checkpointer `elmo_whole` there, and as many processes after a crash as before.

    Registered as a `TrainerCallback` with name "elmo_resume".

    ```jsonnet
    { "type": "elmo_resume" }
    ```
    """

    _restored: Optional[Dict[str, Any]] = None
    _workers: List[Dict[str, Any]] = []

    def collect(self) -> None:
        self._workers = from_all_workers(self._state_of_this_worker())

    def state_dict(self) -> Dict[str, Any]:
        return {"workers": self._workers if number_of_workers() > 1 else [self._state_of_this_worker()]}

    def _state_of_this_worker(self) -> Dict[str, Any]:
        state: Dict[str, Any] = {"random": random_states(self.trainer.cuda_device)}
        if isinstance(self.trainer.model, BidirectionalLanguageModel):
            streams = self.trainer.model.training_state()
            state["streams"] = None if streams is None else [tensor.cpu() for tensor in streams]
        if self.trainer._scaler is not None:
            state["scaler"] = self.trainer._scaler.state_dict()
        return state

    def load_state_dict(self, state_dict: Dict[str, Any]) -> None:
        self._restored = state_dict

    def on_start(self, trainer: GradientDescentTrainer, is_primary: bool = True, **kwargs) -> None:
        """
        Called after a checkpoint was restored, before the first step.

        # Raises

        `ConfigurationError` where the checkpointer is another, or the number of processes was another.
        """
        super().on_start(trainer, is_primary, **kwargs)
        _check_checkpointer(trainer)
        if self._restored is None:
            seed_worker(worker_number())
            return
        states = self._restored["workers"]
        if len(states) != number_of_workers():
            raise ConfigurationError(
                f"The checkpoint was written by a training of {len(states)} process(es), each with its own streams of "
                f"text, but this one has {number_of_workers()}. Go on with as many as before."
            )
        self._restore(trainer, states[worker_number()])

    def _restore(self, trainer: GradientDescentTrainer, state: Dict[str, Any]) -> None:
        set_random_states(state["random"], trainer.cuda_device)
        if state.get("streams") is not None:
            trainer.model.set_training_state(state["streams"])
        if "scaler" in state and trainer._scaler is not None:
            trainer._scaler.load_state_dict(state["scaler"])
        if isinstance(trainer.data_loader, ElmoStreamLoader):
            groups = trainer._start_after_batches_in_epoch_completed
            trainer.data_loader.jump_to(
                trainer._start_after_epochs_completed, groups * trainer._num_gradient_accumulation_steps
            )


def _check_checkpointer(trainer: GradientDescentTrainer) -> None:
    checkpointer = trainer._checkpointer
    if number_of_workers() > 1 and checkpointer is not None and not isinstance(checkpointer, WholeCheckpointer):
        raise ConfigurationError(
            "In distributed training the callback elmo_resume needs the checkpointer elmo_whole, which puts the states "
            f"of all processes into a checkpoint, but the checkpointer is a {type(checkpointer).__name__}. Give the "
            f'trainer "checkpointer": {{"type": "elmo_whole"}}.'
        )
