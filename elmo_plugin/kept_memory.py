"""Memory that a process frees, kept for its next use: else glibc gives large tensors back, and maps them anew."""

import ctypes
import os
import sys
from contextlib import contextmanager
from typing import Iterator, Optional, Tuple

# Of glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4

# No block in a mapping of its own, and a heap that never becomes smaller.
_KEEPING = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, -1))
# The defaults, with the thresholds at which glibc arrives by itself when blocks of 32 MB have been freed: its largest.
_GIVING_BACK = ((_MMAP_MAX, 65536), (_MMAP_THRESHOLD, 32 << 20), (_TRIM_THRESHOLD, 64 << 20))

_OF_THE_USER = ("MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")


def keep_memory() -> bool:
    """
    From now on this process keeps what it frees. By itself glibc's `malloc` maps blocks of 32 MB or more from the
    system when they are made, and gives them back when they are freed, and with them what is free at the end of its
    heap. The system fills each page that it gives with zeros, at its first use.

    The process then holds the memory of its largest moment.

    # Returns

    Whether it does: see `can_keep_memory`.
    """
    libc = _glibc_of_no_user()
    return libc is not None and _set(libc, _KEEPING)


def give_back_memory() -> None:
    """
    Ends `keep_memory`, and gives free memory back to the system. glibc's thresholds are then those at which it arrives
    where large blocks are freed. They stay so: once any was set it adapts none.
    """
    libc = _glibc_of_no_user()
    if libc is not None:
        _set(libc, _GIVING_BACK)
        libc.malloc_trim(0)


@contextmanager
def memory_kept() -> Iterator[bool]:
    """`keep_memory` for what is done within, `give_back_memory` at its end; the value is `keep_memory`'s."""
    kept = keep_memory()
    try:
        yield kept
    finally:
        if kept:
            give_back_memory()


def can_keep_memory() -> bool:
    """
    Not without glibc (other systems, musl), nor where the user has chosen: an allocator by `LD_PRELOAD`, or glibc's
    ways by `GLIBC_TUNABLES`, `MALLOC_MMAP_MAX_` and its like.
    """
    return _glibc_of_no_user() is not None


def _glibc_of_no_user() -> Optional[ctypes.CDLL]:
    given = os.environ
    if any(name in given for name in _OF_THE_USER) or "glibc.malloc." in given.get("GLIBC_TUNABLES", ""):
        return None
    # jemalloc, tcmalloc, mimalloc and their kin.
    return None if "malloc" in given.get("LD_PRELOAD", "") else _glibc()


def _glibc() -> Optional[ctypes.CDLL]:
    if not sys.platform.startswith("linux"):
        return None
    try:
        libc = ctypes.CDLL(None)
    except OSError:  # A program without dynamic libraries.
        return None
    if not all(hasattr(libc, name) for name in ("gnu_get_libc_version", "mallopt", "malloc_trim")):
        return None
    libc.mallopt.argtypes, libc.malloc_trim.argtypes = (ctypes.c_int, ctypes.c_int), (ctypes.c_size_t,)
    return libc


def _set(libc: ctypes.CDLL, values: Tuple[Tuple[int, int], ...]) -> bool:
    """Whether glibc took all of them."""
    return [libc.mallopt(name, value) for name, value in values] == [1] * len(values)
