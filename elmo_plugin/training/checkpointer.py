"""Checkpoints that are whole, or not there."""

import os
import time
from typing import Any, Dict, List, Optional, Set, Tuple

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.nn.util import device_mapping, dist_reduce_sum
from allennlp.training import Checkpointer, GradientDescentTrainer
from allennlp.training.trainer import TrainerCheckpoint

from elmo_plugin.training.whole_files import copy_whole, remove_partial_files, save_whole
from elmo_plugin.training.workers import (
    HasStateOfEachWorker,
    from_all_workers,
    is_first_of_its_machine,
    worker_number,
)

# Epochs completed, and batches of the next one.
Place = Tuple[int, int]
# In a training state: whether the model of this checkpoint is the best so far, which `best.th` should hold.
IS_BEST = "elmo_is_best"


@Checkpointer.register("elmo_whole")
class WholeCheckpointer(Checkpointer):
    """
    AllenNLP's checkpointer, but each file is written under another name and takes its own when it is complete and on
    the disk, the training state before the model. A process that is killed, or a disk that is full, leaves the last
    good checkpoint the last one; `--recover` never picks up half a file.

    Where AllenNLP's own is at fault:

    - It removes `best.th` before it links the new one. A process killed between the two has none, or has that of an
      epoch before; here `--recover` puts the right one in its place again.
    - When it removes the checkpoint of batch 12, those of 120 and 1200 go with it.
    - In distributed training it does not save by seconds; here the first worker's clock counts for all.
    - Several machines have a folder each, and it never removes anything on those but the first. A training that was
      killed while they wrote has a newer checkpoint on some than on others; it goes on from the last that all have.

    Registered as a `Checkpointer` with name "elmo_whole". Its arguments are those of AllenNLP's `Checkpointer`:

    ```jsonnet
    { "type": "elmo_whole", "save_every_num_batches": 1000, "keep_most_recent_by_count": 2 }
    ```
    """

    def __init__(self, serialization_dir: str, save_every_num_seconds: Optional[float] = None, **kwargs) -> None:
        super().__init__(serialization_dir, **kwargs)
        self._seconds = save_every_num_seconds

    def maybe_save_checkpoint(
        self, trainer: GradientDescentTrainer, num_epochs_completed: int, num_batches_in_epoch_completed: int
    ) -> bool:
        if self._seconds is not None:
            seconds = time.time() - self._last_save_time
            if dist_reduce_sum(seconds if worker_number() == 0 else 0.0) >= self._seconds:
                self.save_checkpoint(trainer)
                return True
        return super().maybe_save_checkpoint(trainer, num_epochs_completed, num_batches_in_epoch_completed)

    def save_checkpoint(self, trainer: GradientDescentTrainer) -> None:
        """
        # Raises

        `ConfigurationError`, in all processes, where the checkpoint can't be written, naming the file that could not.
        """
        for callback in trainer._callbacks:
            if isinstance(callback, HasStateOfEachWorker):
                callback.collect()
        state = trainer.get_checkpoint_state()
        failure = None
        if state is not None:
            state.trainer_state[IS_BEST] = _is_best(trainer, state.trainer_state)
            failure = self._write(state)
        for message in from_all_workers(failure):
            if message is not None:
                raise ConfigurationError(message)
        self._saved((trainer._epochs_completed, trainer._batches_in_epoch_completed))
        if state is not None:
            self._prune()

    def _write(self, state: TrainerCheckpoint) -> Optional[str]:
        """What went wrong, if anything."""
        place = (state.trainer_state["epochs_completed"], state.trainer_state["batches_in_epoch_completed"])
        path = self._training_state_path(*place)
        try:
            save_whole(state.trainer_state, path)
            # A checkpoint is found by its model state: it comes last.
            path = self._model_state_path(*place)
            save_whole(state.model_state, path)
        except (OSError, RuntimeError) as error:
            return (
                f"The checkpoint {path} can't be written ({error}). The one before it is whole: make room or mend the "
                f"cause, and go on with --recover."
            )
        return None

    def _saved(self, place: Place) -> None:
        self._last_save_time = time.time()
        self._last_save_num_epochs_completed, self._last_save_num_batches_in_epoch_completed = place

    def _prune(self) -> None:
        """Removes the files of all checkpoints but those to keep, and what is left of a removal that was cut short."""
        if self._keep_most_recent_by_count is None and self._keep_most_recent_by_age is None:
            return
        places = sorted(self._find_all_checkpoints(), reverse=True)
        keep: Set[Place] = set()
        if self._keep_most_recent_by_count is not None:
            keep |= set(places[: self._keep_most_recent_by_count])
        if self._keep_most_recent_by_age is not None:
            oldest = time.time() - self._keep_most_recent_by_age
            keep |= {place for place in places if os.path.getmtime(self._model_state_path(*place)) >= oldest}
        for name in os.listdir(self._serialization_dir):
            place = self._parse_model_state_path(name) or self._parse_training_state_path(name)
            if place is not None and place not in keep:
                _remove(os.path.join(self._serialization_dir, name))

    def load_checkpoint(self) -> Optional[TrainerCheckpoint]:
        """
        The last checkpoint that all machines have, `None` where none has any.

        # Raises

        `ConfigurationError` where some have one and others don't.
        """
        remove_partial_files(self._serialization_dir)
        found = from_all_workers(self._find_all_checkpoints())
        common: Set[Place] = set.intersection(*found)
        if not common:
            self._check_that_all_are_empty(found)
            return None
        place = max(common)
        model_state, training_state = (
            torch.load(path, map_location=device_mapping(-1))
            for path in (self._model_state_path(*place), self._training_state_path(*place))
        )
        self._saved(place)
        if training_state.get(IS_BEST, False) and not self.state_is_sharded:
            self._restore_best(place, model_state, training_state)
        return TrainerCheckpoint(model_state, training_state)

    def _check_that_all_are_empty(self, found: List[Set[Place]]) -> None:
        without = [number for number, places in enumerate(found) if not places]
        if len(without) < len(found):
            raise ConfigurationError(
                f"Of the {len(found)} processes, number {', '.join(map(str, without)) or 'none'} found no checkpoint "
                f"in its serialization directory (here {self._serialization_dir}), and there is none that all have. "
                "Copy the files model_state_*.th and training_state_*.th of one machine to the others, and go on with "
                "--recover."
            )

    def _restore_best(self, place: Place, model_state: Dict[str, Any], training_state: Dict[str, Any]) -> None:
        """`best.th` as it is after this checkpoint, whatever became of it."""
        best = os.path.join(self._serialization_dir, "best.th")
        training_state["best_model_filename"] = best
        if not is_first_of_its_machine():
            return
        average = training_state.get("moving_average")
        if average is None:
            copy_whole(self._model_state_path(*place), best)
        else:
            averages = {name.removeprefix("module."): tensor for name, tensor in average["shadows"].items()}
            save_whole({**model_state, **averages}, best)


def _is_best(trainer: GradientDescentTrainer, training_state: Dict[str, Any]) -> bool:
    """Whether AllenNLP is about to make this checkpoint's model its `best.th`."""
    ends_an_epoch = training_state["batches_in_epoch_completed"] == 0
    return ends_an_epoch and trainer._should_validate_this_epoch and trainer._metric_tracker.is_best_so_far()


def _remove(path: str) -> None:
    """Another machine that shares the folder may have been quicker."""
    try:
        os.remove(path)
    except FileNotFoundError:
        pass
