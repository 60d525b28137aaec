import json

import pytest
from allennlp.common.checks import ConfigurationError

from elmo_plugin.data.dataset_readers.lac import LacReader
from elmo_plugin.data.dataset_readers.tagging import TaggingReader
from elmo_plugin.predictors.lac import LacPredictor
from elmo_plugin.predictors.tagger import TaggerPredictor
from tests.predictors.hand_set import tagger_of

TAGS = {"林": "B-PER", "晓": "I-PER", "月": "E-PER", "在": "S-p", "青": "B-LOC", "镇": "E-LOC", "。": "S-w", "9": "S-m"}


@pytest.fixture(scope="module")
def model():
    """Each known character has its tag and every other one is a noun alone."""
    return tagger_of(TAGS, "S-n", sorted({*TAGS.values(), "S-n"}), "BIOES")


@pytest.fixture
def predictor(model):
    return LacPredictor(model, LacReader(max_characters=20), batch_size=3)


def words(output):
    return [(word["text"], word["class"]) for word in output["words"]]


def test_a_line_gives_words_with_classes_and_places(predictor):
    assert predictor.predict_json({"text": "林晓月在 青镇。"}) == {
        "text": "林晓月在 青镇。",
        "words": [
            {"text": "林晓月", "class": "PER", "start": 0, "end": 3},
            {"text": "在", "class": "p", "start": 3, "end": 4},
            {"text": "青镇", "class": "LOC", "start": 5, "end": 7},
            {"text": "。", "class": "w", "start": 7, "end": 8},
        ],
    }


@pytest.mark.parametrize("text", ["\u3000林晓月 \t在。\n\n😀在", "在" * 100, "林晓月在青镇。" * 50, "。。 \r\n 在", "林 晓月"])
def test_words_and_white_space_are_the_text_whatever_it_is(predictor, text):
    output = predictor.predict_json({"text": text})
    end = 0
    for word in output["words"]:
        assert text[word["start"] : word["end"]] == word["text"]
        assert text[end : word["start"]].strip() == "" and not any(map(str.isspace, word["text"]))
        end = word["end"]
    assert text[end:].strip() == ""


def test_white_space_ends_a_word(predictor):
    assert words(predictor.predict_json({"text": "林晓\n月"}))[:1] == [("林晓", "PER")]
    assert words(predictor.predict_json({"text": "林 晓月在"})) == [("林", "PER"), ("晓月", "PER"), ("在", "p")]


def test_long_texts_are_cut_at_sentence_ends_and_joined_again(predictor):
    once = predictor.predict_json({"text": "林晓月在青镇。"})
    many = predictor.predict_json({"text": "林晓月在青镇。" * 200})
    assert words(many) == words(once) * 200
    assert many["words"][-1]["end"] == 1400


def test_full_width_is_read_as_the_model_was_trained_and_written_as_it_stands(predictor):
    assert words(predictor.predict_json({"text": "９9"})) == [("９", "m"), ("9", "m")]


def test_batches_give_what_single_texts_give(predictor):
    inputs = [{"text": "林晓月在。" * 4}, {"text": ""}, {"text": " \n"}, {"text": "在青镇"}]
    assert predictor.predict_batch_json(inputs) == [predictor.predict_json(one) for one in inputs]
    assert predictor.predict_json({"text": " "}) == {"text": " ", "words": []}
    assert predictor.predict_batch_json([]) == []


def test_sentences_of_a_file_are_predicted_too_and_tell_their_places(predictor, tmp_path):
    (tmp_path / "file.txt").write_text("林晓月/nr 在/p ９/m 。/w\n", encoding="utf-8")
    (instance,) = LacReader().read(str(tmp_path / "file.txt"))
    output = predictor.predict_instance(instance)
    assert words(output) == [("林晓月", "PER"), ("在", "p"), ("９", "m"), ("。", "w")]
    assert (output["file"], output["line"]) == (str(tmp_path / "file.txt"), 1)


def test_lines_are_text_unless_they_are_announced_as_json(predictor, model):
    assert predictor.load_line('{"text": "a"}\r\n') == {"text": '{"text": "a"}'}
    with_json = LacPredictor(model, LacReader(), json_lines=True)
    assert with_json.load_line('{"text": "a"}\n') == {"text": "a"}
    with pytest.raises(
        ConfigurationError, match='JSON object like {"text": .* on each line, found 春天 .*leave json_lines out'
    ):
        with_json.load_line("春天\n")
    assert predictor.dump_line({"text": "北京"}) == '{"text": "北京"}\n'
    assert json.loads(predictor.dump_line({"text": "a\nb"})) == {"text": "a\nb"}


@pytest.mark.parametrize(
    "inputs, found",
    [
        ("春天", "found "),
        ({"sentence": "a"}, 'found {"sentence": "a"}.'),
        ({"text": 3}, "found 3 for the text, which is no string."),
        ({"text": "a\ud83d"}, "found half of a surrogate pair at character 1 of the text"),
    ],
)
def test_inputs_of_another_form_are_an_error_that_shows_what_is_expected(predictor, inputs, found):
    with pytest.raises(ConfigurationError) as error:
        predictor.predict_json(inputs)
    assert str(error.value).startswith('Expected a line of text, or in Python {"text": "raw text"}, found ')
    assert found in str(error.value)


def test_another_reader_or_no_batch_is_an_error(model):
    with pytest.raises(
        ConfigurationError, match="needs the reader elmo_lac, but the archive has a TaggingReader. Leave"
    ):
        LacPredictor(model, TaggingReader())
    with pytest.raises(
        ConfigurationError, match="elmo_tagger needs the reader elmo_tagging.*give --predictor elmo_lac"
    ):
        TaggerPredictor(model, LacReader())
    with pytest.raises(ConfigurationError, match="batch_size of the predictor elmo_lac must be 1 or more, but it is 0"):
        LacPredictor(model, LacReader(), batch_size=0)
