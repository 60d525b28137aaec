import json
import logging

import pytest
from allennlp.common.checks import ConfigurationError
from allennlp.data import Token, Tokenizer
from allennlp.data.token_indexers import SingleIdTokenIndexer

from elmo_plugin.data.dataset_readers.questions import Answer, read_questions
from elmo_plugin.data.dataset_readers.reading_comprehension import ReadingComprehensionReader

PASSAGE = "Ada met Bo in Oslo, and Bo met Ada in Rome."
# Tokens: Ada0 met1 Bo2 in3 Oslo4 ,5 and6 Bo7 met8 Ada9 in10 Rome11 .12


def question(text="Who?", *answers, id="q"):
    return {"id": id, "question": text, "answers": [{"text": a, "answer_start": s} for a, s in answers]}


def write(tmp_path, *questions, passage=PASSAGE):
    path = tmp_path / "data.json"
    path.write_text(json.dumps({"data": [{"paragraphs": [{"context": passage, "qas": list(questions)}]}]}))
    return str(path)


def read(tmp_path, *questions, passage=PASSAGE, **arguments):
    return list(ReadingComprehensionReader(**arguments).read(write(tmp_path, *questions, passage=passage)))


def pairs(instance, name):
    return [tuple(pair) for pair in instance[name].tensor.tolist()]


def words(instance, name):
    return [token.text for token in instance[name].tokens]


def test_a_question_becomes_texts_windows_spans_and_what_a_metric_needs(tmp_path):
    (instance,) = read(tmp_path, question("Where did they meet?", ("Oslo", 14), ("Rome", 38), ("Oslo", 14)))
    assert words(instance, "question") == ["Where", "did", "they", "meet", "?"]
    assert words(instance, "passage")[:3] == ["Ada", "met", "Bo"]
    assert pairs(instance, "windows") == [(0, 13)]
    assert pairs(instance, "answer_spans") == [(4, 4), (11, 11)]
    metadata = instance["metadata"].metadata
    assert metadata["answers"] == ["Oslo", "Rome"]
    assert (metadata["id"], metadata["question"], metadata["passage"]) == ("q", "Where did they meet?", PASSAGE)
    assert [PASSAGE[start:end] for start, end in metadata["offsets"]] == words(instance, "passage")


def test_a_long_passage_has_all_windows_but_for_training_those_of_the_answer_and_its_part(tmp_path):
    asked = question("Where?", ("Rome", 38))
    (instance,) = read(tmp_path, asked, window=6, stride=3)
    assert pairs(instance, "windows") == [(0, 6), (3, 9), (6, 12), (9, 13)]
    (instance,) = read(tmp_path, asked, window=6, stride=3, training=True, max_windows=2)
    assert words(instance, "passage") == ["and", "Bo", "met", "Ada", "in", "Rome", "."]
    assert pairs(instance, "windows") == [(0, 6), (3, 7)]
    assert pairs(instance, "answer_spans") == [(5, 5)]
    offsets = instance["metadata"].metadata["offsets"]
    assert [PASSAGE[start:end] for start, end in offsets] == words(instance, "passage")


