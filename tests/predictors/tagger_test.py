import json

import pytest
from allennlp.common.checks import ConfigurationError
from allennlp.predictors import Predictor

from elmo_plugin.data.dataset_readers.tagging import TaggingReader
from elmo_plugin.data.tokenizers import BlankSpacyTokenizer
from elmo_plugin.predictors.tagger import TaggerPredictor
from tests.predictors.hand_set import tagger_of


@pytest.fixture(scope="module")
def model():
    """Each known word has its tag and every other one is outside."""
    known = {"Eva": "B-PER", "Holm": "I-PER", "Oslo": "B-LOC", "😀": "O"}
    return tagger_of(known, "O", ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"])


@pytest.fixture
def predictor(model):
    return TaggerPredictor(model, TaggingReader())


def test_a_raw_sentence_gives_words_tags_and_entities_with_their_places(predictor):
    sentence = "So  Eva Holm, of Oslo."
    output = predictor.predict_json({"sentence": sentence})
    assert output == {
        "sentence": sentence,
        "words": ["So", "Eva", "Holm", ",", "of", "Oslo", "."],
        "tags": ["O", "B-PER", "I-PER", "O", "O", "B-LOC", "O"],
        "entities": [
            {"type": "PER", "text": "Eva Holm", "start": 4, "end": 12},
            {"type": "LOC", "text": "Oslo", "start": 17, "end": 21},
        ],
    }


@pytest.mark.parametrize("sentence", ["😀 Eva  Holm", "naïve Eva\tHolm\n", "\u3000Eva\u00a0Holm"])
def test_places_are_characters_of_the_sentence_as_given(predictor, sentence):
    for entity in predictor.predict_json({"sentence": sentence})["entities"]:
        assert sentence[entity["start"] : entity["end"]] == entity["text"]
        assert entity["type"] == "PER" and entity["text"].startswith("Eva")


def test_given_tokens_are_kept_and_joined_by_spaces(predictor):
    output = predictor.predict_json({"tokens": ["so", "Eva", "Holm,", "Oslo"]})
    assert (output["words"], output["sentence"]) == (["so", "Eva", "Holm,", "Oslo"], "so Eva Holm, Oslo")
    assert output["entities"] == [
        {"type": "PER", "text": "Eva", "start": 3, "end": 6},
        {"type": "LOC", "text": "Oslo", "start": 13, "end": 17},
    ]


def test_batches_give_what_single_inputs_give(predictor):
    inputs = [{"sentence": "Eva Holm left."}, {"sentence": " "}, {"tokens": ["Oslo"]}, {"tokens": []}]
    assert predictor.predict_batch_json(inputs) == [predictor.predict_json(one) for one in inputs]


def test_a_sentence_without_words_gives_empty_lists(predictor):
    assert predictor.predict_json({"sentence": "  "}) == {"sentence": "  ", "words": [], "tags": [], "entities": []}


def test_endless_sentences_and_words_are_tagged(predictor):
    output = predictor.predict_json({"tokens": ["Oslo"] * 5000 + ["x" * 10_000]})
    assert len(output["tags"]) == 5001 and output["tags"][-1] == "O"
    assert len(output["entities"]) == 5000 and output["entities"][-1]["end"] == 5000 * 5 - 1


def test_sentences_of_a_file_are_predicted_too(predictor, tmp_path):
    (tmp_path / "file.conll").write_text("Eva O\nHolm O\n\nOslo O\n")
    outputs = predictor.predict_batch_instance(list(TaggingReader().read(str(tmp_path / "file.conll"))))
    assert [output["sentence"] for output in outputs] == ["Eva Holm", "Oslo"]
    assert [(output["line"], output["document"]) for output in outputs] == [(1, 0), (4, 0)]
    assert {output["file"] for output in outputs} == {str(tmp_path / "file.conll")}
    assert outputs[0]["entities"] == [{"type": "PER", "text": "Eva Holm", "start": 0, "end": 8}]
    assert predictor.predict_instance(next(iter(TaggingReader().read(str(tmp_path / "file.conll"))))) == outputs[0]


def test_the_readers_tokenizer_cuts_unless_a_language_is_given(model):
    reader = TaggingReader(tokenizer=BlankSpacyTokenizer("zh"))
    assert TaggerPredictor(model, reader).predict_json({"sentence": "我在"})["words"] == ["我", "在"]
    english = TaggerPredictor(model, reader, language="en")
    assert english.predict_json({"sentence": "我在 Oslo"})["words"] == ["我在", "Oslo"]


def test_it_is_the_models_default_predictor(model):
    assert Predictor.by_name(model.default_predictor) is TaggerPredictor


def test_lines_go_in_as_json_and_come_out_as_readable_json(predictor):
    assert predictor.load_line('{"sentence": "a"}\n') == {"sentence": "a"}
    line = predictor.dump_line({"words": ["Škoda", "北京"]})
    assert line == '{"words": ["Škoda", "北京"]}\n'
    assert json.loads(line) == {"words": ["Škoda", "北京"]}


EXPECTED = 'expected a JSON object like {"sentence": "raw text"} or {"tokens": ["its", "words"]}'


@pytest.mark.parametrize("line", ["Eva Holm left.", '{"sentence": "a"', "", "{'sentence': 'a'}"])
def test_a_line_that_is_no_json_is_an_error_that_shows_what_is_expected(predictor, line):
    with pytest.raises(ConfigurationError) as error:
        predictor.load_line(line)
    assert str(error.value).startswith(f"{EXPECTED} on each line, found {line}")


def test_a_long_line_is_shown_only_in_part(predictor):
    with pytest.raises(ConfigurationError) as error:
        predictor.load_line("x" * 10_000)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    "inputs, found",
    [
        ("Eva", 'found "Eva".'),
        (["Eva"], 'found ["Eva"].'),
        ({"sentense": "Eva"}, 'found {"sentense": "Eva"}.'),
        ({"sentence": "a", "tokens": ["a"]}, 'found {"sentence": "a", "tokens": ["a"]}.'),
        ({"sentence": None}, "found null for the sentence, which is no string."),
        ({"sentence": ["a"]}, 'found ["a"] for the sentence, which is no string.'),
        ({"tokens": "Eva left"}, 'found tokens that are no list: "Eva left".'),
        ({"tokens": ["a", 3]}, "found 3 for token 1, which is no string."),
        ({"tokens": ["a", ""]}, "found an empty word as token 1. Leave it out."),
        ({"sentence": "a\ud83d"}, "found half of a surrogate pair at character 1 of the sentence"),
    ],
)
def test_json_of_another_form_is_an_error_that_shows_what_is_expected(predictor, inputs, found):
    with pytest.raises(ConfigurationError) as error:
        predictor.predict_json(inputs)
    assert EXPECTED in str(error.value) and found in str(error.value)
