"""Files that have all of their content from the moment that they have their name."""

import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Optional, Union

# What torch and HDF5 say, in a `RuntimeError`, where a file system takes no more; all others raise an `OSError`.
_FAILED_WRITE = re.compile("(?i)file write failed|unable to extend file|failed writing file|unexpected pos")
# Far down in what HDF5 says: the system's own reason.
_NUMBER_OF_ERROR = re.compile(r"errno = (\d+)")


@contextmanager
def whole_file(path: Union[str, Path]) -> Iterator[Path]:
    """
    `with whole_file(path) as partial:` – the path of a file to write, beside `path`. At the end it takes that name, and
    the place of a file which has it; where the context is left by an error it is removed.
    """
    partial = Path(f"{path}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_whole(path: Union[str, Path], text: str) -> None:
    """A file of text, in UTF-8."""
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def check_place(path: Path, force: bool) -> None:
    """
    # Raises

    `ValueError` where there is no folder to write the file in, or where it is there already and must not be replaced;
    no device and no pipe ever must.
    """
    if not path.parent.is_dir():
        raise ValueError(f"There is no folder {path.parent} to write {path.name} in. Make it, or give another path.")
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ValueError(
            f"{path} is a device or a pipe, whose place a file would take. Give the name of a file to write."
        )
    if path.exists() and not force:
        raise ValueError(f"{path}: already exists. Use --force to overwrite it, or give another name.")


def failed_write(error: Exception) -> Optional[str]:
    """Why a file could not be written (a full disk, a folder without permission); `None` for any other error."""
    if not isinstance(error, OSError) and _FAILED_WRITE.search(str(error)) is None:
        return None
    match = _NUMBER_OF_ERROR.search(str(error))
    return os.strerror(int(match.group(1))) if match is not None else str(error).splitlines()[0]
