import multiprocessing
from types import SimpleNamespace

import pytest
from allennlp.common.tqdm import Tqdm
from allennlp.data.data_loaders import MultiProcessDataLoader

from tests.compat import scenarios


# Python 3.10 does not look where a lock comes from, and passes it on.
python_checks_locks = any("is_fork_ctx" in name for name in vars(multiprocessing.get_context("fork").Lock()))


@pytest.mark.skipif(not python_checks_locks, reason="this Python passes a lock of any context to a spawned process")
def test_workers_cannot_be_spawned_without_the_mend(unmended):
    assert "A SemLock created in a fork context" in unmended["spawned_batch_workers"]["error"]


def test_a_spawned_worker_brings_every_sentence(tmp_path):
    assert scenarios.spawned_batch_workers(tmp_path) == [2, 2, 1]


@pytest.mark.parametrize("kind", ["instance", "batch"])
def test_workers_share_one_lock_of_the_context_that_starts_them(kind):
    context = multiprocessing.get_context("spawn")
    locks, started = [], []

    def make_lock():
        locks.append(context.RLock())
        return locks[-1]

    def process(target, args, daemon):
        started.append((target, args, daemon))
        return SimpleNamespace(start=lambda: None)

    before = Tqdm.get_lock()
    loader = SimpleNamespace(num_workers=2, _instance_worker="instance", _batch_worker="batch")
    fake = SimpleNamespace(RLock=make_lock, Pipe=context.Pipe, Process=process)
    try:
        workers, senders = getattr(MultiProcessDataLoader, f"_start_{kind}_workers")(loader, "queue", fake)
    finally:
        Tqdm.set_lock(before)
    assert len(workers) == len(senders) == len(started) == 2
    for worker_id, (target, (given_id, queue, lock, receiver), daemon) in enumerate(started):
        assert (target, given_id, queue, daemon) == (kind, worker_id, "queue", True)
        assert [lock] == locks
        senders[worker_id].send("stop")
        assert receiver.recv() == "stop"
