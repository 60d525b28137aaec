"""Files that have all of their content from the moment that they have their name."""

from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Union


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
