"""Errors of the user's input are told from faults of the program, and said in one message."""

import json
from pathlib import Path

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader
from allennlp.models import Model
from allennlp.models.archival import load_archive

from elmo_plugin.user_errors import EXPLAINED, explanation


def test_a_configuration_that_is_not_there_is_named():
    with pytest.raises(EXPLAINED) as caught:
        Params.from_file("nowhere.jsonnet")
    assert explanation(caught.value) == "file nowhere.jsonnet not found"


def test_an_archive_that_is_not_there_is_named():
    with pytest.raises(EXPLAINED) as caught:
        load_archive("nowhere.tar.gz")
    assert explanation(caught.value) == "file nowhere.tar.gz not found"


def test_half_a_configuration_is_named_with_its_line(tmp_path: Path):
    (tmp_path / "half.jsonnet").write_text('{ "model": ', encoding="utf-8")
    with pytest.raises(EXPLAINED) as caught:
        Params.from_file(str(tmp_path / "half.jsonnet"))
    message = explanation(caught.value)
    assert message is not None and "no valid Jsonnet: STATIC ERROR: " in message and "half.jsonnet:1:12" in message


def test_a_key_that_nothing_takes_is_named():
    with pytest.raises(EXPLAINED) as caught:
        Model(None, optionss={})
    message = explanation(caught.value)
    assert message is not None and "'optionss'. Nothing takes this key: look for it in the configuration" in message


def test_a_value_of_another_kind_is_named_by_its_key():
    with pytest.raises(EXPLAINED) as caught:
        DatasetReader.from_params(Params({"type": "elmo_tagging", "word_column": "FORM"}))
    message = explanation(caught.value)
    assert message is not None and message.startswith("Expected word_column to be a int. Give another value: look for")


def test_what_is_no_json_is_shown():
    with pytest.raises(EXPLAINED) as caught:
        json.loads("It rained all day.")
    shown = "Expected JSON, found 'It rained all day.': Expecting value: line 1 column 1 (char 0)."
    assert explanation(caught.value) == shown


def test_what_is_no_text_in_utf8_is_said_to_be_converted():
    with pytest.raises(EXPLAINED) as caught:
        b"\xff\xfe".decode("utf-8")
    message = explanation(caught.value)
    assert message is not None and "no text in UTF-8 ('utf-8' codec can't decode byte 0xff" in message
    assert "iconv -f LATIN1 -t UTF-8" in message


def test_a_gpu_that_is_not_there_is_said_to_be_left_out():
    message = explanation(RuntimeError("No CUDA GPUs are available"))
    assert message is not None and message.startswith("There is no GPU to use: No CUDA GPUs are available. Without one")


@pytest.mark.parametrize("kind", [FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError])
def test_files_that_are_not_what_they_should_be_are_explained(kind):
    assert explanation(kind(13, "Reason", "some/file")) == "[Errno 13] Reason: 'some/file'"


def test_errors_of_configurations_are_their_own_message():
    assert explanation(ConfigurationError("the loader: too few")) == "the loader: too few"


@pytest.mark.parametrize("error", [TypeError("unsupported operand"), RuntimeError("shapes cannot be multiplied")])
def test_faults_of_the_program_are_not_explained(error: Exception):
    assert explanation(error) is None
