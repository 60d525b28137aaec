import re

import pytest

from elmo_plugin.corpus.blocks import Piece
from elmo_plugin.corpus.lines import MAX_REPORTS, clean, decode, paragraphs


def piece(data, offset=0, first_line=1):
    return Piece("a.txt", offset, first_line, data)


def decode_and_clean(data, normal_form=None):
    lines = decode(piece(data), False)
    clean(lines, normal_form)
    return lines


def test_lines_end_at_newlines_alone():
    assert decode(piece("a\u2028b\x0cc\x85d\n\ne".encode()), False).texts == ["a\u2028b\x0cc\x85d", "", "e"]


def test_carriage_returns_are_dropped_and_counted():
    lines = decode_and_clean(b"one\r\ntwo\r\nthree\n")
    assert lines.texts == ["one", "two", "three"]
    assert lines.oddities["carriage_returns"] == 2


def test_a_byte_order_mark_is_dropped_at_the_start_of_a_file_only():
    data = b"\xef\xbb\xbfone\n"
    first, later = decode(piece(data), False), decode(piece(data, offset=10), False)
    assert (first.texts, first.oddities["byte_order_marks"]) == (["one"], 1)
    assert (later.texts, later.oddities["byte_order_marks"]) == (["\ufeffone"], 0)


def test_nul_characters_are_dropped_and_counted():
    lines = decode_and_clean(b"o\x00ne\x00\ntwo\n")
    assert lines.texts == ["one", "two"]
    assert lines.oddities["nul_characters"] == 2


def test_text_is_brought_into_a_normal_form_only_on_request():
    assert decode_and_clean("e\u0301".encode()).texts == ["e\u0301"]
    assert decode_and_clean("e\u0301".encode(), "NFC").texts == ["\u00e9"]
    assert decode_and_clean("ＡＢ".encode(), "NFKC").texts == ["AB"]


def test_blank_lines_are_counted():
    assert decode(piece("one\n\n \t\n\u3000\ntwo\n".encode()), False).oddities["blank_lines"] == 3


def test_an_undecodable_line_is_reported_by_file_line_and_byte_and_the_others_stay():
    lines = decode(piece(b"one\nt\xffwo\nthree\n", offset=100, first_line=7), False)
    assert lines.texts == ["one", "", "three"]
    assert (lines.oddities["undecodable_lines"], lines.oddities["blank_lines"]) == (1, 0)
    assert lines.reports == ["a.txt:8: byte 105 (0xff) is not UTF-8 (invalid start byte)"]


def test_every_undecodable_line_is_counted_but_not_every_one_reported():
    lines = decode(piece(b"\xff\n" * (MAX_REPORTS + 3)), False)
    assert set(lines.texts) == {""}
    assert lines.oddities["undecodable_lines"] == MAX_REPORTS + 3
    assert len(lines.reports) == MAX_REPORTS + 1
    assert "counted, not named" not in lines.reports[-2] and "counted, not named" in lines.reports[-1]


def test_an_undecodable_line_stops_a_strict_reading():
    with pytest.raises(ValueError, match=r"a.txt:2: byte 5 \(0xff\) is not UTF-8 .*leave --strict out"):
        decode(piece(b"one\nt\xffwo\n"), True)


def test_a_file_in_utf_16_is_counted_and_reported_with_the_command_that_converts_it():
    lines = decode(piece(b"\xff\xfe"), False)
    assert (lines.texts, lines.oddities) == ([], {"undecodable_files": 1})
    expected = r"a.txt:1: byte 0 \(0xff\) begins a UTF-16 byte order mark.*iconv -f UTF-16 -t UTF-8 a.txt"
    assert re.match(expected, lines.reports[0])
    with pytest.raises(ValueError, match=expected + ".*leave --strict out"):
        decode(piece(b"\xff\xfe"), True)


def test_paragraphs_are_separated_by_blank_lines_or_by_lines():
    texts = ["one ", "two", "", "  ", "three"]
    assert list(paragraphs(texts, "blank", " ")) == ["one two", "three"]
    assert list(paragraphs(texts, "blank", "")) == ["onetwo", "three"]
    assert list(paragraphs(texts, "line", " ")) == ["one ", "two", "three"]
