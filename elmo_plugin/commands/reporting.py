"""What goes wrong in a subcommand, as an error for its user."""

import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from allennlp.common.checks import ConfigurationError

from elmo_plugin.bilm.whole_file import failed_write
from elmo_plugin.corpus.directories import nearest_directory


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
        reason = failed_write(error)
        if reason is None:
            raise
        free = shutil.disk_usage(nearest_directory(output.absolute().parent)).free
        said = f"{reason}, with {free / 1e9:.2f} GB free on the disk of {output}."
        raise ConfigurationError(f"{said} {what_now}") from error
