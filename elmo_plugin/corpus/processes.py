"""A function mapped over items by several processes, in order and with bounded memory."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Callable, Deque, Iterable, Iterator, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# Items handed out ahead of the one that is waited for, for each process.
_AHEAD = 2


def usable_cores() -> int:
    """The cores that this process may run on, which on shared machines are fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def map_in_order(function: Callable[[Item], Result], items: Iterable[Item], processes: int) -> Iterator[Result]:
    """
    `map(function, items)` by `processes` processes, the results in the order of the items. Only a few items are taken
    from the iterable ahead of their turn. With one process everything happens in this one.
    """
    if processes == 1:
        yield from map(function, items)
        return
    # Where processes can be forked they start in no time, with all that is imported here.
    method = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
    others = set(multiprocessing.active_children())
    executor = ProcessPoolExecutor(processes, multiprocessing.get_context(method), initializer=_start_worker)
    waiting: Deque["Future[Result]"] = deque()
    try:
        for item in items:
            waiting.append(executor.submit(function, item))
            if len(waiting) > _AHEAD * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        try:
            executor.shutdown(wait=True, cancel_futures=True)
        finally:
            # Some are left where Ctrl-C came twice, or while they were started. Python would wait for them for ever.
            for worker in set(multiprocessing.active_children()) - others:
                worker.kill()


def _start_worker() -> None:
    """Ctrl-C goes to all processes of a terminal: only the first one acts on it. If that is killed, workers end too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)
