import gzip
import logging

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader, Vocabulary
from allennlp.data.data_loaders import MultiProcessDataLoader

from elmo_plugin.data.dataset_readers.sentences import ElmoSentencesReader


def reader(**arguments):
    return DatasetReader.from_params(Params({"type": "elmo_sentences", **arguments}))


def read(tmp_path, content, name="text.txt"):
    path = tmp_path / name
    path.write_bytes(content)
    return list(reader().sentences(str(path)))


def test_a_sentence_is_a_line_and_its_words_are_what_stands_between_white_space(tmp_path):
    assert read(tmp_path, "The cat  sat\t.\n 中文 é \n".encode()) == [["The", "cat", "sat", "."], ["中文", "é"]]


@pytest.mark.parametrize("content", [b"a b\r\nc\r\n", b"\xef\xbb\xbfa b\nc\n", b"a b\nc"])
def test_line_ends_and_byte_order_marks_leave_no_trace(tmp_path, content):
    assert read(tmp_path, content) == [["a", "b"], ["c"]]


def test_a_pattern_names_files_that_are_read_in_their_order_gzip_too(tmp_path):
    for name, content in (("b.txt", b"b\n"), ("a.txt", b"a\n"), ("other", b"x\n")):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "c.txt.gz").write_bytes(gzip.compress(b"c\n"))
    assert list(reader().sentences(str(tmp_path / "*.txt*"))) == [["a"], ["b"], ["c"]]


def test_blank_lines_are_no_sentences_and_are_counted(tmp_path, caplog):
    with caplog.at_level(logging.INFO, "elmo_plugin"):
        assert read(tmp_path, "\na\n \t\n\u3000\nb\n\n".encode()) == [["a"], ["b"]]
    assert "text.txt: skipped 4 blank lines" in caplog.text


def test_literal_sentence_marks_are_read_and_counted(tmp_path, caplog):
    assert read(tmp_path, b"a <S> b </S>\n<S> <s> <UNK>\n") == [["a", "<S>", "b", "</S>"], ["<S>", "<s>", "<UNK>"]]
    assert "text.txt: 3 words are literally <S> or </S>; the model reads them as boundaries" in caplog.text


def test_plain_text_is_read_without_a_line_in_the_log(tmp_path, caplog):
    with caplog.at_level(logging.INFO, "elmo_plugin"):
        read(tmp_path, b"a b\n")
    assert [record for record in caplog.records if record.name.startswith("elmo_plugin")] == []


def test_long_words_and_long_sentences_are_read_whole(tmp_path):
    word, sentence = "x" * 10000, ["w"] * 5000
    assert read(tmp_path, f"{word}\n{' '.join(sentence)}\n".encode()) == [[word], sentence]


@pytest.mark.parametrize(
    "content, message",
    [
        (b"a\nb \x00 c\n", "text.txt, line 2: .*found a NUL byte"),
        (b"a\n\xff\xfe\n", "text.txt, line 2: expected text in UTF-8, found byte 0xff at position 0"),
        (b"a\rb\n", "text.txt, line 1: .*carriage return inside a line"),
        (b"", "text.txt holds no sentences .0 blank lines.. Expected one sentence a line"),
        (b"\n \n", "text.txt holds no sentences .2 blank lines."),
    ],
)
def test_what_is_no_text_is_an_error_with_file_and_line(tmp_path, content, message):
    with pytest.raises(ConfigurationError, match=message):
        read(tmp_path, content)


def test_one_empty_file_among_others_is_no_error(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"")
    (tmp_path / "b.txt").write_bytes(b"b\n")
    assert list(reader().sentences(str(tmp_path / "*.txt"))) == [["b"]]


def test_missing_files_are_an_error_that_says_what_to_give(tmp_path):
    with pytest.raises(ConfigurationError, match="no file .*none.*, nor does it match any as a pattern"):
        list(reader().sentences(str(tmp_path / "none*.txt")))


def test_instances_hold_the_words_and_what_the_indexers_make_of_them(tmp_path):
    (tmp_path / "text.txt").write_bytes(b"the cat\nsat\n")
    indexer = {"type": "elmo_character_ids", "max_characters": 6}
    instances = list(reader(token_indexers={"characters": indexer}).read(str(tmp_path / "text.txt")))
    assert [[token.text for token in instance["source"]] for instance in instances] == [["the", "cat"], ["sat"]]
    instances[1].index_fields(Vocabulary())
    tensor = instances[1].as_tensor_dict()["source"]["characters"]["elmo_tokens"]
    assert tensor.tolist() == [[259, *(byte + 1 for byte in b"sat"), 260, 261]]


def test_without_indexers_in_the_configuration_there_is_one_of_the_default_width(tmp_path):
    instance = ElmoSentencesReader().text_to_instance(["a"])
    ElmoSentencesReader().apply_token_indexers(instance)
    instance.index_fields(Vocabulary())
    assert instance.as_tensor_dict()["source"]["elmo"]["elmo_tokens"].shape == (1, 50)


def test_two_loader_workers_read_each_sentence_once(tmp_path):
    (tmp_path / "text.txt").write_text("".join(f"w{number}\n" for number in range(11)))
    loader = MultiProcessDataLoader(reader(), str(tmp_path / "text.txt"), batch_size=2, num_workers=2)
    words = [instance["source"][0].text for instance in loader.iter_instances()]
    assert sorted(words) == sorted(f"w{number}" for number in range(11))


def test_no_more_instances_are_read_than_asked_for(tmp_path):
    (tmp_path / "text.txt").write_bytes(b"a\nb\nc\n")
    assert len(list(reader(max_instances=2).read(str(tmp_path / "text.txt")))) == 2


def test_the_words_of_tagged_files_are_sentences_too(tmp_path):
    (tmp_path / "text.conll").write_text("-DOCSTART-\tO\n\nO\tAnna\nO\tleft\n\n# a comment\nO\tOslo\n")
    tagged = reader(word_column=1, separator="\t", comment_prefix="#")
    assert list(tagged.sentences(str(tmp_path / "*.conll"))) == [["Anna", "left"], ["Oslo"]]


def test_options_of_columns_without_a_column_are_refused():
    with pytest.raises(ConfigurationError, match="Set word_column too"):
        reader(separator="\t")
