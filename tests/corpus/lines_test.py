import pytest

from elmo_plugin.corpus.blocks import Block
from elmo_plugin.corpus.lines import MAX_REPORTS_PER_BLOCK, decode, paragraphs


def block(data, offset=0, first_line=1):
    return Block(0, "a.txt", offset, first_line, data)


def test_lines_end_at_newlines_alone():
    assert decode(block("a\u2028b\x0cc\x85d\n\ne".encode()), False).texts == ["a\u2028b\x0cc\x85d", "", "e"]


def test_carriage_returns_are_dropped_and_counted():
    lines = decode(block(b"one\r\ntwo\r\nthree\n"), False)
    assert lines.texts == ["one", "two", "three"]
    assert lines.oddities["carriage_returns"] == 2


def test_a_byte_order_mark_is_dropped_at_the_start_of_a_file_only():
    data = b"\xef\xbb\xbfone\n"
    first, later = decode(block(data), False), decode(block(data, offset=10), False)
    assert (first.texts, first.oddities["byte_order_marks"]) == (["one"], 1)
    assert (later.texts, later.oddities["byte_order_marks"]) == (["\ufeffone"], 0)


def test_nul_characters_are_dropped_and_counted():
    lines = decode(block(b"o\x00ne\x00\ntwo\n"), False)
    assert lines.texts == ["one", "two"]
    assert lines.oddities["nul_characters"] == 2


def test_blank_lines_are_counted():
    assert decode(block("one\n\n \t\n\u3000\ntwo\n".encode()), False).oddities["blank_lines"] == 3


def test_an_undecodable_line_is_reported_by_file_line_and_byte_and_the_others_stay():
    lines = decode(block(b"one\nt\xffwo\nthree\n", offset=100, first_line=7), False)
    assert lines.texts == ["one", "three"]
    assert lines.oddities["undecodable_lines"] == 1
    assert lines.reports == ["a.txt:8: byte 105 (0xff) is not UTF-8 (invalid start byte)"]


def test_every_undecodable_line_is_counted_but_not_every_one_reported():
    lines = decode(block(b"\xff\n" * 50), False)
    assert lines.texts == []
    assert lines.oddities["undecodable_lines"] == 50
    assert len(lines.reports) == MAX_REPORTS_PER_BLOCK


def test_an_undecodable_line_stops_a_strict_reading():
    with pytest.raises(ValueError, match=r"a.txt:2: byte 5 \(0xff\) is not UTF-8 .*leave --strict out"):
        decode(block(b"one\nt\xffwo\n"), True)


def test_utf_16_is_named_with_the_command_that_converts_it():
    with pytest.raises(ValueError, match="a.txt: starts with a UTF-16 byte order mark.*iconv -f UTF-16"):
        decode(block("text\n".encode("utf-16")), False)


def test_paragraphs_are_separated_by_blank_lines_or_by_lines():
    texts = ["one ", "two", "", "  ", "three"]
    assert list(paragraphs(texts, "blank", " ")) == ["one two", "three"]
    assert list(paragraphs(texts, "blank", "")) == ["onetwo", "three"]
    assert list(paragraphs(texts, "line", " ")) == ["one ", "two", "three"]
