import re

import numpy
import pytest

from elmo_plugin.bilm.vocabulary import WordVocabulary

SPECIALS = b"<S>\n</S>\n<UNK>\n"


def read(tmp_path, content):
    path = tmp_path / "vocabulary.txt"
    path.write_bytes(content)
    return WordVocabulary.from_file(path)


def test_a_words_id_is_its_line(tmp_path):
    vocabulary = read(tmp_path, SPECIALS + "the\nété\n中文\n".encode())
    assert vocabulary.words == ["<S>", "</S>", "<UNK>", "the", "été", "中文"]
    assert vocabulary.word_to_id == {"<S>": 0, "</S>": 1, "<UNK>": 2, "the": 3, "été": 4, "中文": 5}
    assert len(vocabulary) == 6


def test_words_are_encoded_those_that_are_not_there_as_unknown(tmp_path):
    ids = read(tmp_path, SPECIALS + b"the\ncat\n").encode(["cat", "dog", "the", "Cat", "</S>"])
    assert ids.dtype == numpy.int64
    assert ids.tolist() == [4, 2, 3, 2, 1]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + SPECIALS + b"the\ncat\n",
        (SPECIALS + b"the\ncat\n").replace(b"\n", b"\r\n"),
        SPECIALS + b"the\ncat",
        SPECIALS + b"the\ncat\n!!!MAXTERMID\n",
        SPECIALS + b"the\n!!!MAXTERMID\ncat\n",
    ],
)
def test_marks_line_ends_and_the_placeholder_of_old_files_change_nothing(tmp_path, content):
    assert read(tmp_path, content).words == ["<S>", "</S>", "<UNK>", "the", "cat"]


@pytest.mark.parametrize(
    "content, message",
    [
        (SPECIALS + b"the\ncaf\xe9\n", "line 5: not UTF-8 .*Save the file as UTF-8"),
        (SPECIALS + b"the\n\ncat\n", "line 5: expected one word without white space, but found ''"),
        (SPECIALS + b"\n", "line 4: expected one word"),
        (SPECIALS + b"the 1203\n", "line 4: expected one word without white space, but found 'the 1203'.*no counts"),
        (SPECIALS + b"the\t1203\n", "line 4: expected one word"),
        (SPECIALS + b" the\n", "line 4: expected one word without white space, but found ' the'"),
        (SPECIALS + "a\u00a0b\n".encode(), "line 4: expected one word"),
        (SPECIALS + b"the\ncat\nthe\n", "holds the word 'the' twice, as ids 3 and 5.*remove one"),
        (b"", "must begin with the lines <S>, </S>, <UNK>, but it begins with nothing.*put the three lines in front"),
        (b"<S>\n</S>\nthe\n", "but it begins with '<S>', '</S>', 'the'"),
        (b"</S>\n<S>\n<UNK>\n", "but it begins with '</S>', '<S>', '<UNK>'"),
        (b"<s>\n</s>\n<unk>\nthe\n", "but it begins with '<s>', '</s>', '<unk>'"),
    ],
)
def test_what_is_no_vocabulary_is_an_error_with_file_and_line(tmp_path, content, message):
    with pytest.raises(ValueError, match=message) as error:
        read(tmp_path, content)
    assert str(error.value).startswith(str(tmp_path / "vocabulary.txt"))


@pytest.mark.parametrize("name", ["none.txt", "."])
def test_a_missing_file_or_a_folder_in_its_place_is_an_error_that_says_what_to_give(tmp_path, name):
    path = tmp_path / name
    with pytest.raises(FileNotFoundError, match=f"no vocabulary file {re.escape(str(path))}. Give a file of one word"):
        WordVocabulary.from_file(path)


def test_it_comes_out_of_its_own_file_as_it_went_in(tmp_path):
    words = ["<S>", "</S>", "<UNK>", "the", "é", "e\u0301", "\u200b", "!!!", "中", "🙂", "#", '"', "x" * 10000]
    path = tmp_path / "vocabulary.txt"
    path.write_text("an older file")
    WordVocabulary(words).to_file(path)
    assert WordVocabulary.from_file(path).words == words
    assert [file.name for file in tmp_path.iterdir()] == ["vocabulary.txt"]


def test_a_vocabulary_in_memory_is_checked_too():
    with pytest.raises(ValueError, match="^the vocabulary must begin with"):
        WordVocabulary(["the", "cat"])
    with pytest.raises(ValueError, match="^my words holds the word 'x' twice, as ids 3 and 4"):
        WordVocabulary(["<S>", "</S>", "<UNK>", "x", "x"], source="my words")
