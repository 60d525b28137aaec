"""What goes wrong in a subcommand, as an error for its user."""

import re
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from allennlp.common.checks import ConfigurationError

from elmo_plugin.corpus.directories import nearest_directory

# What torch says where a file system takes no more; all others raise an `OSError`.
_FAILED_WRITE = re.compile("file write failed|failed writing file|unexpected pos")


@contextmanager
def reported(output: Path, what_now: str) -> Iterator[None]:
    """
    Within this context, a `ValueError` or a missing input is a `ConfigurationError` of the same words. So is a write
    that fails (a full disk, a folder without permission), which says how much room there is, and `what_now`.
    """
    try:
        yield
    except (ValueError, FileNotFoundError) as error:
        raise ConfigurationError(str(error)) from error
    except (OSError, RuntimeError) as error:
        if not isinstance(error, OSError) and _FAILED_WRITE.search(str(error)) is None:
            raise
        free = shutil.disk_usage(nearest_directory(output.absolute().parent)).free
        said = f"{str(error).splitlines()[0]}, with {free / 1e9:.2f} GB free on the disk of {output}."
        raise ConfigurationError(f"{said} {what_now}") from error
