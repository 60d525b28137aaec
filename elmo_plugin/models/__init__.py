"""
`allennlp_models`, where it is installed, has a model "language_model" too, and registers it with no leave for another
one of that name. It therefore goes first; ours, in `language_model.py`, then takes its place.
"""

import logging
from importlib import import_module
from importlib.util import find_spec

if find_spec("allennlp_models") is not None:
    try:
        import_module("allennlp_models.lm")
    except ImportError as error:
        logging.getLogger(__name__).warning(
            "allennlp_models is installed, but its part `lm` can't be imported: %s", error
        )
