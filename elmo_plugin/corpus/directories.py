"""Directories that appear whole or not at all, and that an interrupted process may go on with."""

import errno
import fcntl
import os
import shutil
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

# How long the workers of a process that was killed may take to end.
_PATIENCE_SECONDS = 10.0
# Of file systems that lock no directories.
_NO_LOCKS = (errno.EBADF, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


@contextmanager
def whole_directory(path: Path, force: bool, keep_unfinished: bool = False) -> Iterator[Path]:
    """
    Gives a hidden directory beside `path` to write into. It is renamed to `path` when the block ends; a directory that
    was there before stays as it was until then. If the block raises an error the hidden directory is removed.

    # Parameters

    path : `Path`
    force : `bool`
        Whether a `path` that exists may be replaced.
    keep_unfinished : `bool`
        For long work that can go on where it was interrupted: the hidden directory stays after an interruption, and the
        next time it is given again as it is. After a `ValueError` it is removed all the same, for what was asked for
        makes no sense. If false, it is always empty in the beginning.

    # Raises

    `ValueError` if `path` exists and `force` is false, if it is not a directory, or if another process is writing it.
    """
    check_replaceable(path, force)
    unfinished = unfinished_directory(path)
    unfinished.mkdir(parents=True, exist_ok=True)
    with _locked(unfinished, path):
        if not keep_unfinished:
            _clear(unfinished)
        with _kept_if_whole(unfinished, keep_unfinished):
            yield unfinished
        _put_in_place(unfinished, path.resolve(), _beside(path, "replaced"))


@contextmanager
def _locked(directory: Path, path: Path) -> Iterator[None]:
    """No other process that does this has the directory meanwhile; the system ends the lock with the process."""
    descriptor = os.open(directory, os.O_RDONLY)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    try:
        # Another process may have put it in its place, or removed it, since it was opened.
        while not (_lock(descriptor) and _is_at(directory, descriptor)):
            if time.monotonic() > deadline:
                raise ValueError(f"{path}: another process is writing it; wait until it has ended, or name another.")
            time.sleep(0.1)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return True


def _is_at(directory: Path, descriptor: int) -> bool:
    return directory.exists() and os.path.samestat(directory.stat(), os.fstat(descriptor))


def _clear(directory: Path) -> None:
    for path in directory.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


@contextmanager
def _kept_if_whole(unfinished: Path, keep_unfinished: bool) -> Iterator[None]:
    is_complete = False
    try:
        yield
        is_complete = True
    except ValueError:
        keep_unfinished = False
        raise
    finally:
        if not is_complete and not keep_unfinished:
            shutil.rmtree(unfinished)


def _put_in_place(unfinished: Path, path: Path, replaced: Path) -> None:
    shutil.rmtree(replaced, ignore_errors=True)
    if path.exists():
        path.rename(replaced)
    unfinished.rename(path)
    shutil.rmtree(replaced, ignore_errors=True)


def check_replaceable(path: Path, force: bool) -> None:
    """Raises the errors of `whole_directory` before any work is done."""
    if path.exists() and not path.is_dir():
        raise ValueError(f"{path}: expected a directory to write to, found a file; give another name.")
    if path.exists() and not force:
        raise ValueError(f"{path}: already exists. Use --force to overwrite it, or give another name.")
    if os.path.ismount(path):
        raise ValueError(f"{path}: is where a disk is mounted, which can't be replaced; name a directory in it.")


def unfinished_directory(path: Path) -> Path:
    """Where `whole_directory` writes what is to become `path`."""
    return _beside(path, "unfinished")


def nearest_directory(path: Path) -> Path:
    """The path itself, or the nearest of those above it that is a directory."""
    return next(parent for parent in (path.absolute(), *path.absolute().parents) if parent.is_dir())


def _beside(path: Path, role: str) -> Path:
    """Where a link leads, not where it is: a directory is renamed within one disk only."""
    place = path.resolve()
    # Not `with_name`, which the root, refused as it is, does not have.
    return place.parent / f".{place.name}.{role}"
