"""
Words of raw text by spaCy's rules, without a downloaded model.
"""

from functools import lru_cache
from typing import Any, Dict, List

import spacy
from allennlp.common.checks import ConfigurationError
from allennlp.data.tokenizers import Token, Tokenizer
from spacy.language import Language


@lru_cache(maxsize=None)
def blank_pipeline(language: str) -> Language:
    """
    spaCy's empty pipeline of a language, which holds its tokenizer; made once in a process.

    # Raises

    `ConfigurationError` where spaCy does not know the language, or needs a package for it that is not there.
    """
    try:
        return spacy.blank(language)
    except ImportError as error:
        raise ConfigurationError(
            f"spaCy can't make a tokenizer for the language {language!r}: {error}. Give a language code that spaCy "
            f"knows ('en', 'de', 'zh', …; 'xx' for any other), and install the package that it may ask for."
        ) from error


@Tokenizer.register("elmo_spacy")
class BlankSpacyTokenizer(Tokenizer):
    """
    Cuts text into words by the rules of `spacy.blank(language)`: nothing is downloaded, there are no lemmas and no
    tags. Tokens of white space are left out. Each token knows its place: `text[token.idx:token.idx_end]` is
    `token.text`.

    AllenNLP's `spacy` tokenizer downloads `en_core_web_sm`; this one works offline. It holds only the language; the
    pipeline is made at the first use, once in a process, so that tokenizers travel to spawned workers.

    Registered as a `Tokenizer` with name "elmo_spacy".

    ```jsonnet
    {"type": "elmo_spacy", "language": "en"}
    ```

    # Parameters

    language : `str`, optional (default = `"en"`)
        A language code of spaCy. Chinese ("zh") is cut into single characters.
    """

    def __init__(self, language: str = "en") -> None:
        self.language = language

    def tokenize(self, text: str) -> List[Token]:
        """The words of `text`, with `idx` and `idx_end`, their first character and the one after their last."""
        # The pipeline's tokenizer, not the pipeline: that refuses texts of more than a million characters.
        words = blank_pipeline(self.language).tokenizer(text)
        return [
            Token(text=word.text, idx=word.idx, idx_end=word.idx + len(word.text))
            for word in words
            if not word.is_space
        ]

    def _to_params(self) -> Dict[str, Any]:
        return {"type": "elmo_spacy", "language": self.language}
