"""
`start_method: "spawn"` of the `multiprocess` data loader.

AllenNLP (`data/data_loaders/multiprocess_data_loader.py` 431 and 449) gives its workers a lock of the default context,
which on Linux forks, and Python refuses to pass that to a spawned process: "A SemLock created in a fork context is
being shared with a process in a spawn context".  Here the lock is of the context that starts the workers.
"""

from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from multiprocessing.queues import JoinableQueue
from typing import Callable, List, Tuple

from allennlp.common.tqdm import Tqdm
from allennlp.data.data_loaders.multiprocess_data_loader import MultiProcessDataLoader

_Workers = Tuple[List[BaseProcess], List[Connection]]


def _start_workers(num_workers: int, target: Callable, queue: JoinableQueue, ctx: BaseContext) -> _Workers:
    """Starts `target(worker, queue, lock, receiver)` in each worker; returns the processes and the senders to them."""
    Tqdm.set_lock(ctx.RLock())
    workers, senders = [], []
    for worker_id in range(num_workers):
        receiver, sender = ctx.Pipe(duplex=False)
        worker = ctx.Process(target=target, args=(worker_id, queue, Tqdm.get_lock(), receiver), daemon=True)
        worker.start()
        workers.append(worker)
        senders.append(sender)
    return workers, senders


def _start_instance_workers(self: MultiProcessDataLoader, queue: JoinableQueue, ctx: BaseContext) -> _Workers:
    return _start_workers(self.num_workers, self._instance_worker, queue, ctx)


def _start_batch_workers(self: MultiProcessDataLoader, queue: JoinableQueue, ctx: BaseContext) -> _Workers:
    return _start_workers(self.num_workers, self._batch_worker, queue, ctx)


def is_needed() -> bool:
    """Always: the mistake is AllenNLP's own, whatever is installed beside it."""
    return True


def apply() -> None:
    MultiProcessDataLoader._start_instance_workers = _start_instance_workers
    MultiProcessDataLoader._start_batch_workers = _start_batch_workers
