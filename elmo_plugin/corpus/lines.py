"""Bytes to lines of text, with everything odd about them counted and nothing dropped in silence."""

import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from typing import Iterable, Iterator, List, Optional

from elmo_plugin.corpus.blocks import UTF16_MARKS, Piece

# Every oddity that `corpus.json` counts; most are about lines, the first about files, the last about tokens (see
# `encoding`).
ODDITIES = (
    "undecodable_files",
    "undecodable_lines",
    "unusable_lines",
    "nul_characters",
    "byte_order_marks",
    "carriage_returns",
    "blank_lines",
    "overlong_lines_cut",
    "literal_special_tokens",
)
SKIPPED_TEXT = ("undecodable_files", "undecodable_lines", "unusable_lines")
# Of one piece of the input, a few MB: a file that is no text at all is not to fill the disk with messages.
MAX_REPORTS = 10_000
_BYTE_ORDER_MARK = "\ufeff"
# What a file may begin with that is no text.
MARKS = (*UTF16_MARKS, _BYTE_ORDER_MARK.encode("utf-8"))


@dataclass
class Lines:
    """
    The lines of a piece, without their ends; empty in the place of those that had to be skipped.

    # Parameters

    texts : `List[str]`
    oddities : `Counter`
        How often each of `ODDITIES` was met.
    reports : `List[str]`
        One message for each skipped line, naming file and line, and the byte that is not UTF-8; the first
        `MAX_REPORTS`, and one that says so.
    strict : `bool`
        Whether to stop at a line that cannot be used instead of skipping it.
    """

    texts: List[str]
    oddities: Counter = field(default_factory=Counter)
    reports: List[str] = field(default_factory=list)
    strict: bool = False

    def skip(self, oddity: str, report: str) -> None:
        """Counts and reports a line, or a whole file; raises a `ValueError` where `strict`."""
        if self.strict:
            raise ValueError(f"{report}. Mend the file, or leave --strict out to skip what cannot be used.")
        self.oddities[oddity] += 1
        if len(self.reports) < MAX_REPORTS:
            self.reports.append(report)
        elif len(self.reports) == MAX_REPORTS:
            self.reports.append(f"{report}; more of the same piece of the input are counted, not named")


def decode(piece: Piece, strict: bool) -> Lines:
    """
    Decodes UTF-8, drops a byte order mark at the start of a file and counts blank lines. A line that is not UTF-8 is
    skipped, and so is a whole file in UTF-16, of which the piece holds only how it begins.

    # Raises

    `ValueError` for an undecodable line or file where `strict` is true.
    """
    if piece.offset == 0 and piece.data.startswith(UTF16_MARKS):
        lines = Lines([], strict=strict)
        mark = f"byte 0 (0x{piece.data[0]:02x}) begins a UTF-16 byte order mark, and the whole file is not UTF-8"
        command = f"iconv -f UTF-16 -t UTF-8 {piece.source} > converted.txt"
        lines.skip("undecodable_files", f"{piece.source}:1: {mark} (convert it: {command})")
        return lines
    try:
        lines = Lines(_split(piece.data.decode("utf-8")), strict=strict)
    except UnicodeDecodeError:
        lines = _decode_line_by_line(piece, strict)
    if piece.offset == 0 and lines.texts and lines.texts[0].startswith(_BYTE_ORDER_MARK):
        lines.texts[0] = lines.texts[0][1:]
        lines.oddities["byte_order_marks"] = 1
    lines.oddities["overlong_lines_cut"] = int(piece.line_is_cut)
    num_empty = sum(1 for text in lines.texts if not text or text.isspace())
    lines.oddities["blank_lines"] = num_empty - lines.oddities["undecodable_lines"]
    return lines


def clean(lines: Lines, normal_form: Optional[str]) -> None:
    """Drops NUL characters and the `\\r` of `\\r\\n`, and brings the text into a normal form."""
    if any("\x00" in text for text in lines.texts):
        lines.oddities["nul_characters"] = sum(text.count("\x00") for text in lines.texts)
        lines.texts = [text.replace("\x00", "") for text in lines.texts]
    if any(text.endswith("\r") for text in lines.texts):
        lines.oddities["carriage_returns"] = sum(text.endswith("\r") for text in lines.texts)
        lines.texts = [text[:-1] if text.endswith("\r") else text for text in lines.texts]
    if normal_form is not None:
        lines.texts = [unicodedata.normalize(normal_form, text) for text in lines.texts]


def paragraphs(texts: Iterable[str], separator: str, joint: str) -> Iterator[str]:
    """
    Joins lines into paragraphs: with `separator` `line` every line that is not blank is one, with `blank` every run
    of such lines, joined by `joint`.
    """
    if separator == "line":
        yield from (text for text in texts if text and not text.isspace())
        return
    run: List[str] = []
    for text in texts:
        if text and not text.isspace():
            run.append(text.strip())
        elif run:
            yield joint.join(run)
            run = []
    if run:
        yield joint.join(run)


def _split(text: str) -> List[str]:
    """Lines end at newlines alone: what else Python calls a line boundary is white space within a line."""
    texts = text.split("\n")
    if not texts[-1]:
        texts.pop()
    return texts


def _decode_line_by_line(piece: Piece, strict: bool) -> Lines:
    lines, offset = Lines([], strict=strict), piece.offset
    for number, data in enumerate(piece.data.split(b"\n"), start=piece.first_line):
        try:
            lines.texts.append(data.decode("utf-8"))
        except UnicodeDecodeError as error:
            position = f"byte {offset + error.start} (0x{data[error.start]:02x})"
            lines.skip("undecodable_lines", f"{piece.source}:{number}: {position} is not UTF-8 ({error.reason})")
            lines.texts.append("")
        offset += len(data) + 1
    if piece.data.endswith(b"\n"):
        lines.texts.pop()
    return lines
