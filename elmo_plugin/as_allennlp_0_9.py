"""
`allennlp.commands.elmo`, which AllenNLP took away in 1.0, for programs that import `ElmoEmbedder` from there and are to
run as they are:

    from elmo_plugin import as_allennlp_0_9

    as_allennlp_0_9.install()
    from flair.embeddings import ELMoEmbeddings

Nothing is put into AllenNLP's place before `install` is called.
"""

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from elmo_plugin.bilm.state_policy import STATEFUL, STEADY
from elmo_plugin.elmo_embedder import (
    DEFAULT_BATCH_SIZE,
    DEFAULT_OPTIONS_FILE,
    DEFAULT_WEIGHT_FILE,
    ElmoEmbedder,
)
from elmo_plugin.remote_files import PathLike

PACKAGES, NAME = ("allennlp", "allennlp.commands"), "elmo"


class StatefulElmoEmbedder(ElmoEmbedder):
    """`ElmoEmbedder` that carries its state from batch to batch without being asked to, as AllenNLP 0.9's does."""

    default_state = STATEFUL

    def __init__(
        self,
        options_file: PathLike = DEFAULT_OPTIONS_FILE,
        weight_file: PathLike = DEFAULT_WEIGHT_FILE,
        cuda_device: int = -1,
        state: str = STATEFUL,
        **others: Any,
    ) -> None:
        super().__init__(options_file, weight_file, cuda_device, state, **others)


_CLASSES = {STEADY: ElmoEmbedder, STATEFUL: StatefulElmoEmbedder}


def install(state: str = STEADY) -> None:
    """
    From now on `from allennlp.commands.elmo import ElmoEmbedder` gives this project's, in this process. It must be
    called before the program is imported that says so. Where AllenNLP is not installed, an empty package stands for it.

    # Parameters

    state : of embedders for which the program, as it must, names none: `"steady"`, or `"stateful"` for the vectors of
        AllenNLP 0.9.

    # Raises

    `ValueError` for another state.
    """
    if state not in _CLASSES:
        raise ValueError(f"`state` must be one of {', '.join(_CLASSES)}, but it is {state!r}.")
    for package in PACKAGES:
        _import_or_stand_in(package)
    module = _put(f"{PACKAGES[-1]}.{NAME}", is_package=False)
    names = {
        "ElmoEmbedder": _CLASSES[state],
        "DEFAULT_OPTIONS_FILE": DEFAULT_OPTIONS_FILE,
        "DEFAULT_WEIGHT_FILE": DEFAULT_WEIGHT_FILE,
        "DEFAULT_BATCH_SIZE": DEFAULT_BATCH_SIZE,
    }
    for name, value in names.items():
        setattr(module, name, value)


def _import_or_stand_in(package: str) -> None:
    try:
        import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        _put(package, is_package=True)


def _put(name: str, is_package: bool) -> ModuleType:
    """An empty module of that name, as if it had been imported."""
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None, is_package=is_package)
    if is_package:
        module.__path__ = []
    sys.modules[name] = module
    parent, _, own = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], own, module)
    return module
