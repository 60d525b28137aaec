"""
Text as the People's Daily corpus writes it: `word/tag`, names nested in brackets, a paragraph a line.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Iterator, List, NamedTuple

from allennlp.common.checks import ConfigurationError

from elmo_plugin.data.dataset_readers.lines import numbered_lines

# `19980101-01-001-001/m`: date, page, article, paragraph.
_IDENTIFIER = re.compile(r"\d{8}-\d{2}-\d{3}-\d{3}/m")
# Opening brackets, the word, its tag, and what closes behind it. A bracket may itself be the word.
_TOKEN = re.compile(r"(\[*)(.+?)/([^/\[\]]+)((?:\]/?[^/\[\]]*)*)")


class Word(NamedTuple):
    """A word and its tag, as they stand."""

    text: str
    tag: str


class Bracket(NamedTuple):
    """Words `start` to `end`, the end exclusive, stand in brackets with a tag of their own."""

    tag: str
    start: int
    end: int


@dataclass
class Paragraph:
    """
    One line of a file.

    # Parameters

    file, line : where it stands.
    words : its words.
    brackets : all of them, in the order in which they close.
    """

    file: str
    line: int
    words: List[Word] = field(default_factory=list)
    brackets: List[Bracket] = field(default_factory=list)

    @property
    def place(self) -> str:
        """File and line, for error messages."""
        return f"{self.file}, line {self.line}"


def slashed_paragraphs(path: str, counts: Counter) -> Iterator[Paragraph]:
    """
    The lines of a file that hold words, in order. An identifier in front of a line is dropped; `counts` is added to.

    # Raises

    `ConfigurationError`, naming file and line, for a word without a tag, brackets that do not match, a file without a
    word, and whatever `numbered_lines` finds.
    """
    has_words = False
    for number, line in numbered_lines(path):
        tokens = line.split()
        if tokens and _IDENTIFIER.fullmatch(tokens[0]):
            counts["identifiers left out"] += 1
            del tokens[0]
        if not tokens:
            counts["lines without words left out"] += 1
            continue
        has_words = True
        yield _paragraph(Paragraph(path, number), tokens)
    if not has_words:
        raise ConfigurationError(
            f"{path} holds no word. Expected word/tag pairs with white space between them, a paragraph a line; check "
            f"the path, or leave the file out of the pattern."
        )


def _paragraph(paragraph: Paragraph, tokens: List[str]) -> Paragraph:
    """Fills in the words and the brackets."""
    opened: List[int] = []
    for position, token in enumerate(tokens):
        found = _TOKEN.fullmatch(token)
        if found is None:
            raise ConfigurationError(
                f"{paragraph.place}: expected word/tag, found {token!r} as word {position + 1}. Give it a tag; or, if "
                f"it belongs to the word before, take out the space."
            )
        brackets, text, tag, closing = found.groups()
        opened.extend([position] * len(brackets))
        paragraph.words.append(Word(text, tag))
        for closing_tag in closing.split("]")[1:]:
            _close(paragraph, opened, closing_tag.removeprefix("/"), token)
    if opened:
        raise ConfigurationError(
            f"{paragraph.place}: the bracket before word {opened[-1] + 1}, {paragraph.words[opened[-1]].text!r}, is "
            f"never closed. Close it in the same line, as ]nt, or take it out."
        )
    return paragraph


def _close(paragraph: Paragraph, opened: List[int], tag: str, token: str) -> None:
    position = len(paragraph.words)
    if not opened:
        raise ConfigurationError(
            f"{paragraph.place}: a bracket closes behind {token!r}, word {position}, and none is open. Open it in the "
            f"same line, or take it out."
        )
    if not tag:
        raise ConfigurationError(
            f"{paragraph.place}: the bracket that closes behind {token!r}, word {position}, has no tag. Expected one "
            f"such as ]nt."
        )
    paragraph.brackets.append(Bracket(tag, opened.pop(), position))
