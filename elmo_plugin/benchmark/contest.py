"""Contenders that take turns: the machine's moods strike all of them alike."""

from contextlib import nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import Callable, ContextManager, Dict, List, Mapping, NamedTuple, Optional, Sequence, TypeVar

import torch

from elmo_plugin.benchmark.machine import product_peak, seconds_of

Batch = TypeVar("Batch")

# Products of which the best is the peak between two turns.
ROUNDS_BETWEEN = 3

# Where Linux keeps a process's largest size so far, and what sets that back to the present one.
_STATUS, _RESET, _RESET_CODE = Path("/proc/self/status"), Path("/proc/self/clear_refs"), "5"


class Times(NamedTuple):
    """
    seconds : of each round.
    memory : bytes in use at the worst moment, beyond what was in use before; `None` where that can't be told.
    peaks : what the machine's products reached about each round, in operations a second, where that was measured.
    """

    seconds: List[float]
    memory: Optional[int]
    peaks: Sequence[float] = ()


def contest(
    contenders: Dict[str, Callable[[Batch], object]],
    batches: Sequence[Batch],
    device: torch.device,
    with_peaks: bool = False,
    settings: Mapping[str, Callable[[], ContextManager]] = MappingProxyType({}),
) -> Dict[str, Times]:
    """
    Each contender does each batch, in turns, and each round another one begins. The first batch is done once before,
    for nothing, and for the memory.

    # Parameters

    with_peaks : measure the machine's peak between turns, too: a machine's speed may wander within a minute. For turns
        of seconds, as it leaves nothing in the caches.
    settings : by contender, what each of its turns takes place in, if in anything. Where there are any, every turn does
        its batch twice, and the second time counts: the first finds the memory as another contender left it.
    """
    memory: Dict[str, Optional[int]] = {}
    for name, act in contenders.items():
        with settings.get(name, nullcontext)():
            memory[name] = peak_memory(lambda act=act: act(batches[0]), device)
    seconds: Dict[str, List[float]] = {name: [] for name in contenders}
    peaks: Dict[str, List[float]] = {name: [] for name in contenders}
    before = product_peak(device, ROUNDS_BETWEEN) if with_peaks else 0.0
    for number, batch in enumerate(batches):
        names = list(contenders)
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            with settings.get(name, nullcontext)():
                if settings:
                    contenders[name](batch)
                seconds[name].append(seconds_of(lambda: contenders[name](batch), device))
            if with_peaks:
                after = product_peak(device, ROUNDS_BETWEEN)
                peaks[name].append((before + after) / 2)
                before = after
    return {name: Times(seconds[name], memory[name], peaks[name]) for name in contenders}


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
