import pytest
from allennlp.common.checks import ConfigurationError

from elmo_plugin.data.dataset_readers.columns import ColumnFormat


@pytest.fixture
def read(write):
    def sentences_of(text, **settings):
        return list(ColumnFormat(**settings).sentences(write(text)))

    return sentences_of


def words_and_tags(sentences):
    return [list(zip(sentence.words, sentence.tags)) for sentence in sentences]


def test_empty_lines_end_sentences_however_many_and_whatever_white_space_they_hold(read):
    sentences = read("\n \nEva B-PER\nran O\n\t\n\n\nfar O\n\n")
    assert words_and_tags(sentences) == [[("Eva", "B-PER"), ("ran", "O")], [("far", "O")]]


def test_the_last_sentence_needs_no_empty_line(read):
    assert words_and_tags(read("a O\n\nb O")) == [[("a", "O")], [("b", "O")]]


def test_any_column_may_be_named_from_either_end(read):
    text = "1 Eva NNP B-PER x\n2 ran VBD O y\n"
    (sentence,) = read(text, word_column=1, tag_column=-2)
    assert words_and_tags([sentence]) == [[("Eva", "B-PER"), ("ran", "O")]]
    assert read(text, word_column=-4, tag_column=3)[0].words == sentence.words


def test_any_run_of_spaces_and_tabs_separates_by_default(read):
    assert words_and_tags(read("  Eva \t  B-PER \nran\tO\n")) == [[("Eva", "B-PER"), ("ran", "O")]]


def test_other_white_space_is_part_of_a_word(read):
    (sentence,) = read("10\u00a0000 O\n\u3000 O\nx\u2028y O\n")
    assert sentence.words == ["10\u00a0000", "\u3000", "x\u2028y"]


def test_a_separator_keeps_spaces_in_words(read):
    (sentence,) = read("New York\tB-LOC\n . \tO\n", separator="\t")
    assert sentence.words == ["New York", " . "]
    assert read("a|O\n", separator="|")[0].tags == ["O"]


def test_document_starts_end_sentences_and_are_counted(read):
    text = "-DOCSTART- -X- O O\n\na b c O\n-DOCSTART-\nd e f O\n\ng h i O\n-DOCSTART-\n"
    sentences = read(text)
    assert [(sentence.words, sentence.document) for sentence in sentences] == [(["a"], 1), (["d"], 2), (["g"], 2)]


def test_other_lines_may_begin_documents_too(read):
    text = "# newdoc id = 1\na O\n# text\nb O\n# newdoc id = 2\nc O\n-DOCSTART- O\nd O\n"
    sentences = read(text, document_prefix="# newdoc", comment_prefix="#")
    assert [(sentence.words, sentence.document) for sentence in sentences] == [(["a", "b"], 1), (["c"], 2), (["d"], 3)]


def test_comments_are_skipped_where_they_are_announced(read):
    text = "# a comment\na O\n# one inside\n#tag O\n"
    assert read(text, comment_prefix="# ")[0].words == ["a", "#tag"]
    with pytest.raises(ConfigurationError, match="line 2: expected 3 columns.*set comment_prefix"):
        read(text)


def test_words_know_their_lines(read):
    first, second = read("a O\n#\nb O\n\nc O\n", comment_prefix="#")
    assert (first.lines, second.lines) == ([1, 3], [5])
    assert first.place(1).endswith("/file.txt, line 3")


def test_crlf_and_a_byte_order_mark_change_nothing(read):
    plain = read("Eva B-PER\nran O\n\nfar O\n")
    assert read("\ufeffEva B-PER\r\nran O\r\n\r\nfar O\r\n") == plain


def test_words_without_tags_are_read_where_no_column_is_named(read):
    (sentence,) = read("Eva\nran\n", tag_column=None)
    assert (sentence.words, sentence.tags) == (["Eva", "ran"], [])


def test_long_sentences_long_words_and_literal_marks_are_kept_as_they_are(read):
    (sentence,) = read("w O\n" * 5000)
    assert len(sentence.words) == 5000
    long_word = "x" * 10000
    (sentence,) = read(f"<S> O\n{long_word} O\n</S> O\n")
    assert sentence.words == ["<S>", long_word, "</S>"]


@pytest.mark.parametrize(
    "text, settings, message",
    [
        ("a O\nb\n", {}, r"line 2: expected 2 columns as in the file's first row, found 1: \['b'\]. Complete the row"),
        ("a O\n\nNew York O\n", {}, r"line 3: expected 2 columns .*found 3.*set separator"),
        (
            "a\n",
            {},
            r"line 1: word_column 0 and tag_column -1 are the same column of the row \['a'\].*tag_column to null",
        ),
        ("a\tO\n", {"separator": " "}, "line 1: word_column 0 and tag_column -1 are the same.*set separator"),
        ("a O\n", {"word_column": 2}, r"line 1: there is no column 2; the row .* has 2. Set word_column to .* -2 to 1"),
        ("\na O\n", {"tag_column": -3}, r"line 2: there is no column -3; .* Set tag_column to an index from -2 to 1"),
        (
            "a\tO\n\tO\n",
            {"separator": "\t"},
            r"line 2: expected a word and a tag, found \['', 'O'\], where one is empty",
        ),
        (
            "a\tO\nb\t \n",
            {"separator": "\t"},
            "line 2: expected a word and a tag.*where one is empty.*Complete the row",
        ),
        ("", {}, "file.txt holds no sentence. Expected a word and its tag on each line"),
        ("\n \n\n", {}, "holds no sentence"),
        ("-DOCSTART- O\n\n", {}, "holds no sentence"),
        ("# only\n", {"comment_prefix": "#"}, "holds no sentence"),
        ("a O\nb\0 O\n", {}, "line 2: .*NUL"),
    ],
)
def test_what_is_wrong_is_told_with_file_line_and_remedy(read, text, settings, message):
    with pytest.raises(ConfigurationError, match=f"/file.txt.*{message}" if "holds" not in message else message):
        read(text, **settings)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"word_column": "FORM"}, "word_column must be the number of a column.*it is 'FORM'"),
        ({"tag_column": "upos"}, "tag_column must be the number of a column.*it is 'upos'"),
        ({"word_column": None}, "word_column must be the number of a column.*it is None"),
        ({"separator": ""}, "separator must not be empty"),
        ({"comment_prefix": ""}, "comment_prefix must not be empty"),
        ({"document_prefix": ""}, "document_prefix must not be empty"),
    ],
)
def test_settings_that_can_not_be_are_errors(settings, message):
    with pytest.raises(ConfigurationError, match=message):
        ColumnFormat(**settings)
