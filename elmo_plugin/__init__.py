"""
ELMo for AllenNLP: components that pretrain bidirectional language models and use them.

Importing this package registers every component, where AllenNLP is installed. Without it, `elmo_plugin.bilm`, the
model in pure PyTorch, works all the same, and so does `from elmo_plugin import ElmoEmbedder`.
"""

from importlib.util import find_spec
from typing import Any

__all__ = ["ElmoEmbedder", "ElmoLanguageModel"]

if find_spec("allennlp") is not None:
    from elmo_plugin import compat  # noqa: F401  (mends AllenNLP first)
    from elmo_plugin import registration  # noqa: F401


def __getattr__(name: str) -> Any:
    """Names that are imported when they are asked for, so that importing the package stays cheap."""
    if name == "ElmoEmbedder":
        from elmo_plugin.elmo_embedder import ElmoEmbedder

        return ElmoEmbedder
    if name == "ElmoLanguageModel":
        from elmo_plugin.elmo_language_model import ElmoLanguageModel

        return ElmoLanguageModel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
