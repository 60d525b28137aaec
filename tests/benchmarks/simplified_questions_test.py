import pytest

from benchmarks.simplified_questions import simplified


def converted(text: str) -> str:
    # As OpenCC does, by the words around: a character by itself stays.
    return text.replace("乾隆", "乾龙").replace("乾", "干") if "隆" not in text else text.replace("臺", "台")


def data(context: str, answer: str, start: int):
    question = {"id": "q", "question": "臺隆？", "answers": [{"text": answer, "answer_start": start}]}
    return {"version": "1", "data": [{"title": "t", "paragraphs": [{"context": context, "qas": [question]}]}]}


def test_an_answer_is_what_stands_in_its_passage_afterwards():
    found = simplified(data("臺乾隆", "乾", 1), converted)
    assert found == {
        "version": "1",
        "data": [
            {
                "title": "t",
                "paragraphs": [
                    {
                        "context": "台乾隆",
                        "qas": [{"id": "q", "question": "台隆？", "answers": [{"text": "乾", "answer_start": 1}]}],
                    }
                ],
            }
        ],
    }


def test_an_answer_that_stands_elsewhere_is_converted_by_itself():
    found = simplified(data("臺乾隆", "乾", 0), converted)
    assert found["data"][0]["paragraphs"][0]["qas"][0]["answers"] == [{"text": "干", "answer_start": 0}]


def test_a_passage_that_changes_its_length_is_an_error():
    with pytest.raises(ValueError, match="A passage of 3 characters became one of 4: 臺乾隆"):
        simplified(data("臺乾隆", "乾", 1), lambda text: text + "。")
