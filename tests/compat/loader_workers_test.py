import multiprocessing
from types import SimpleNamespace

import pytest
from allennlp.common.tqdm import Tqdm
from allennlp.data.data_loaders import MultiProcessDataLoader

from tests.compat import scenarios


def test_workers_cannot_be_spawned_without_the_mend(unmended):
    assert "A SemLock created in a fork context" in unmended["spawned_batch_workers"]["error"]


def test_a_spawned_worker_brings_every_sentence(tmp_path):
    assert scenarios.spawned_batch_workers(tmp_path) == [2, 2, 1]


@pytest.mark.parametrize("start_method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("kind", ["instance", "batch"])
def test_workers_share_a_lock_of_the_context_that_starts_them(kind, start_method):
    context = multiprocessing.get_context(start_method)
    started = []

    def process(target, args, daemon):
        started.append((target, args, daemon))
        return SimpleNamespace(start=lambda: None)

    before = Tqdm.get_lock()
    loader = SimpleNamespace(num_workers=2, _instance_worker="instance", _batch_worker="batch")
    fake = SimpleNamespace(RLock=context.RLock, Pipe=context.Pipe, Process=process)
    try:
        workers, senders = getattr(MultiProcessDataLoader, f"_start_{kind}_workers")(loader, "queue", fake)
    finally:
        Tqdm.set_lock(before)
    assert len(workers) == len(senders) == 2
    for worker_id, (target, (given_id, queue, lock, receiver), daemon) in enumerate(started):
        assert (target, given_id, queue, daemon) == (kind, worker_id, "queue", True)
        assert type(lock) is type(context.RLock())
        assert lock is started[0][1][2]
        senders[worker_id].send("stop")
        assert receiver.recv() == "stop"
