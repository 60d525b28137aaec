"""
A function mapped over items by the machines of a Ray cluster, in order and with bounded memory.

These are Ray's tasks, not Ray Data: the items here are blocks of bytes and files, not rows of a table; their order is
part of the result; and tasks need nothing but Ray itself. A task that is lost with its machine is done by another.
"""

import logging
import pickle
import uuid
from collections import deque
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Deque, Dict, Iterable, Iterator, Optional, Sequence, Tuple, TypeVar

from elmo_plugin.corpus.directories import nearest_directory
from elmo_plugin.corpus.software import versions

if TYPE_CHECKING:
    import ray

Item = TypeVar("Item")
Result = TypeVar("Result")

# Items handed out ahead of the one that is waited for, for each processor.
_AHEAD = 2


@contextmanager
def ray_cluster(
    address: Optional[str], processors: int, place: Path, software: Dict[str, str]
) -> Iterator[Callable[[Callable[[Item], Result], Iterable[Item]], Iterator[Result]]]:
    """
    Gives a function such as `processes.map_in_order`.

    # Parameters

    address : `str`, optional
        Of a running cluster, `host:port` or `auto`; one with `processors` processors is started here if `None`. Where
        this process is connected to Ray already, that connection is used.
    processors : `int`
    place : `Path`
        What every machine has to see.
    software : `Dict[str, str]`
        The versions that every machine has to have.

    # Raises

    `ValueError` where Ray is not installed, the cluster not reached, or one of its machines of no use.
    """
    ray = _import_ray()
    is_ours = not ray.is_initialized()
    if is_ours:
        _connect(address, processors)
    try:
        _check_machines(nearest_directory(place), software)
        yield _map_in_order
    finally:
        if is_ours:
            ray.shutdown()


def _connect(address: Optional[str], processors: int) -> None:
    import ray

    quiet = {"log_to_driver": False, "logging_level": logging.WARNING}
    try:
        if address is None:
            ray.init("local", num_cpus=processors, include_dashboard=False, **quiet)
        else:
            ray.init(address, **quiet)
    except (ConnectionError, ValueError) as error:
        raise ValueError(
            f"ray_address: no Ray cluster at '{address}' ({error}). Start one with `ray start --head` and give the "
            "address that it prints, or leave --ray-address out to use this machine alone."
        ) from error


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ValueError("engine: ray is not installed: pip install ray; or use the engine processes.") from error
    return ray


def _map_in_order(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    import ray

    task, sent = _task(), ray.put(pickle.dumps(function))
    most = _AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
    waiting: Deque["ray.ObjectRef[Result]"] = deque()
    try:
        for item in items:
            waiting.append(task.remote(sent, pickle.dumps(item)))
            if len(waiting) > most:
                yield _result(waiting.popleft())
        while waiting:
            yield _result(waiting.popleft())
    finally:
        for reference in waiting:
            ray.cancel(reference)
        # What they write in is about to be removed, or gone on with.
        if waiting:
            ray.wait(list(waiting), num_returns=len(waiting))


def _task() -> Any:
    """
    A remote function for a pickled function and a pickled item. It is defined in here, for Ray to send its code: it
    has to run before anything of this package is imported, which would bring AllenNLP and torch to every worker that
    has them, for nothing.
    """
    import ray

    def call(function: bytes, item: bytes) -> Any:
        import pickle
        import sys

        sys.modules.setdefault("allennlp", None)
        return pickle.loads(function)(pickle.loads(item))

    return ray.remote(call)


def _result(reference: "ray.ObjectRef[Result]") -> Result:
    """The errors of a task are raised as if it had been done here; those of the cluster interrupt, as a full disk."""
    import ray

    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError as error:
        raise OSError(f"The Ray cluster failed: {error}") from error


def _check_machines(place: Path, software: Dict[str, str]) -> None:
    """Lets every machine look for a file written here, and tell its versions."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    machines = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
    probe = place / f".elmo-prepare.{uuid.uuid4().hex}"
    probe.touch()
    try:
        look, item = pickle.dumps(_look), pickle.dumps((probe, list(software)))
        places = [NodeAffinitySchedulingStrategy(node["NodeID"], soft=False) for node in machines]
        looks = [_task().options(scheduling_strategy=place).remote(look, item) for place in places]
        answers = [_result(reference) for reference in looks]
    except ModuleNotFoundError as error:
        raise ValueError(
            f"engine: a machine of the Ray cluster lacks something ({error}); install this package on all of them."
        ) from error
    finally:
        probe.unlink()
    if not answers:
        raise ValueError("ray_address: no machine of the Ray cluster offers a processor; add one with `ray start`.")
    for node, (is_seen, found) in zip(machines, answers):
        name = node["NodeManagerAddress"]
        if not is_seen:
            raise ValueError(
                f"engine: {name} of the Ray cluster does not see what is in {place}; OUTDIR has to be in a file system "
                "that all its machines share."
            )
        if found != software:
            raise ValueError(
                f"engine: {name} of the Ray cluster has other versions, {found}, than this machine, {software}, so "
                "that the result would depend on chance; install the same."
            )


def _look(item: Tuple[Path, Sequence[str]]) -> Tuple[bool, Dict[str, str]]:
    probe, packages = item
    return probe.exists(), versions(packages)
