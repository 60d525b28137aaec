"""
Words as character ids.

A word is its UTF-8 bytes between a begin-of-word and an end-of-word mark, padded to a fixed width:

    258, bytes…, 259, 260, 260, …

Every id here is in the *shifted* form, one higher than in the table above, so that 0 can mean "no word here"
(a masked position). This is the form of AllenNLP's `elmo_tokens` tensors. The source of the numbers is
bilm-tf's vocabulary of characters (Peters et al. 2018).
"""

from typing import List, Sequence

import numpy

MASK_ID = 0
BEGIN_SENTENCE_ID = 256 + 1
END_SENTENCE_ID = 257 + 1
BEGIN_WORD_ID = 258 + 1
END_WORD_ID = 259 + 1
PADDING_ID = 260 + 1

BEGIN_SENTENCE = "<S>"
END_SENTENCE = "</S>"

# What stands between the two word marks of the sentence marks, in place of bytes.
_SENTENCE_MARKS = {BEGIN_SENTENCE: [BEGIN_SENTENCE_ID], END_SENTENCE: [END_SENTENCE_ID]}


def word_to_characters(word: str, max_characters: int) -> List[int]:
    """
    The ids of one word, `max_characters` of them.

    A word of more than `max_characters - 2` bytes is cut there (in the middle of a character where it so falls,
    as the reference does). The literal words `<S>` and `</S>` are the sentence marks. A lone surrogate, which
    UTF-8 can't hold, is left out, as the reference does.
    """
    inside = _SENTENCE_MARKS.get(word)
    if inside is None:
        inside = [byte + 1 for byte in word.encode("utf-8", "ignore")[: max_characters - 2]]
    ids = [BEGIN_WORD_ID, *inside, END_WORD_ID]
    return ids + [PADDING_ID] * (max_characters - len(ids))


def words_to_characters(words: Sequence[str], max_characters: int) -> numpy.ndarray:
    """
    The ids of many words.

    # Returns

    `int64` array. Shape: (num_types, max_characters)
    """
    result = numpy.full((len(words), max_characters), PADDING_ID, dtype=numpy.int64)
    for row, word in zip(result, words):
        inside = _SENTENCE_MARKS.get(word)
        if inside is None:
            encoded = word.encode("utf-8", "ignore")[: max_characters - 2]
            inside = numpy.frombuffer(encoded, dtype=numpy.uint8) + numpy.int64(1)
        row[0] = BEGIN_WORD_ID
        row[1 : len(inside) + 1] = inside
        row[len(inside) + 1] = END_WORD_ID
    return result
