"""
A folder in the place of a configuration is an error with a message.

AllenNLP (`common/params.py` 462) hands any path to the Jsonnet library, which ends the whole process where it is that
of a folder: "terminate called after throwing an instance of …".
"""

import os
from typing import Dict

from allennlp.common import params
from allennlp.common.checks import ConfigurationError

_of_any_path = params.evaluate_file


def _evaluate_file(filename: str, ext_vars: Dict[str, str]) -> str:
    """
    # Raises

    `ConfigurationError` for a folder.
    """
    if os.path.isdir(filename):
        inside = os.path.join(filename, "config.json")
        hint = f"; that of the training in it is {inside}" if os.path.isfile(inside) else ""
        raise ConfigurationError(f"{filename} is a folder. Give the file of a configuration{hint}.")
    return _of_any_path(filename, ext_vars=ext_vars)


def is_needed() -> bool:
    """Always: the library's way to end is its own, in all of its releases so far."""
    return True


def apply() -> None:
    params.evaluate_file = _evaluate_file
