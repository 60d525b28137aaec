"""What the machine itself can do: the floor under every time."""

import time
from typing import Callable, NamedTuple, Optional

import torch

from elmo_plugin.bilm.ops.compiled_program import compiled_for, why_not

# Of the square matrices multiplied for the peak, and of the array read for the bandwidth, in numbers.
_SIDE, _NUM_READ = 2048, 1 << 26


class Machine(NamedTuple):
    """
    device : `cpu` or `cuda:N`, and its name.
    threads : of torch.
    peak : products of large `float32` matrices, in operations a second (a multiplication and an addition are two).
    bandwidth : bytes a second, read one after the other.
    no_program : why the compiled program can't run here; `None` where it can.
    compiled_for : the processors that the program which runs here was compiled for; `None` where none can.
    """

    device: str
    threads: int
    peak: float
    bandwidth: float
    no_program: Optional[str]
    compiled_for: Optional[str] = None


def measure_machine(device: torch.device, rounds: int = 5) -> Machine:
    """The best of some rounds each."""
    peak = product_peak(device, rounds)
    numbers = torch.ones(_NUM_READ, device=device)
    with torch.no_grad():
        bandwidth = 4 * _NUM_READ / _best(lambda: numbers.sum(), device, rounds)
    return Machine(str(device), torch.get_num_threads(), peak, bandwidth, why_not(), compiled_for())


def product_peak(device: torch.device, rounds: int) -> float:
    """`Machine.peak`, by the best of some rounds."""
    generator = torch.Generator(device).manual_seed(13)
    one, two = (torch.randn(_SIDE, _SIDE, device=device, generator=generator) for _ in range(2))
    with torch.no_grad():
        return 2 * _SIDE**3 / _best(lambda: one @ two, device, rounds)


def _best(action: Callable[[], object], device: torch.device, rounds: int) -> float:
    action()
    return min(seconds_of(action, device) for _ in range(rounds))


def seconds_of(action: Callable[[], object], device: torch.device) -> float:
    """By the clock, what the device still has to do included."""
    _finish(device)
    begin = time.perf_counter()
    action()
    _finish(device)
    return time.perf_counter() - begin


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
