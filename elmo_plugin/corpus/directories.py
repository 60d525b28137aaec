"""Directories that appear whole or not at all."""

import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator


@contextmanager
def whole_directory(path: Path, force: bool) -> Iterator[Path]:
    """
    Gives a directory beside `path` to write into. It is renamed to `path` when the block ends, and removed when the
    block raises, Ctrl-C included; a directory that was there before stays as it was until then.

    # Parameters

    path : `Path`
    force : `bool`
        Whether a `path` that exists may be replaced.

    # Raises

    `ValueError` if `path` exists and `force` is false, or if it is not a directory.
    """
    check_replaceable(path, force)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished, replaced = _beside(path, "unfinished"), _beside(path, "replaced")
    for left_over in (unfinished, replaced):
        shutil.rmtree(left_over, ignore_errors=True)
    unfinished.mkdir()
    try:
        yield unfinished
        if path.exists():
            path.rename(replaced)
        unfinished.rename(path)
    finally:
        for left_over in (unfinished, replaced):
            shutil.rmtree(left_over, ignore_errors=True)


def check_replaceable(path: Path, force: bool) -> None:
    """Raises the errors of `whole_directory` before any work is done."""
    if path.exists() and not path.is_dir():
        raise ValueError(f"{path}: expected a directory to write to, found a file; give another name.")
    if path.exists() and not force:
        raise ValueError(f"{path}: already exists. Use --force to overwrite it, or give another name.")


def _beside(path: Path, role: str) -> Path:
    absolute = path.absolute()
    return absolute.with_name(f".{absolute.name}.{role}")
