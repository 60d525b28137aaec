"""
Words as symbols, for models that read characters (code points, not bytes) and perhaps whole words, from tables of their
own: those of ELMoForManyLangs.

Everywhere else in this package a word is its bytes (`characters.py`), and a model of this kind is given bytes too. It
turns them back into the word and looks that up in its tables.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Dict, List, Sequence, Tuple

import numpy

from elmo_plugin.bilm.characters import BEGIN_SENTENCE_ID, BEGIN_WORD_ID, END_SENTENCE_ID, END_WORD_ID

# Entries of the tables that are no text.
BEGIN_SENTENCE_SYMBOL, END_SENTENCE_SYMBOL = "<bos>", "<eos>"
UNKNOWN_SYMBOL, PADDING_SYMBOL = "<oov>", "<pad>"
BEGIN_WORD_SYMBOL, END_WORD_SYMBOL = "<bow>", "<eow>"
_SENTENCE_SYMBOLS = (BEGIN_SENTENCE_SYMBOL, END_SENTENCE_SYMBOL)
_OF_CHARACTERS = (*_SENTENCE_SYMBOLS, UNKNOWN_SYMBOL, PADDING_SYMBOL, BEGIN_WORD_SYMBOL, END_WORD_SYMBOL)
_OF_WORDS = (*_SENTENCE_SYMBOLS, UNKNOWN_SYMBOL)
_BYTES_OF_A_SYMBOL = 4


@dataclass(frozen=True)
class SymbolTables:
    """
    # Parameters

    characters : in the order of their ids, `<bos> <eos> <oov> <pad> <bow> <eow>` among them; `""` where an id is no
        character's.
    words : likewise, `<bos> <eos> <oov>` among them; none where the model has no vectors of whole words.
    max_symbols : positions of a word, the two marks included; longer words are cut.

    # Raises

    `ValueError` where an entry that is no text is missing, or `max_symbols` leaves no room.
    """

    characters: Tuple[str, ...]
    words: Tuple[str, ...]
    max_symbols: int

    def __post_init__(self) -> None:
        for name, table, special in (("characters", self.characters, _OF_CHARACTERS), ("words", self.words, _OF_WORDS)):
            missing = [entry for entry in special if entry not in table]
            if table and missing or (name == "characters" and missing):
                raise ValueError(f"The table of {name} lacks {', '.join(missing)}. It must hold {', '.join(special)}.")
        if self.max_symbols < 3:
            raise ValueError(
                "A word must have at least 3 positions (begin of word, one character, end of word), but it has "
                f"{self.max_symbols}."
            )

    @property
    def max_characters(self) -> int:
        """Positions of a word as bytes, wide enough for every word that is not cut."""
        return (self.max_symbols - 2) * _BYTES_OF_A_SYMBOL + 2

    @cached_property
    def _character_ids(self) -> Dict[str, int]:
        return {character: index for index, character in enumerate(self.characters) if character}

    @cached_property
    def _word_ids(self) -> Dict[str, int]:
        return {word: index for index, word in enumerate(self.words) if word}

    def encode(self, characters: numpy.ndarray) -> Tuple[numpy.ndarray, numpy.ndarray]:
        """
        Words as bytes to words as symbols: `<eow> character… <bow> <pad>…`. The two marks change places, for so
        ELMoForManyLangs trained its models.

        # Parameters

        characters : shifted ids of bytes. Shape: (num_types, max_characters)

        # Returns

        Shifted ids of symbols, and ids of words (not shifted). Shapes: (num_types, max_symbols), (num_types,)
        """
        ids, unknown = self._character_ids, self._character_ids[UNKNOWN_SYMBOL]
        symbols = numpy.full((len(characters), self.max_symbols), ids[PADDING_SYMBOL], dtype=numpy.int64)
        words: List[int] = []
        for row, shifted in zip(symbols, characters.tolist()):
            word = _word_of(shifted)[: self.max_symbols - 2] if shifted[1] not in _MARKS else _MARKS[shifted[1]]
            if word in _SENTENCE_SYMBOLS:
                inside = [ids[word]]
            else:
                inside = [ids.get(character, unknown) for character in word]
            row[: len(inside) + 2] = [ids[END_WORD_SYMBOL], *inside, ids[BEGIN_WORD_SYMBOL]]
            words.append(self._word_ids.get(word, self._word_ids[UNKNOWN_SYMBOL]) if self.words else 0)
        return symbols + 1, numpy.array(words, dtype=numpy.int64)

    def to_dict(self) -> Dict[str, Any]:
        """As it stands in `options.json`."""
        return {
            "characters": list(self.characters),
            "words": list(self.words),
            "max_symbols_per_token": self.max_symbols,
        }


_MARKS = {BEGIN_SENTENCE_ID: BEGIN_SENTENCE_SYMBOL, END_SENTENCE_ID: END_SENTENCE_SYMBOL}


def _word_of(shifted: Sequence[int]) -> str:
    """The word between the marks; `""` of a row of zeros."""
    if shifted[0] != BEGIN_WORD_ID:
        return ""
    return bytes(index - 1 for index in shifted[1 : shifted.index(END_WORD_ID)]).decode("utf-8", "ignore")
