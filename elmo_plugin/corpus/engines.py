"""Who does the work on blocks and shards: processes of this machine, or a Ray cluster."""

from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Callable, Dict, Iterable, Iterator, TypeVar

from elmo_plugin.corpus.processes import map_in_order
from elmo_plugin.corpus.ray_cluster import ray_cluster
from elmo_plugin.corpus.work import Work

Item = TypeVar("Item")
Result = TypeVar("Result")
# `map(function, items)`, the results in the order of the items, with only a few items taken ahead of their turn.
MapInOrder = Callable[[Callable[[Item], Result], Iterable[Item]], Iterator[Result]]


@contextmanager
def started_engine(work: Work, place: Path, software: Dict[str, str]) -> Iterator[MapInOrder]:
    """
    # Parameters

    work : `Work`
        Names the engine.
    place : `Path`
        What the output is beside; every machine has to see it.
    software : `Dict[str, str]`
        The versions (`software.software_of`) that every machine has to have.

    # Raises

    `ValueError` where Ray is not installed, not reached, or a machine of its cluster is of no use.
    """
    if work.engine == "processes":
        yield partial(map_in_order, processes=work.processes)
    else:
        with ray_cluster(work.ray_address, work.processes, place, software) as map_on_ray:
            yield map_on_ray
