"""Bytes to lines of text, with everything odd about them counted and nothing dropped in silence."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Iterable, Iterator, List

from elmo_plugin.corpus.blocks import Block

# Every oddity that `corpus.json` counts; most are about lines, the rest about tokens (see `encoding`).
ODDITIES = (
    "undecodable_lines",
    "nul_characters",
    "byte_order_marks",
    "carriage_returns",
    "blank_lines",
    "overlong_lines_cut",
    "literal_special_tokens",
)
MAX_REPORTS_PER_BLOCK = 20
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_BYTE_ORDER_MARK = "\ufeff"


@dataclass
class Lines:
    """
    The lines of a block, without their ends; those that could not be decoded are left out.

    # Parameters

    texts : `List[str]`
    oddities : `Counter`
        How often each of `ODDITIES` was met.
    reports : `List[str]`
        One message for each undecodable line, naming file, line and byte; the first `MAX_REPORTS_PER_BLOCK`.
    """

    texts: List[str]
    oddities: Counter = field(default_factory=Counter)
    reports: List[str] = field(default_factory=list)


def decode(block: Block, strict: bool) -> Lines:
    """
    Decodes UTF-8; drops byte order marks at the start of a file, NUL characters and the `\\r` of `\\r\\n`.

    A line that is not UTF-8 is left out, counted and reported; the lines around it stay.

    # Raises

    `ValueError` for an undecodable line where `strict` is true, and always for a file in UTF-16.
    """
    if block.offset == 0 and block.data.startswith(_UTF16_MARKS):
        raise ValueError(
            f"{block.source}: starts with a UTF-16 byte order mark; expected UTF-8. "
            f"Convert it first: iconv -f UTF-16 -t UTF-8 {block.source} > converted.txt"
        )
    try:
        lines = Lines(_split(block.data.decode("utf-8")))
    except UnicodeDecodeError:
        lines = _decode_line_by_line(block, strict)
    if block.offset == 0 and lines.texts and lines.texts[0].startswith(_BYTE_ORDER_MARK):
        lines.texts[0] = lines.texts[0][1:]
        lines.oddities["byte_order_marks"] = 1
    lines.oddities["overlong_lines_cut"] = int(block.line_is_cut)
    _drop_control_characters(lines, block.data)
    lines.oddities["blank_lines"] = sum(1 for text in lines.texts if not text or text.isspace())
    return lines


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


def _decode_line_by_line(block: Block, strict: bool) -> Lines:
    lines, offset = Lines([]), block.offset
    for number, data in enumerate(block.data.split(b"\n"), start=block.first_line):
        try:
            lines.texts.append(data.decode("utf-8"))
        except UnicodeDecodeError as error:
            report = (
                f"{block.source}:{number}: byte {offset + error.start} (0x{data[error.start]:02x}) is not UTF-8 "
                f"({error.reason})"
            )
            if strict:
                raise ValueError(f"{report}. Mend the file, or leave --strict out to skip such lines.") from error
            lines.oddities["undecodable_lines"] += 1
            if len(lines.reports) < MAX_REPORTS_PER_BLOCK:
                lines.reports.append(report)
        offset += len(data) + 1
    if lines.texts and block.data.endswith(b"\n"):
        lines.texts.pop()
    return lines


def _drop_control_characters(lines: Lines, data: bytes) -> None:
    if b"\x00" in data:
        lines.oddities["nul_characters"] = sum(text.count("\x00") for text in lines.texts)
        lines.texts[:] = [text.replace("\x00", "") for text in lines.texts]
    if b"\r" in data:
        lines.oddities["carriage_returns"] = sum(text.endswith("\r") for text in lines.texts)
        lines.texts[:] = [text[:-1] if text.endswith("\r") else text for text in lines.texts]
