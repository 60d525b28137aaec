"""
Pretrained transformer tokenizers, which cannot be built with `add_special_tokens` any more.

AllenNLP passes it to the tokenizer's constructor (`common/cached_transformers.py` 204, called from
`data/tokenizers/pretrained_transformer_tokenizer.py` 72 and 116), where it never did anything.  transformers now
refuses a constructor argument that has the name of a method.  It is dropped: every call that encodes a text says for
itself whether special tokens are wanted.
"""

from typing import Any, Optional

import transformers
from allennlp.common import cached_transformers

_get_tokenizer = cached_transformers.get_tokenizer


def get_tokenizer(
    model_name: str, add_special_tokens: Optional[bool] = None, **kwargs: Any
) -> transformers.PreTrainedTokenizer:
    """The cached tokenizer of a model, whatever `add_special_tokens` is; other arguments reach its constructor."""
    return _get_tokenizer(model_name, **kwargs)


def is_needed() -> bool:
    """Whether the base of all tokenizers refuses the argument."""
    try:
        transformers.PreTrainedTokenizerBase(add_special_tokens=False)
    except AttributeError:
        return True
    return False


def apply() -> None:
    cached_transformers.get_tokenizer = get_tokenizer
