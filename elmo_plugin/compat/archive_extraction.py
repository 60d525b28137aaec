"""
Archives unpacked through tarfile's "data" filter.

AllenNLP (`models/archival.py` 302) calls `extractall` without a filter.  Python 3.12 and 3.13 warn of that, because a
member named `../x` or a link may then write outside the folder, and Python 3.14 filters by default.  Here every Python
that has the filter (3.10.12 and 3.11.4 have it too) uses it, so that an archive does the same on all of them: a member
that points outside is a `tarfile.FilterError` which names it.
"""

import logging
import os
import shutil
import tarfile
import tempfile
from contextlib import contextmanager
from typing import Iterator, Union

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
    """
    folder = tempfile.mkdtemp()
    keep = False
    try:
        logger.info("unpacking archive %s into %s", resolved_archive_file, folder)
        with tarfile.open(resolved_archive_file, "r:gz") as archive:
            archive.extractall(folder, filter="data")
        keep = not cleanup
        yield folder
    finally:
        if not keep:
            logger.info("deleting the unpacked archive %s", folder)
            shutil.rmtree(folder, ignore_errors=True)


def is_needed() -> bool:
    """Whether this Python's tarfile has filters."""
    return hasattr(tarfile, "data_filter")


def apply() -> None:
    archival.extracted_archive = extracted_archive
