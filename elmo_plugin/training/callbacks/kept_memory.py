"""Steps on a CPU that reuse the memory of the steps before."""

import logging

from allennlp.training import GradientDescentTrainer
from allennlp.training.callbacks import TrainerCallback

from elmo_plugin.kept_memory import give_back_memory, keep_memory

logger = logging.getLogger(__name__)


@TrainerCallback.register("elmo_kept_memory")
class KeptMemoryCallback(TrainerCallback):
    """
    Keeps the memory that a training on a CPU frees for its next steps, to the training's end, in each of its processes.
    Else glibc gives large tensors back to the system in every step, and has them mapped and filled with zeros in the
    next one (`docs/training.md`, "Memory between steps"). Losses and weights are the same.

    On a GPU nothing happens, nor without glibc, nor where the environment says how memory is allocated
    (`MALLOC_TRIM_THRESHOLD_`, `MALLOC_MMAP_MAX_`, `MALLOC_MMAP_THRESHOLD_`, `glibc.malloc` in `GLIBC_TUNABLES`, an
    allocator in `LD_PRELOAD`).

    Registered as a `TrainerCallback` with name "elmo_kept_memory".

    ```jsonnet
    { "type": "elmo_kept_memory" }
    ```
    """

    _keeps = False

    def on_start(self, trainer: GradientDescentTrainer, is_primary: bool = True, **kwargs) -> None:
        super().on_start(trainer, is_primary, **kwargs)
        self._keeps = trainer.cuda_device.type == "cpu" and keep_memory()
        if self._keeps:
            logger.info("The memory of a step is kept for the next one.")

    def on_end(self, trainer: GradientDescentTrainer, *args, **kwargs) -> None:
        super().on_end(trainer, *args, **kwargs)
        if self._keeps:
            give_back_memory()
