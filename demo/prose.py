"""Finds the English prose in documentation: paragraphs without code, tables, markup and lists of parameters."""

import re
from typing import Iterator, List

_FENCE = re.compile(r"^\s*(```|~~~)")
_UNDERLINE = re.compile(r"^\s*([=\-~^\"'`#*+.:_])\1{2,}\s*$")
_BULLET = re.compile(r"^\s*(?:[-*+•]|\(?\d+[.)]|#\.)\s+")
_FIELD = re.compile(r"^\s*(?::[^:`]+:(?!`)|@\w+)")
_CODE = re.compile(r"^\s*(>>>|\.\.\. |\.\. |In \[|Out\[|\$ |#|%|@|import |from \w+ import )")
_TABLE = re.compile(r"^\s*[|+]|\S   +\S|\t\S")

# What inline markup leaves of its text: (pattern, replacement), in this order.
_MARKUP = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"!?\[([^\]]+)\]\([^)]*\)", r"\1"),
        (r":[\w:+-]+:`[~!.]?([^`<]+?)\s*(?:<[^>`]*>)?`", r"\1"),
        (r"`([^`<]+?)\s*<[^>`]*>`_{0,2}", r"\1"),
        (r"\s*\[[#\w*]+\]_", ""),
        (r"``([^`]+)``", r"\1"),
        (r"`([^`]+)`_{0,2}", r"\1"),
        (r"\*\*([^*]+)\*\*", r"\1"),
        (r"(?<!\w)\*([^*\s][^*]*)\*(?!\w)", r"\1"),
        (r"<[a-zA-Z/][^>]*>", ""),
        (r"\\([ _*`])", r"\1"),
    )
)
_NOT_PROSE = re.compile(r"https?:|www\.|::|[=<>{}|\\^~$@#`]|\w\(|__|\.\. |\s\*|[\[\]]{2}|\d[.,]\d+[.,]\d")
_ENGLISH = frozenset(
    "the a an of to and or in is are be it this that for with as by on from at not if when which can will was were has "
    "have you its than then all but their they only also may must does".split()
)
_NOT_LITERAL = 1 << 30

MIN_WORDS = 6
MIN_ENGLISH = 0.25
MIN_LETTERS = 0.9


def paragraphs(document: str) -> Iterator[str]:
    """The paragraphs of a document (reStructuredText, Markdown, a docstring) that read as English, one line each."""
    for block in _blocks(document):
        text = " ".join(" ".join(_text_of(block)).split())
        for pattern, replacement in _MARKUP:
            text = pattern.sub(replacement, text)
        if is_prose(text):
            yield text


def is_prose(text: str) -> bool:
    """Whether a paragraph begins and ends as sentences do, holds enough common words and little but letters."""
    words = text.split()
    if len(words) < MIN_WORDS or not text[0].isupper() or text[-1] not in ".!?" or _NOT_PROSE.search(text):
        return False
    english = sum(word.strip(".,;:()\"'").lower() in _ENGLISH for word in words)
    letters = sum(character.isalpha() or character == " " for character in text)
    return english >= MIN_ENGLISH * len(words) and letters >= MIN_LETTERS * len(text)


def _blocks(document: str) -> Iterator[List[str]]:
    """
    Runs of lines that a blank line, a change of indentation or a list mark ends; without fenced code and without
    literal blocks, which are indented behind a `::` or below a directive.
    """
    block: List[str] = []
    is_fenced, literal_indent = False, _NOT_LITERAL
    for line in document.expandtabs().split("\n"):
        if _FENCE.match(line):
            is_fenced = not is_fenced
            yield block
            block = []
        elif not line.strip():
            yield block
            block = []
        elif not is_fenced and _indent(line) <= literal_indent:
            literal_indent = _NOT_LITERAL
            if _BULLET.match(line) or (block and _indent(line) != _text_indent(block)):
                yield block
                block = []
            if line.rstrip().endswith("::") or line.lstrip().startswith(".. "):
                literal_indent = _indent(line)
            block.append(line)
    yield block


def _text_of(block: List[str]) -> List[str]:
    """The lines of a block without its heading or list mark; none if there is code, a table or a field in it."""
    if any(_CODE.match(line) or _TABLE.search(line.strip()) or _FIELD.match(line) for line in block):
        return []
    underlines = [i for i, line in enumerate(block) if _UNDERLINE.match(line)]
    lines = block[underlines[-1] + 1 :] if underlines else block
    return [_BULLET.sub("", lines[0]), *lines[1:]] if lines else []


def _text_indent(block: List[str]) -> int:
    """Where the text of a block's lines begins: behind the list mark of its first, if that is all there is yet."""
    mark = _BULLET.match(block[0])
    return mark.end() if mark is not None and len(block) == 1 else _indent(block[-1])


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
