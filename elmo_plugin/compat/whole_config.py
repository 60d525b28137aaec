"""
A `config.json` that is there in full.

AllenNLP (`common/params.py` 475) writes it in place, also when a training is taken up again. A process killed while it
does so leaves half of one, and then `--recover` can't read what to go on with.
"""

import os
from typing import List, Optional

from allennlp.common import Params

_in_place = Params.to_file


def _to_file(self: Params, params_file: str, preference_orders: Optional[List[List[str]]] = None) -> None:
    """Writes under another name, which takes its place."""
    partial = f"{params_file}.partial"
    _in_place(self, partial, preference_orders)
    os.replace(partial, params_file)


def is_needed() -> bool:
    """Always: the fault is AllenNLP's own, whatever is installed beside it."""
    return True


def apply() -> None:
    Params.to_file = _to_file
