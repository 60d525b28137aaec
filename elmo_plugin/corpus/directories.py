"""Directories that appear whole or not at all, and that an interrupted process may go on with."""

import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator


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

    `ValueError` if `path` exists and `force` is false, or if it is not a directory.
    """
    check_replaceable(path, force)
    unfinished, replaced = unfinished_directory(path), _beside(path, "replaced")
    if unfinished.exists() and not keep_unfinished:
        shutil.rmtree(unfinished)
    unfinished.mkdir(parents=True, exist_ok=True)
    is_complete = False
    try:
        yield unfinished
        is_complete = True
    except ValueError:
        keep_unfinished = False
        raise
    finally:
        if not is_complete and not keep_unfinished:
            shutil.rmtree(unfinished)
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


def unfinished_directory(path: Path) -> Path:
    """Where `whole_directory` writes what is to become `path`."""
    return _beside(path, "unfinished")


def nearest_directory(path: Path) -> Path:
    """The path itself, or the nearest of those above it that is a directory."""
    return next(parent for parent in (path.absolute(), *path.absolute().parents) if parent.is_dir())


def _beside(path: Path, role: str) -> Path:
    absolute = path.absolute()
    return absolute.with_name(f".{absolute.name}.{role}")
