"""
A vocabulary whose files are there in full or not at all.

AllenNLP (`data/vocabulary.py` 765) writes a vocabulary's files in place, and a training that is taken up again writes
them again. A process killed while it does so leaves half a list of words; a distributed training, which reads its
vocabulary from there, then starts with fewer words than it had, and is refused by its own checkpoint.
"""

import os
import shutil

from allennlp.common.file_utils import FileLock
from allennlp.data import Vocabulary

_in_place = Vocabulary.save_to_files


def _save_to_files(self: Vocabulary, directory: str) -> None:
    """Writes into another folder beside it, which takes its place; where there is one already, file by file."""
    directory = os.path.normpath(directory)
    partial = f"{directory}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    _in_place(self, partial)
    if not os.path.isdir(directory) or not os.listdir(directory):
        os.replace(partial, directory)
        return
    with FileLock(os.path.join(directory, ".lock")):
        for name in os.listdir(partial):
            if name != ".lock":
                os.replace(os.path.join(partial, name), os.path.join(directory, name))
    shutil.rmtree(partial)


def is_needed() -> bool:
    """Always: the fault is AllenNLP's own, whatever is installed beside it."""
    return True


def apply() -> None:
    Vocabulary.save_to_files = _save_to_files
