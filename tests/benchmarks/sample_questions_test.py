import pytest

from benchmarks.sample_questions import passages_of, sample

SQUAD = {"data": [{"paragraphs": [{"context": "a", "qas": [1, 2, 3]}, {"context": "b", "qas": [4]}]}]}
SQUAD["data"].append({"paragraphs": [{"context": "c", "qas": [5, 6]}]})
CMRC = [{"context_text": "a", "qas": [1, 2]}, {"context_text": "b", "qas": [3, 4]}]


def test_questions_are_evenly_spaced_and_passages_without_one_are_left_out():
    assert sample(passages_of(SQUAD), 2) == [{"context": "a", "qas": [1]}, {"context": "b", "qas": [4]}]
    assert sample(passages_of(SQUAD), 3) == [{"context": "a", "qas": [1, 3]}, {"context": "c", "qas": [5]}]
    assert sample(passages_of(SQUAD), 6) == passages_of(SQUAD)


def test_the_layout_of_cmrc_is_read_too():
    assert sample(passages_of(CMRC), 1) == [{"context_text": "a", "qas": [1]}]


def test_more_than_there_are_is_an_error():
    with pytest.raises(SystemExit, match="There are 4 questions"):
        sample(passages_of(CMRC), 5)
