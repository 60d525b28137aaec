import gzip
import json

import pytest
from allennlp.common.checks import ConfigurationError

from elmo_plugin.data.dataset_readers.questions import Answer, read_questions

QUESTION = {"id": "q1", "question": "Who?", "answers": [{"text": "Ada", "answer_start": 0}]}


def squad(question):
    return {"data": [{"paragraphs": [{"context": "Ada left.", "qas": [question]}]}]}


def read(tmp_path, data):
    path = tmp_path / "data.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data, ensure_ascii=False), encoding="utf-8")
    return list(read_questions(str(path)))


def test_squads_layout_is_read(tmp_path):
    (question,) = read(tmp_path, squad(QUESTION))
    assert (question.id, question.question, question.passage) == ("q1", "Who?", "Ada left.")
    assert question.answers == (Answer("Ada", 0),)
    assert question.place == f"{tmp_path / 'data.json'}, data[0].paragraphs[0].qas[0]"


def test_cmrcs_layout_is_read_whose_answers_have_no_places(tmp_path):
    entry = {"query_id": "D1", "query_text": "谁？", "answers": ["陈大山", "大山"]}
    (question,) = read(tmp_path, [{"context_id": "D", "context_text": "陈大山来了。", "qas": [entry], "title": "t"}])
    assert (question.id, question.question, question.passage) == ("D1", "谁？", "陈大山来了。")
    assert question.answers == (Answer("陈大山"), Answer("大山"))
    assert question.place.endswith("data.json, [0].qas[0]")


def test_a_question_may_come_without_answers_and_with_a_number_as_its_id(tmp_path):
    (question,) = read(tmp_path, squad({"id": 7, "question": "Who?"}))
    assert (question.id, question.answers) == ("7", ())


def test_compressed_files_and_a_byte_order_mark_are_read(tmp_path):
    path = tmp_path / "data.json.gz"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbf" + json.dumps(squad(QUESTION)).encode()))
    assert len(list(read_questions(str(path)))) == 1


def test_json_that_is_none_is_named_with_its_line(tmp_path):
    message = r"data\.json, line 2, column 1: the file is not JSON .*expected SQuAD's"
    with pytest.raises(ConfigurationError, match=message):
        read(tmp_path, '{"data":\nx}')


@pytest.mark.parametrize(
    "data, message",
    [
        ({"questions": []}, r"data\.json: expected SQuAD's layout.*found \{\"questions\": \[\]\}\. Convert"),
        ("3", r"data\.json: expected SQuAD's layout.*found 3\. Convert"),
        ({"data": {}}, r"data\.json: expected a list for 'data', found \{\}"),
        ({"data": [{}]}, r"data\[0\]: the key 'paragraphs' is missing; there are \[\]\. Add it"),
        ({"data": [3]}, r"data\[0\]: expected an object with the key 'paragraphs', found 3"),
        ({"data": [{"paragraphs": [{"qas": []}]}]}, r"data\[0\]\.paragraphs\[0\]: the key 'context' is missing"),
        ([{"context_text": None, "qas": []}], r"\[0\]: expected a text for 'context_text', found null"),
        (squad({"id": "a", "answers": []}), r"qas\[0\]: the key 'question' is missing; there are \['answers', 'id'\]"),
        (squad({"question": "Who?", "answers": []}), r"qas\[0\]: the key 'id' is missing"),
        (squad({**QUESTION, "answers": "Ada"}), r"qas\[0\]: expected a list for 'answers', found \"Ada\""),
        (squad({**QUESTION, "answers": [{}]}), r"qas\[0\]\.answers\[0\]: the key 'text' is missing"),
        (
            squad({**QUESTION, "answers": [{"text": "Ada", "answer_start": "0"}]}),
            r"answers\[0\]: expected a whole number for 'answer_start'.*found \"0\"\. Correct it, or leave the key out",
        ),
    ],
)
def test_what_does_not_fit_the_layout_is_named_with_its_place(tmp_path, data, message):
    with pytest.raises(ConfigurationError, match=message):
        read(tmp_path, data)


def test_a_long_value_is_cut_short_in_the_message(tmp_path):
    with pytest.raises(ConfigurationError, match=r"found \"a{79}…\. Convert"):
        read(tmp_path, json.dumps("a" * 1000))
