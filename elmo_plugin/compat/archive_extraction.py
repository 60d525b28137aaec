"""
Archives unpacked through tarfile's "data" filter.

AllenNLP (`models/archival.py` 302) calls `extractall` without a filter.  Python 3.12 and 3.13 warn of that, because a
member named `../x` or a link may then write outside the folder, and Python 3.14 filters by default.  Here every Python
that has the filter (3.10.12 and 3.11.4 have it too) uses it, so that an archive does the same on all of them: a member
that points outside is a `tarfile.FilterError` which names it.  A file that is no archive is an error which names the
file.
"""

import gzip
import logging
import os
import shutil
import tarfile
import tempfile
import zlib
from contextlib import contextmanager
from typing import Iterator, Union

from allennlp.common.checks import ConfigurationError
from allennlp.models import archival

logger = logging.getLogger(__name__)


@contextmanager
def extracted_archive(resolved_archive_file: Union[str, os.PathLike], cleanup: bool = True) -> Iterator[str]:
    """
    A temporary folder with the contents of an archive.

    # Parameters

    resolved_archive_file : `Union[str, os.PathLike]`
        A `.tar.gz` on this machine.
    cleanup : `bool`, optional (default = `True`)
        Whether to delete the folder on leaving.  It never outlives an archive that could not be unpacked.

    # Raises

    `ConfigurationError` where the file is no archive, or not a whole one.
    """
    folder = tempfile.mkdtemp()
    keep = False
    try:
        logger.info("unpacking archive %s into %s", resolved_archive_file, folder)
        _extract(resolved_archive_file, folder)
        keep = not cleanup
        yield folder
    finally:
        if not keep:
            logger.info("deleting the unpacked archive %s", folder)
            shutil.rmtree(folder, ignore_errors=True)


def _extract(file: Union[str, os.PathLike], folder: str) -> None:
    try:
        with tarfile.open(file, "r:gz") as archive:
            archive.extractall(folder, filter="data")
    except (tarfile.ReadError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ConfigurationError(
            f"{file}: expected the archive of a training, such as model.tar.gz, or its folder; this is none, or it is "
            f"cut short or damaged ({error})."
        ) from error


def is_needed() -> bool:
    """Whether this Python's tarfile has filters."""
    return hasattr(tarfile, "data_filter")


def apply() -> None:
    archival.extracted_archive = extracted_archive
