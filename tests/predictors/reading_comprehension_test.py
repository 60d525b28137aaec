import json

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary
from allennlp.modules.text_field_embedders import BasicTextFieldEmbedder
from allennlp.modules.token_embedders import Embedding

from elmo_plugin.data.dataset_readers.reading_comprehension import ReadingComprehensionReader
from elmo_plugin.models.bidaf_self_attention import BidafSelfAttention
from elmo_plugin.predictors.reading_comprehension import ReadingComprehensionPredictor

PASSAGE = "Ada met Bo in Oslo — “twice”, she said. "


@pytest.fixture(scope="module")
def predictor():
    torch.manual_seed(0)
    vocabulary = Vocabulary()
    embedder = BasicTextFieldEmbedder({"tokens": Embedding(embedding_dim=4, vocab=vocabulary)})
    model = BidafSelfAttention(vocabulary, embedder, max_answer_length=5)
    return ReadingComprehensionPredictor(model, ReadingComprehensionReader(window=20, stride=10))


def test_passage_and_question_in_answer_place_and_probability_out(predictor):
    output = predictor.predict_json({"passage": PASSAGE, "question": "Where?"})
    assert set(output) == {"question", "answer", "start", "end", "probability"}
    assert PASSAGE[output["start"] : output["end"]] == output["answer"]
    assert 0 < output["probability"] <= 1
    assert json.loads(predictor.dump_line(output)) == output


def test_both_may_be_long(predictor):
    passage = PASSAGE * 30
    output = predictor.predict_json({"passage": passage, "question": "Where? " * 100})
    assert passage[output["start"] : output["end"]] == output["answer"] != ""


@pytest.mark.parametrize("passage, question", [("", "Where?"), (PASSAGE, " "), ("\n", "")])
def test_without_a_word_there_is_no_answer(predictor, passage, question):
    lines = [
        {"passage": passage, "question": question, "id": 3},
        {"passage": PASSAGE, "question": "Who?"},
    ]
    empty, other = predictor.predict_batch_json(lines)
    assert empty == {"id": 3, "question": question, "answer": "", "start": 0, "end": 0, "probability": 0.0}
    assert other["answer"] != ""
    assert predictor.predict_json(lines[0]) == empty


def test_an_id_is_handed_on(predictor):
    assert predictor.predict_json({"passage": PASSAGE, "question": "Who?", "id": "x7"})["id"] == "x7"


def test_questions_of_a_file_keep_theirs(predictor, tmp_path):
    qas = [{"id": "q1", "question": "Where?", "answers": []}]
    path = tmp_path / "data.json"
    path.write_text(json.dumps({"data": [{"paragraphs": [{"context": PASSAGE, "qas": qas}]}]}))
    (instance,) = predictor._dataset_reader.read(str(path))
    assert predictor.predict_instance(instance)["id"] == "q1"


@pytest.mark.parametrize(
    "line, message",
    [
        ('{"passage": ', r'expected a JSON object like .* on each line, found \{"passage": \('),
        ('{"passage": "a"}', r'expected a JSON object like .*, found \{"passage": "a"\}'),
        ("[1]", r"expected a JSON object like .*, found \[1\]"),
        ('{"passage": 3, "question": "a"}', "found 3 for the passage, which is no string"),
        ('{"passage": "a", "question": "\\ud800"}', "half of a surrogate pair at character 0 of the question"),
        (f'{{"x": "{"a" * 200}"}}', r"found \{\"x\": \"a{73}…"),
    ],
)
def test_a_line_that_is_no_question_on_a_passage_is_an_error(predictor, line, message):
    with pytest.raises(ConfigurationError, match=message):
        predictor.predict_json(predictor.load_line(line))
