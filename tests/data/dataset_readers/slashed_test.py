from collections import Counter

import pytest
from allennlp.common.checks import ConfigurationError

from elmo_plugin.data.dataset_readers.slashed import slashed_paragraphs


@pytest.fixture
def read(write):
    def paragraphs_of(text, counts=None):
        return list(slashed_paragraphs(write(text), Counter() if counts is None else counts))

    return paragraphs_of


def words(paragraph):
    return [tuple(word) for word in paragraph.words]


def test_a_line_is_a_paragraph_of_words_and_tags(read):
    first, second = read("春天/t  来/v 了/y\n好/a\u3000！/w\n")
    assert words(first) == [("春天", "t"), ("来", "v"), ("了", "y")]
    assert words(second) == [("好", "a"), ("！", "w")]
    assert second.place.endswith("/file.txt, line 2")


def test_brackets_tell_which_words_they_hold_nested_ones_too(read):
    (paragraph,) = read("在/p [[中央/n 电视台/n]nt 新闻/n 部/n]nz [东湖/ns 银行/n]/nt\n")
    assert [tuple(bracket) for bracket in paragraph.brackets] == [("nt", 1, 3), ("nz", 1, 5), ("nt", 5, 7)]
    assert words(paragraph)[1] == ("中央", "n")


def test_brackets_and_slashes_may_be_words(read):
    (paragraph,) = read("[/w ]/w //w １/２/m [[/w 好/a]nz\n")
    assert words(paragraph) == [("[", "w"), ("]", "w"), ("/", "w"), ("１/２", "m"), ("[", "w"), ("好", "a")]
    assert [tuple(bracket) for bracket in paragraph.brackets] == [("nz", 4, 6)]


def test_identifiers_and_empty_lines_are_left_out_and_counted(read):
    counts = Counter()
    text = "19980101-01-001-001/m  好/a\n\n19980101-01-001-002/m\n１９９８/m 来/v\n"
    assert [words(paragraph) for paragraph in read(text, counts)] == [
        [("好", "a")],
        [("１９９８", "m"), ("来", "v")],
    ]
    assert counts == {"identifiers left out": 2, "lines without words left out": 2}


@pytest.mark.parametrize(
    "line, message",
    [
        ("好/a 来 了/y", "expected word/tag, found '来' as word 2. Give it a tag; or, if it .* take out the space"),
        ("/n", "expected word/tag, found '/n' as word 1"),
        ("好/", "expected word/tag, found '好/' as word 1"),
        (
            "[中央/n 电视台/n 来/v",
            "the bracket before word 1, '中央', is never closed. Close it in the same line, as ]nt",
        ),
        ("[[中央/n 电视台/n]nt 来/v", "the bracket before word 1, '中央', is never closed"),
        ("中央/n 电视台/n]nt", "a bracket closes behind '电视台/n]nt', word 2, and none is open"),
        ("[电视台/n]nt]nt", "a bracket closes behind .* and none is open"),
        (
            "[中央/n 电视台/n] 来/v",
            "the bracket that closes behind '电视台/n]', word 2, has no tag. Expected one .* ]nt",
        ),
    ],
)
def test_what_is_wrong_in_a_line_is_told_with_its_place(read, line, message):
    with pytest.raises(ConfigurationError, match=f"/file.txt, line 2: {message}"):
        read(f"好/a\n{line}\n")


@pytest.mark.parametrize("text", ["", "\n \n", "19980101-01-001-002/m\n"])
def test_a_file_without_words_is_an_error(read, text):
    with pytest.raises(ConfigurationError, match="file.txt holds no word. Expected word/tag pairs"):
        read(text)
