"""What the processes of a distributed training tell one another."""

import os
from abc import ABC, abstractmethod
from typing import Any, List

import torch.distributed as dist
from allennlp.common.util import is_distributed


def worker_number() -> int:
    """This process among all of them, on all machines; 0 where it is alone."""
    return dist.get_rank() if is_distributed() else 0


def number_of_workers() -> int:
    return dist.get_world_size() if is_distributed() else 1


def is_first_of_its_machine() -> bool:
    """Whether this process writes the files of its machine (a training has a folder on each)."""
    return not is_distributed() or worker_number() % int(os.environ.get("ALLENNLP_PROCS_PER_NODE", 1)) == 0


def from_all_workers(value: Any) -> List[Any]:
    """
    What every process gave, in the order of their numbers. All of them must call it; each gets the whole list.

    # Parameters

    value : something that can be pickled, its tensors on the CPU.
    """
    if not is_distributed():
        return [value]
    values: List[Any] = [None] * number_of_workers()
    dist.all_gather_object(values, value)
    return values


class HasStateOfEachWorker(ABC):
    """A `TrainerCallback` whose `state_dict` holds something of every process, though one process asks for it."""

    @abstractmethod
    def collect(self) -> None:
        """Called in all processes just before one of them writes a checkpoint; it may wait for the others."""
