"""Input whose lines are not text themselves: JSON objects, and ids of words."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, List, Optional, Sequence

from elmo_plugin.corpus.blocks import Piece
from elmo_plugin.corpus.lines import Lines

# What id lines hold besides words: begin a sequence, end a sentence or a sequence, fill it up.
_BEGINNINGS = ("[CLS]", "<S>", "<s>")
_ENDINGS = ("[SEP]", "</S>", "</s>")
_PADDINGS = ("[PAD]", "<pad>", "<PAD>")


def json_texts(lines: Lines, piece: Piece, field: str) -> None:
    """
    Puts in the place of each JSON object the lines of the document in its `field`, and a blank line behind it.

    A line that is no JSON object, or whose field is missing or no text, is skipped. Blank lines stay.
    """
    texts: List[str] = []
    for number, text in enumerate(lines.texts, start=piece.first_line):
        if text and not text.isspace():
            document = _document(text, field)
            if document is None:
                lines.skip("unusable_lines", f"{piece.source}:{number}: expected a JSON object with text in '{field}'")
                texts.append("")
            else:
                texts += document.split("\n")
                texts.append("")
        else:
            texts.append(text)
    lines.texts = texts


def _document(text: str, field: str) -> Optional[str]:
    try:
        value: Any = json.loads(text)
        document = value[field]
        document.encode("utf-8")
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        # No JSON, a number of thousands of digits, or half of a surrogate pair, which is no text; lists in lists in …;
        # no such field; no object; no string.
        return None
    return document


def id_texts(lines: Lines, piece: Piece, words: Sequence[str]) -> None:
    """
    Puts in the place of each id line (formats.md, section 7) its sentences, words separated by spaces.

    A line is `token_ids;…`: of the fields between semicolons the first counts, ids separated by spaces. `[SEP]` and
    `</S>` end sentences; these, `[CLS]`, `<S>` and `[PAD]` are left out. A line with anything else than line numbers
    of the vocabulary is skipped.

    # Parameters

    words : `Sequence[str]`
        The word of each id.
    """
    texts: List[str] = []
    for number, text in enumerate(lines.texts, start=piece.first_line):
        if not text or text.isspace():
            texts.append(text)
            continue
        ids = text.split(";", 1)[0].split()
        if ids and all(_is_below(i, len(words)) for i in ids):
            texts += _sentences([words[int(i)] for i in ids])
        else:
            expected = f"expected ids below {len(words)} in front of the first semicolon"
            lines.skip("unusable_lines", f"{piece.source}:{number}: {expected}")
            texts.append("")
    lines.texts = texts


def _is_below(text: str, end: int) -> bool:
    """Python makes no number of thousands of digits, nor do ids have them."""
    return text.isascii() and text.isdecimal() and len(text) < 19 and int(text) < end


def _sentences(words: List[str]) -> List[str]:
    sentences: List[List[str]] = [[]]
    for word in words:
        if word in _ENDINGS:
            sentences.append([])
        elif word not in _BEGINNINGS and word not in _PADDINGS:
            sentences[-1].append(word)
    return [" ".join(sentence) for sentence in sentences if sentence]


def read_id_vocabulary(path: str) -> List[str]:
    """
    The words of a vocabulary file, one a line; what follows a tab is ignored.

    # Raises

    `ValueError` if it is missing, not UTF-8, or has a line without a word or with white space inside it.
    """
    if not Path(path).is_file():
        raise ValueError(f"{path}: no such file; --id-vocabulary names the file whose line numbers are the ids.")
    changed = Path(path).stat()
    return _read_id_vocabulary(path, changed.st_mtime_ns, changed.st_size)


@lru_cache(maxsize=1)
def _read_id_vocabulary(path: str, modified: int, size: int) -> List[str]:
    """Read once by each process; the time and size of the file tell whether it still is the same."""
    try:
        text = Path(path).read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: byte {error.start} is not UTF-8 ({error.reason}); mend the file.") from error
    words = [line.split("\t")[0].rstrip("\r") for line in text.split("\n")]
    if not words[-1]:
        words.pop()
    for number, word in enumerate(words, start=1):
        if word.split() != [word]:
            raise ValueError(f"{path}:{number}: expected one word without white space, found '{word}'; mend the file.")
    return words
