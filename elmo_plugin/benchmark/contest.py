"""Contenders that take turns: the machine's moods strike all of them alike."""

from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, TypeVar

import torch

from elmo_plugin.benchmark.machine import seconds_of

Batch = TypeVar("Batch")

# Where Linux keeps a process's largest size so far, and what sets that back to the present one.
_STATUS, _RESET, _RESET_CODE = Path("/proc/self/status"), Path("/proc/self/clear_refs"), "5"


class Times(NamedTuple):
    """
    seconds : of each round.
    memory : bytes in use at the worst moment, beyond what was in use before; `None` where that can't be told.
    """

    seconds: List[float]
    memory: Optional[int]


def contest(
    contenders: Dict[str, Callable[[Batch], object]], batches: Sequence[Batch], device: torch.device
) -> Dict[str, Times]:
    """
    Each contender does each batch, in turns, and each round another one begins. The first batch is done once before,
    for nothing, and for the memory.
    """
    memory = {name: peak_memory(lambda act=act: act(batches[0]), device) for name, act in contenders.items()}
    seconds: Dict[str, List[float]] = {name: [] for name in contenders}
    for number, batch in enumerate(batches):
        names = list(contenders)
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            seconds[name].append(seconds_of(lambda: contenders[name](batch), device))
    return {name: Times(seconds[name], memory[name]) for name in contenders}


def peak_memory(action: Callable[[], object], device: torch.device) -> Optional[int]:
    """Bytes that an action needs at its worst moment, beyond those in use before it."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        action()
        return torch.cuda.max_memory_allocated(device) - before
    try:
        _RESET.write_text(_RESET_CODE)
        before = _size_of_process("VmRSS")
        action()
        return max(0, _size_of_process("VmHWM") - before)
    except OSError:
        action()
        return None


def _size_of_process(key: str) -> int:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(key):
            return 1024 * int(line.split()[1])
    raise OSError(f"{_STATUS} has no {key}")
