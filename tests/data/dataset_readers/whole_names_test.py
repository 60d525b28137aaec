from collections import Counter

import pytest
from allennlp.common.checks import ConfigurationError

from elmo_plugin.data.dataset_readers.slashed import slashed_paragraphs
from elmo_plugin.data.dataset_readers.whole_names import classed_words, family_and_given
from elmo_plugin.data.word_classes import TABLES


@pytest.fixture
def classify(write):
    def read(line, table=TABLES["pfr"], join_names=True, counts=None):
        (paragraph,) = slashed_paragraphs(write(line), Counter())
        words = classed_words(paragraph, table, join_names, Counter() if counts is None else counts)
        return " ".join(f"{word.text}/{word.word_class}" for word in words)

    return read


def test_what_a_bracket_of_a_name_holds_is_one_word(classify):
    assert classify("在/p [中央/n 电视台/n]nt 工作/v") == "在/p 中央电视台/ORG 工作/v"


def test_brackets_of_other_classes_leave_their_words_alone(classify):
    assert classify("[一方有难/l ，/w 八方支援/l]l") == "一方有难/i ，/w 八方支援/i"


def test_of_nested_brackets_the_outermost_name_counts(classify):
    assert classify("[[东湖/ns 市/n]ns 银行/n]nt") == "东湖市银行/ORG"
    assert classify("[[东湖/ns 银行/n]nt 新闻/n]nz") == "东湖银行/ORG 新闻/n"


def test_family_and_given_name_are_one_person(classify):
    assert classify("江/nr 小河/nr 、/w 李/nr 青/nr 来/v") == "江小河/PER 、/w 李青/PER 来/v"


def test_people_in_a_bracket_do_not_join_those_outside(classify):
    assert classify("李/nr [王/nr 青/nr]nr 来/v") == "李/PER 王青/PER 来/v"


def test_times_stay_as_they_are_written(classify):
    assert classify("三月/t 五日/t 上午/t") == "三月/TIME 五日/TIME 上午/TIME"


@pytest.mark.parametrize(
    "words, lengths",
    [
        ("李 青", [2]),
        ("李 青 王 小河", [2, 2]),
        ("安娜", [1]),
        ("安娜 约翰", [1, 1]),
        ("李 小青 阿平", [2, 1]),
        ("阿平 李 青", [1, 2]),
        ("欧阳 文", [2]),
        ("欧阳 文 安娜", [2, 1]),
        ("陈 方 安生", [3]),
        ("李 青 王 小河 周", [2, 2, 1]),
        ("周", [1]),
    ],
)
def test_neighbouring_words_of_people_are_shared_out(words, lengths):
    assert family_and_given(words.split()) == lengths


def test_names_are_left_in_words_where_asked(classify):
    assert classify("[中央/n 电视台/n]nt 李/nr 青/nr", join_names=False) == "中央/n 电视台/n 李/PER 青/PER"


def test_tags_are_classes_where_there_is_no_table(classify):
    assert classify("好/A 来/V", table=None) == "好/A 来/V"


def test_what_was_joined_is_counted(classify):
    counts = Counter()
    classify("[中央/n 电视台/n]nt 李/nr 青/nr 安娜/nr [一/m 二/m]l", counts=counts)
    assert counts == {
        "brackets made one word": 1,
        "brackets left as their words": 1,
        "people joined of several words": 1,
    }


@pytest.mark.parametrize(
    "line, what", [("好/a 来/xx", "'xx' of 来"), ("[中央/n 台/n]xx", "'xx' of the bracket behind word 2")]
)
def test_an_unknown_tag_is_an_error_that_tells_where_and_what_to_do(classify, line, what):
    with pytest.raises(
        ConfigurationError, match=f'file.txt, line 1: the tag {what} is not in .* n .*"more_tags": {{"xx": "n"}}'
    ):
        classify(line)
