"""The distinct words of a text, as bytes end to end."""

from typing import Iterable, List

import numpy

from elmo_plugin.bilm.characters import (
    BEGIN_SENTENCE_ID,
    BEGIN_WORD_ID,
    END_SENTENCE_ID,
    END_WORD_ID,
    PADDING_ID,
)
from elmo_plugin.bilm.ranges import ranges
from elmo_plugin.bilm.vocabulary import WordVocabulary

_SENTENCE_MARKS = (
    (WordVocabulary.begin_sentence_id, BEGIN_SENTENCE_ID),
    (WordVocabulary.end_sentence_id, END_SENTENCE_ID),
)


class TypeTable:
    """
    The distinct words of a text, as bytes end to end: 9 bytes and the word for each, and a memory-mapped file will do.
    Character ids are made of them batch by batch; a table of those would take ten times the memory.

    # Parameters

    data : the words in UTF-8, a byte behind each, a line break say. Shape: (num_bytes,), `uint8`
    begins : where each word begins, and the end. Types 0 and 1 are `<S>` and `</S>`. Shape: (num_types + 1,), `int64`
    """

    def __init__(self, data: numpy.ndarray, begins: numpy.ndarray) -> None:
        self.data, self.begins = data, begins

    @classmethod
    def from_words(cls, words: Iterable[str]) -> "TypeTable":
        """A lone surrogate, which UTF-8 can't hold, is left out, as `word_to_characters` does."""
        encoded = [word.encode("utf-8", "ignore") for word in words]
        begins = numpy.zeros(len(encoded) + 1, dtype=numpy.int64)
        numpy.cumsum(numpy.fromiter(map(len, encoded), numpy.int64, len(encoded)) + 1, out=begins[1:])
        return cls(numpy.frombuffer(b"\n".join([*encoded, b""]), dtype=numpy.uint8), begins)

    def __len__(self) -> int:
        return len(self.begins) - 1

    def words(self, types: Iterable[int]) -> List[str]:
        return [self.data[self.begins[i] : self.begins[i + 1] - 1].tobytes().decode("utf-8") for i in types]

    def characters(self, types: numpy.ndarray, max_characters: int) -> numpy.ndarray:
        """
        What `words_to_characters` gives for the words, without a step of Python for each.

        # Parameters

        types : Shape: (num_types,)

        # Returns

        Shape: (num_types, max_characters), `int64`
        """
        begins = self.begins[types]
        lengths = numpy.minimum(self.begins[types + 1] - 1 - begins, max_characters - 2)
        result = numpy.full((len(types), max_characters), PADDING_ID, dtype=numpy.int64)
        result[:, 0] = BEGIN_WORD_ID
        # Where the first byte of each word stands, all words end to end. Shape: (num_types,)
        firsts = numpy.arange(1, result.size, max_characters)
        sources = ranges(begins, lengths)
        flat = result.reshape(-1)
        flat[sources + numpy.repeat(firsts - begins, lengths)] = self.data[sources] + numpy.int64(1)
        flat[firsts + lengths] = END_WORD_ID
        for number, mark in _SENTENCE_MARKS:
            row = [BEGIN_WORD_ID, mark, END_WORD_ID] + [PADDING_ID] * (max_characters - 3)
            result[types == number] = row
        return result

    def count_cut(self, max_characters: int) -> int:
        """How many of the words are longer than the width allows, and lose their end."""
        return int((numpy.diff(self.begins) - 1 > max_characters - 2).sum())
