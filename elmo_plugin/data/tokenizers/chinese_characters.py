"""
Characters of Chinese text as words.
"""

from typing import Any, Dict, List

from allennlp.data.tokenizers import Token, Tokenizer

from elmo_plugin.corpus.segmenters import split_characters


@Tokenizer.register("elmo_chinese_characters")
class ChineseCharactersTokenizer(Tokenizer):
    """
    Each ideograph is a token; so is each run of other letters and digits, and each other mark; white space is left out.
    These are the words of `elmo-prepare --segmenter characters`, so a biLM that was trained on them meets what it
    knows. Each token knows its place: `text[token.idx:token.idx_end]` is `token.text`.

    ("elmo_spacy" with the language "zh" cuts Latin words and numbers into characters too.)

    Registered as a `Tokenizer` with name "elmo_chinese_characters".

    ```jsonnet
    {"type": "elmo_chinese_characters"}
    ```
    """

    def tokenize(self, text: str) -> List[Token]:
        """The words of `text`, with `idx` and `idx_end`, their first character and the one after their last."""
        tokens: List[Token] = []
        end = 0
        for word in split_characters(text):
            start = text.index(word, end)
            end = start + len(word)
            tokens.append(Token(text=word, idx=start, idx_end=end))
        return tokens

    def _to_params(self) -> Dict[str, Any]:
        return {"type": "elmo_chinese_characters"}
