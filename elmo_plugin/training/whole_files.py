"""Files that have all of their content from the moment that they have their name."""

import os
import shutil
from pathlib import Path
from typing import Any, BinaryIO, Callable

import torch

from elmo_plugin.training.workers import worker_number


def save_whole(content: Any, path: str) -> None:
    """`torch.save`, under another name until the file is complete and on the disk."""
    _in_one_piece(Path(path), lambda file: torch.save(content, file))


def copy_whole(source: str, path: str) -> None:
    """Makes `path` the file `source` under a second name or, where the file system has no such thing, a copy of it."""
    partial = _partial(Path(path))
    partial.unlink(missing_ok=True)
    try:
        os.link(source, partial)
    except OSError:
        with open(source, "rb") as original:
            _in_one_piece(Path(path), lambda file: shutil.copyfileobj(original, file))
        return
    partial.replace(path)
    # Where both names were the same file already, replacing does nothing and leaves the second one.
    partial.unlink(missing_ok=True)
    _sync_folder(Path(path).parent)


def _in_one_piece(path: Path, write: Callable[[BinaryIO], Any]) -> None:
    partial = _partial(path)
    try:
        with partial.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _sync_folder(path.parent)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def remove_partial_files(folder: str) -> None:
    """What this process, in an earlier life, was killed in the middle of."""
    for partial in Path(folder).glob(f"*{_ending()}"):
        partial.unlink(missing_ok=True)


def _partial(path: Path) -> Path:
    return path.with_name(path.name + _ending())


def _ending() -> str:
    """Machines may share a folder, so each process of a training has its own names."""
    return f".w{worker_number()}.partial"


def _sync_folder(folder: Path) -> None:
    """Names are on the disk when their folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
