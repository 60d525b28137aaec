"""Checkpoints that are whole, or not there."""

import os
from pathlib import Path
from typing import Any

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.training import Checkpointer, Trainer


@Checkpointer.register("elmo_whole")
class WholeCheckpointer(Checkpointer):
    """
    AllenNLP's checkpointer, but each file is written under another name and takes its own when it is complete and on
    the disk, the training state before the model. A process that is killed, or a disk that is full, leaves the last
    good checkpoint the last one; `--recover` never picks up half a file.

    Registered as a `Checkpointer` with name "elmo_whole". Its arguments are those of AllenNLP's `Checkpointer`:

    ```jsonnet
    { "type": "elmo_whole", "save_every_num_batches": 1000, "keep_most_recent_by_count": 2 }
    ```
    """

    def save_checkpoint(self, trainer: Trainer) -> None:
        """
        # Raises

        `ConfigurationError` where the checkpoint can't be written, naming the file that could not.
        """
        state = trainer.get_checkpoint_state() if self._serialization_dir is not None else None
        if state is not None:
            place = (state.trainer_state["epochs_completed"], state.trainer_state["batches_in_epoch_completed"])
            _save_whole(state.trainer_state, self._training_state_path(*place))
            # A checkpoint is found by its model state: it comes last.
            _save_whole(state.model_state, self._model_state_path(*place))
        super().save_checkpoint(trainer)


def _save_whole(content: Any, path: str) -> None:
    partial = Path(f"{path}.partial")
    try:
        with partial.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except (OSError, RuntimeError) as error:
        partial.unlink(missing_ok=True)
        raise ConfigurationError(
            f"The checkpoint {path} can't be written ({error}). The one before it is whole: make room or mend the cause, "
            f"and go on with --recover."
        ) from error
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
