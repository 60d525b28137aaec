import json
from collections import Counter

import pytest

from elmo_plugin.corpus.blocks import Piece
from elmo_plugin.corpus.forms import id_texts, json_texts, read_id_vocabulary
from elmo_plugin.corpus.lines import Lines

PIECE = Piece("a.jsonl", 0, 5, b"")
WORDS = ["[PAD]", "[CLS]", "[SEP]", "我", "们", "来"]


def of_json(texts, field="text", strict=False):
    lines = Lines(list(texts), strict=strict)
    json_texts(lines, PIECE, field)
    return lines


def of_ids(texts, strict=False):
    lines = Lines(list(texts), strict=strict)
    id_texts(lines, PIECE, WORDS)
    return lines


def test_a_json_line_gives_the_lines_of_its_document_and_a_blank_one():
    lines = of_json([json.dumps({"text": "one\ntwo", "id": 1}), "", json.dumps({"text": "“三”"}) + "\r"])
    assert lines.texts == ["one", "two", "", "", "“三”", ""]
    assert lines.oddities == Counter()


@pytest.mark.parametrize(
    "text",
    [
        *("{", "[1]", "3", '{"other": "one"}', '{"text": 3}', '{"text": null}', '{"text": "\\ud800"}'),
        *("[" * 100_000, '{"text": "one", "number": ' + "1" * 5000 + "}"),
    ],
    ids=lambda text: text[:20],
)
def test_a_json_line_without_text_is_skipped_and_reported(text):
    lines = of_json(['{"text": "one"}', text])
    assert lines.texts == ["one", "", ""]
    assert lines.oddities["unusable_lines"] == 1
    assert lines.reports == ["a.jsonl:6: expected a JSON object with text in 'text'"]
    with pytest.raises(ValueError, match="a.jsonl:5: expected a JSON object.*leave --strict out"):
        of_json([text], strict=True)


def test_an_id_line_gives_its_sentences():
    assert of_ids(["1 3 4 2 5 2 0 0;0 0;0 1;0"]).texts == ["我 们", "来"]
    assert of_ids(["3 4", "", "5;"]).texts == ["我 们", "", "来"]


@pytest.mark.parametrize("text", ["3 6;0;0;0", "3 -1;", "3 x;", ";0;0", "3.0;", "３;", "1" * 5000])
def test_an_id_line_with_something_else_is_skipped_and_reported(text):
    lines = of_ids(["3;0", text])
    assert lines.texts == ["我", ""]
    assert lines.oddities["unusable_lines"] == 1
    assert lines.reports == ["a.jsonl:6: expected ids below 6 in front of the first semicolon"]
    with pytest.raises(ValueError, match="a.jsonl:5: expected ids below 6"):
        of_ids([text], strict=True)


def test_the_line_number_in_the_vocabulary_is_the_id(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("[PAD]\n我\t12\n来\r\n", encoding="utf-8")
    assert read_id_vocabulary(str(path)) == ["[PAD]", "我", "来"]
    path.write_text("a\nb\n", encoding="utf-8")
    assert read_id_vocabulary(str(path)) == ["a", "b"]


@pytest.mark.parametrize(
    "data, message",
    [
        (b"a\n\nb\n", "vocab.txt:2: expected one word without white space, found ''"),
        (b"a b\n", "vocab.txt:1: expected one word without white space, found 'a b'"),
        (b"a\n\xff\n", "vocab.txt: byte 2 is not UTF-8"),
    ],
)
def test_a_vocabulary_with_something_else_is_named(tmp_path, data, message):
    path = tmp_path / "vocab.txt"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message):
        read_id_vocabulary(str(path))


def test_a_missing_vocabulary_is_named(tmp_path):
    with pytest.raises(ValueError, match="vocab.txt: no such file; --id-vocabulary names"):
        read_id_vocabulary(str(tmp_path / "vocab.txt"))
