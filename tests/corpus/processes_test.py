import functools
import os
import signal
import subprocess
import sys
import time

import pytest

from elmo_plugin.corpus.processes import map_in_order, usable_cores


def square(number):
    time.sleep(0.002 * (number % 3))
    return number * number


def meet(folder, _):
    """The number of this process, as soon as two processes have been here; a process alone gives up after minutes."""
    (folder / str(os.getpid())).touch()
    deadline = time.monotonic() + 300
    while len(os.listdir(folder)) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    return os.getpid()


def process_number(_):
    return os.getpid()


def fail(number):
    raise ValueError(f"number {number}")


@pytest.mark.parametrize("processes", [1, 3])
def test_results_come_in_the_order_of_the_items(processes):
    assert list(map_in_order(square, range(40), processes)) == [i * i for i in range(40)]


def test_several_processes_work(tmp_path):
    assert set(map_in_order(process_number, range(20), 1)) == {os.getpid()}
    others = set(map_in_order(functools.partial(meet, tmp_path), range(6), 2))
    assert len(others) == 2 and os.getpid() not in others


def test_items_are_not_taken_far_ahead():
    taken = []

    def items():
        for i in range(100):
            taken.append(i)
            yield i

    results = map_in_order(square, items(), 2)
    next(results)
    assert len(taken) < 10
    results.close()


def test_an_error_in_a_process_is_raised():
    with pytest.raises(ValueError, match="number 0"):
        list(map_in_order(fail, range(3), 2))


def test_there_is_at_least_one_core():
    assert 1 <= usable_cores() <= os.cpu_count()


WORKING = """
import os, sys, time
sys.path.insert(0, {root!r})
sys.modules["allennlp"] = None  # which takes seconds to import, and nothing here needs it
from elmo_plugin.corpus.processes import map_in_order
def work(i):
    os.write(1, b"%d\\n" % os.getpid())  # one call: print() may write the number and its line end apart
    time.sleep(600)
list(map_in_order(work, range(2), 2))
"""


@pytest.fixture
def working(project_root):
    """A process with two workers, and the numbers of these."""
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    process = subprocess.Popen([sys.executable, "-c", WORKING.format(root=str(project_root))], **quiet)
    yield process, [int(process.stdout.readline()) for _ in range(2)]
    process.kill()
    process.wait()


def test_workers_end_when_the_first_process_is_killed(working):
    process, workers = working
    process.kill()
    process.wait()
    deadline = time.monotonic() + 120
    while any(map(is_alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_alive, workers))


def test_asked_twice_to_end_it_ends_and_so_do_its_workers(working):
    process, workers = working
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
    assert process.wait(timeout=120) != 0
    assert not any(map(is_alive, workers))


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as status:
            return status.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
