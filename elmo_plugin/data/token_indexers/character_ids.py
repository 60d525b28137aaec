"""Words of a text field as ELMo's character ids."""

from typing import Dict, List

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.data import Token, TokenIndexer, Vocabulary
from allennlp.data.token_indexers.token_indexer import IndexedTokenList

from elmo_plugin.bilm.characters import MASK_ID, words_to_characters


@TokenIndexer.register("elmo_character_ids")
class ElmoCharacterIdsIndexer(TokenIndexer):
    """
    The UTF-8 bytes of each word between the word marks, padded to a fixed width (`bilm/characters.py`); 0 where there
    is no word. The tensor is called `elmo_tokens`, and with the default width AllenNLP's own ELMo embedder takes it.

    Registered as a `TokenIndexer` with name "elmo_character_ids".

    ```jsonnet
    { "type": "elmo_character_ids", "max_characters": 50 }
    ```

    # Parameters

    max_characters : `int`, optional (default = `50`)
        Width of a word; must be `max_characters_per_token` of the biLM's options. Longer words are cut.
    token_min_padding_length : `int`, optional (default = `0`)
        Pad sentences to at least so many words.
    """

    def __init__(self, max_characters: int = 50, token_min_padding_length: int = 0) -> None:
        super().__init__(token_min_padding_length)
        if max_characters < 3:
            raise ConfigurationError(
                f"`max_characters` of the indexer elmo_character_ids must be at least 3 (begin of word, one byte, end "
                f"of word), but it is {max_characters}. Give 'max_characters_per_token' of the biLM's options.json."
            )
        self.max_characters = max_characters

    def count_vocab_items(self, token: Token, counter: Dict[str, Dict[str, int]]) -> None:
        """Nothing to count: bytes are known beforehand."""

    def tokens_to_indices(self, tokens: List[Token], vocabulary: Vocabulary) -> IndexedTokenList:
        words = []
        for token in tokens:
            if token.text is None:
                raise ConfigurationError(
                    "The indexer elmo_character_ids needs the text of each token, but a token has none. Use a "
                    "tokenizer that keeps it."
                )
            words.append(token.text)
        return {"elmo_tokens": words_to_characters(words, self.max_characters).tolist()}

    def get_empty_token_list(self) -> IndexedTokenList:
        return {"elmo_tokens": []}

    def as_padded_tensor_dict(
        self, tokens: IndexedTokenList, padding_lengths: Dict[str, int]
    ) -> Dict[str, torch.Tensor]:
        """Shape: (num_tokens, max_characters), `int64`"""
        words = tokens["elmo_tokens"]
        padded = torch.full((padding_lengths["elmo_tokens"], self.max_characters), MASK_ID)
        if words:
            padded[: len(words)] = torch.tensor(words)[: len(padded)]
        return {"elmo_tokens": padded}
