import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from elmo_plugin import kept_memory
from elmo_plugin.kept_memory import can_keep_memory, give_back_memory, keep_memory

needs_glibc = pytest.mark.skipif(not can_keep_memory(), reason="glibc is not here, or the environment sets its ways")

# Prints whether memory was kept, and how many pages came anew when a block of 64 MB was made and filled a second time.
FAULTS = """
import json, resource
from kept_memory import give_back_memory, keep_memory, memory_kept

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = bytearray(64 << 20)
    for begin in range(0, len(block), 4096):
        block[begin] = 1
    del block
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def second():
    faults()
    return faults()

found = {"before": second()}
with memory_kept() as kept:
    found["within"] = second()
found["after"] = second()
answers = [kept, keep_memory()]
found["keeping"] = second()
give_back_memory()
found["given back"] = second()
print(json.dumps([answers, found]))
"""


def run(project_root, **environment):
    """Whether memory was kept, both times, and the new pages. The module by itself: it needs no other."""
    inherited = {name: value for name, value in os.environ.items() if "malloc" not in (name + value).lower()}
    done = subprocess.run(
        [sys.executable, "-c", FAULTS],
        capture_output=True,
        text=True,
        env={**inherited, "PYTHONPATH": str(project_root / "elmo_plugin"), **environment},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@needs_glibc
def test_a_large_block_is_made_of_the_pages_of_the_one_before_while_memory_is_kept(project_root):
    answers, faults = run(project_root)
    assert answers == [True, True]
    kept = [faults.pop("within"), faults.pop("keeping")]
    # Before, between and after: 16,384 of 4 kB, or 32 of 2 MB.
    assert faults.keys() == {"before", "after", "given back"}
    assert max(kept) < min(faults.values()) / 4, (kept, faults)


@needs_glibc
@pytest.mark.parametrize(
    "name, value",
    [
        ("MALLOC_MMAP_MAX_", "65536"),
        ("MALLOC_MMAP_THRESHOLD_", "1000000"),
        ("MALLOC_TRIM_THRESHOLD_", "1000000"),
        ("GLIBC_TUNABLES", "glibc.malloc.mmap_threshold=1000000"),
    ],
)
def test_what_the_user_has_set_stays(project_root, name, value):
    answers, faults = run(project_root, **{name: value})
    assert answers == [False, False]
    assert min(faults.values()) > max(faults.values()) / 4, faults


@pytest.mark.parametrize("libraries", ["/usr/lib/libjemalloc.so.2", "libfirst.so libtcmalloc_minimal.so.4"])
def test_another_allocator_is_left_alone(monkeypatch, libraries):
    monkeypatch.setenv("LD_PRELOAD", libraries)
    assert_nothing_is_set(monkeypatch)


def assert_nothing_is_set(monkeypatch):
    monkeypatch.setattr(kept_memory, "_set", lambda *arguments: pytest.fail("malloc was changed"))
    assert not can_keep_memory() and not keep_memory()
    give_back_memory()
    with kept_memory.memory_kept() as kept:
        assert kept is False


def missing(name):
    raise OSError("no dynamic libraries here")


@pytest.mark.parametrize(
    "library",
    [
        lambda name: SimpleNamespace(),
        lambda name: SimpleNamespace(mallopt=print, malloc_trim=print),
        lambda name: SimpleNamespace(gnu_get_libc_version=print),
        missing,
    ],
    ids=["musl", "another's mallopt", "only glibc's name", "static"],
)
def test_without_glibcs_mallopt_nothing_happens(monkeypatch, library):
    monkeypatch.setattr("ctypes.CDLL", library)
    assert_nothing_is_set(monkeypatch)


def test_on_other_systems_nothing_happens(monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr("ctypes.CDLL", lambda name: pytest.fail("a library was opened"))
    assert_nothing_is_set(monkeypatch)


def test_what_glibc_refuses_is_not_kept(monkeypatch):
    calls = []
    library = SimpleNamespace(
        gnu_get_libc_version=print,
        mallopt=lambda name, value: calls.append((name, value)) or 0,
        malloc_trim=lambda pad: pytest.fail("nothing was kept"),
    )
    monkeypatch.setattr("sys.platform", "linux")
    for name in (*kept_memory._OF_THE_USER, "GLIBC_TUNABLES", "LD_PRELOAD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("ctypes.CDLL", lambda name: library)
    with kept_memory.memory_kept() as kept:
        assert kept is False
    assert calls == [(-4, 0), (-1, -1)]