def test_an_answer_at_another_place_is_repaired_and_that_is_reported(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        (instance,) = read(tmp_path, question("Who?", ("Bo", 22)), training=True)
    assert pairs(instance, "answer_spans") == [(7, 7)]
    assert "of 1 questions, all of these kept: 1 had an answer at another place than the file says" in caplog.text
    assert "data.json, data[0].paragraphs[0].qas[0])" in caplog.text


def test_an_answer_inside_of_a_token_is_widened_and_that_is_reported(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        (instance,) = read(tmp_path, question("Who?", ("sl", 15)), training=True)
    assert pairs(instance, "answer_spans") == [(4, 4)]
    assert "1 had an answer that begins or ends inside of a token, and were widened" in caplog.text


BAD = {
    "an empty question": question(" ", ("Bo", 8)),
    "no answer": question("Who?"),
    "an answer that is not in the passage": question("Who?", ("Cy", 1000)),
    "an answer that is longer than a window": question("What?", (PASSAGE[:20], 0)),
}
GOOD = question("Who?", ("Bo", 8))


@pytest.mark.parametrize("reason", BAD)
def test_what_nothing_can_be_learned_from_is_left_out_of_training_and_counted(tmp_path, caplog, reason):
    instances = read(tmp_path, GOOD, BAD[reason], BAD[reason], training=True, window=4, stride=2)
    assert len(instances) == 1
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    expected = f"of 3 questions these were left out, and no score counts them: 2 had {reason} (first: "
    assert expected in warning and "data[0].paragraphs[0].qas[1])" in warning


@pytest.mark.parametrize("reason", sorted(set(BAD) - {"an empty question"}))
def test_for_evaluation_they_stay(tmp_path, caplog, reason):
    with caplog.at_level(logging.INFO):
        instances = read(tmp_path, GOOD, BAD[reason], window=4, stride=2)
    assert len(instances) == 2
    assert pairs(instances[1], "answer_spans") == []
    assert f"of 2 questions, all of these kept: 1 had {reason}" in caplog.text


def test_one_answer_that_is_found_will_do(tmp_path, caplog):
    (instance,) = read(tmp_path, question("Who?", ("Cy", 0), ("Bo", 8)), training=True)
    assert pairs(instance, "answer_spans") == [(2, 2)]
    assert "not in the passage" not in caplog.text


@pytest.mark.parametrize("passage", ["", "  \n "])
@pytest.mark.parametrize("training", [False, True])
def test_a_file_with_nothing_but_empty_passages_is_an_error_that_names_the_first(tmp_path, passage, training):
    message = r"data\.json has no question to .*of 2 in it 2 had an empty passage \(first: .*qas\[0\]\)\. Give another"
    with pytest.raises(ConfigurationError, match=message):
        read(tmp_path, GOOD, GOOD, passage=passage, training=training)


def test_a_file_without_questions_is_an_error(tmp_path):
    with pytest.raises(ConfigurationError, match=r"has no question to answer: of 0 in it none are left\. Give another"):
        read(tmp_path)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"window": 10, "stride": 11}, r"stride must be from 1 to window \(10\).*it is 11"),
        ({"stride": 0}, r"stride must be from 1 to window \(400\).*it is 0"),
        ({"max_windows": 0}, r"max_windows must be at least 1.*it is 0"),
    ],
)
def test_windows_that_would_miss_tokens_are_refused(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        ReadingComprehensionReader(**arguments)


class NoPlaces(Tokenizer):
    def tokenize(self, text):
        return [Token(word) for word in text.split()]


def test_a_tokenizer_without_places_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"gives the token 'Ada' without its place.*Use \"elmo_spacy\""):
        read(tmp_path, GOOD, tokenizer=NoPlaces())


def test_text_without_a_word_is_no_instance_to_predict():
    reader = ReadingComprehensionReader()
    with pytest.raises(ConfigurationError, match="The question 'Who\\?' has an empty passage"):
        reader.text_to_instance("Who?", " ")
    with pytest.raises(ConfigurationError, match="The question '' has an empty question"):
        reader.text_to_instance("", PASSAGE)


def test_the_questions_of_a_passage_share_its_field(tmp_path):
    first, second = read(tmp_path, GOOD, question("Where?", ("Oslo", 14)))
    assert first["passage"] is second["passage"]


def test_indexers_are_applied_to_both_texts(tmp_path):
    indexers = {"words": SingleIdTokenIndexer(lowercase_tokens=True)}
    reader = ReadingComprehensionReader(token_indexers=indexers)
    instance = reader.text_to_instance("Who?", PASSAGE, [Answer("Bo")])
    reader.apply_token_indexers(instance)
    assert instance["question"].token_indexers is instance["passage"].token_indexers is indexers


@pytest.mark.parametrize("part, left_out", [("qa_en/squad11/dev.json", 0), ("qa_zh/cmrc2018/cmrc2018_trial.json", 2)])
def test_real_files_are_read_whole_but_for_empty_questions(shared_data, part, left_out):
    path = str(shared_data / part)
    questions = [question for question, _ in zip(read_questions(path), range(1002))]
    empty = sum(question.question.strip() == "" for question in questions)
    assert empty == left_out
    assert all(question.passage.strip() != "" and question.answers for question in questions)
