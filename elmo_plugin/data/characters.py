"""
Raw text as characters, cut into sentences.
"""

from typing import Iterable, Iterator, List, NamedTuple, Protocol, TypeVar

DEFAULT_MAX_CHARACTERS = 300
_SENTENCE_ENDS = frozenset("。！？!?…\n\r\u2028\u2029")
_CLAUSE_ENDS = frozenset("；;，,：:、")
# What may stand behind the end of a sentence and still belongs to it.
_CLOSING = frozenset("”’』」》〉）)】〕\"'")
_FULL_WIDTH = {
    code: chr(code - 0xFEE0) for first, last in ("０９", "ＡＺ", "ａｚ") for code in range(ord(first), ord(last) + 1)
}


class HasText(Protocol):
    """A piece of text."""

    @property
    def text(self) -> str: ...


Item = TypeVar("Item", bound=HasText)


class Character(NamedTuple):
    """One character of a text, and where it stands there."""

    text: str
    start: int


def half_width(text: str) -> str:
    """Digits and Latin letters of East Asian full width as those of ASCII (`１９９８` as `1998`); nothing else changes."""
    return text.translate(_FULL_WIDTH)


def characters_of(text: str) -> List[Character]:
    """The characters of a text, white space included."""
    return [Character(character, start) for start, character in enumerate(text)]


def sentences_of(items: Iterable[Item], max_characters: int = DEFAULT_MAX_CHARACTERS) -> Iterator[List[Item]]:
    """
    Characters or words, a sentence at a time and without white space. A sentence ends with one of `。！？!?…` or a line,
    and keeps the quotes and brackets that close behind it. What is longer than `max_characters` is cut behind its last
    clause mark (`，`, `；` …) within that many, or, where there is none, behind the last item within that many; no item
    is ever cut.

    # Parameters

    items : anything with a `text`, such as `Character`.
    max_characters : characters in a piece, one item at least.
    """
    sentence: List[Item] = []
    has_ended = False
    for item in items:
        if has_ended and not all(letter in _SENTENCE_ENDS or letter in _CLOSING for letter in item.text):
            yield from _pieces(sentence, max_characters)
            sentence, has_ended = [], False
        has_ended = has_ended or item.text[-1] in _SENTENCE_ENDS
        if not item.text.isspace():
            sentence.append(item)
    yield from _pieces(sentence, max_characters)


def _pieces(sentence: List[Item], max_characters: int) -> Iterator[List[Item]]:
    """Pieces of at most `max_characters`; none of an empty sentence."""
    piece: List[Item] = []
    length = 0
    for item in sentence:
        if piece and length + len(item.text) > max_characters:
            clause_ends = (i for i in range(len(piece), 0, -1) if piece[i - 1].text[-1] in _CLAUSE_ENDS)
            end = next(clause_ends, len(piece))
            yield piece[:end]
            piece = piece[end:]
            length = sum(len(kept.text) for kept in piece)
        piece.append(item)
        length += len(item.text)
    if piece:
        yield piece
