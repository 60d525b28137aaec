"""
ELMo for AllenNLP: components that pretrain bidirectional language models and use them.

Importing this package registers every component, where AllenNLP is installed. Without it, `elmo_plugin.bilm`, the
model in pure PyTorch, works all the same.
"""

from importlib.util import find_spec

if find_spec("allennlp") is not None:
    from elmo_plugin import compat  # noqa: F401  (mends AllenNLP first)
    from elmo_plugin import registration  # noqa: F401
