"""What other packages log, held back where it says nothing to the user."""

import logging
import os
from contextlib import contextmanager
from typing import Iterator

# AllenNLP's own variable, which makes its log longer.
DEBUG_VARIABLE = "ALLENNLP_DEBUG"


@contextmanager
def quiet(*loggers: str, level: int = logging.WARNING) -> Iterator[None]:
    """
    Within this context these loggers, and those below them, let pass only what is of a level or above it. With
    `ALLENNLP_DEBUG` in the environment nothing is held back.
    """
    found = [logging.getLogger(name) for name in loggers]
    levels = [logger.level for logger in found]
    try:
        for logger in [] if os.environ.get(DEBUG_VARIABLE) else found:
            logger.setLevel(max(level, logger.getEffectiveLevel()))
        yield
    finally:
        for logger, before in zip(found, levels):
            logger.setLevel(before)
