"""The random generators of a process, as a value."""

import random
from typing import Any, Dict

import numpy
import torch


def random_states(device: torch.device) -> Dict[str, Any]:
    """
    The states of Python's, NumPy's and torch's generators, in types that torch's safe loading takes.

    # Parameters

    device : whose generator is wanted besides the CPU's. (Another GPU's would be touched, and take memory there.)
    """
    _, numbers, position, has_gauss, gauss = numpy.random.get_state()
    states = {
        "python": random.getstate(),
        "numpy": [numbers.tolist(), position, has_gauss, gauss],
        "torch": torch.get_rng_state(),
    }
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def set_random_states(states: Dict[str, Any], device: torch.device) -> None:
    """What `random_states` gave."""
    random.setstate(states["python"])
    numbers, position, has_gauss, gauss = states["numpy"]
    numpy.random.set_state(("MT19937", numpy.array(numbers, dtype=numpy.uint32), position, has_gauss, gauss))
    torch.set_rng_state(states["torch"].cpu())
    if "cuda" in states and device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"].cpu(), device)


def seed_worker(number: int) -> None:
    """
    Seeds the generators of a worker from torch's seed and the worker's number.

    AllenNLP gives all processes of a distributed training one seed: they would drop the same units and draw the same
    words. The first keeps its random numbers, so that it is what a training alone would be.
    """
    if number == 0:
        return
    seed = numpy.random.SeedSequence((torch.initial_seed(), number))
    first, second, third = (int(value) for value in seed.generate_state(3))
    random.seed(first)
    numpy.random.seed(second)
    torch.manual_seed(third)
