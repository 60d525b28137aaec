import logging

import pytest
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary
from allennlp.data.token_indexers import SingleIdTokenIndexer

from elmo_plugin.data.dataset_readers.lac import LacReader
from tests.data.dataset_readers.workers import metadata_of_workers

LINE = "20260101-01-001-001/m  １９/m 日/t 李/nr 小河/nr 到/v [东湖/ns 银行/n]nt 。/w 好/a ！/w\n"


def test_each_character_has_the_tag_of_its_place_in_its_word_and_of_the_words_class(write):
    first, second = LacReader().read(write(LINE))
    assert [token.text for token in first["tokens"]] == list("19日李小河到东湖银行。")
    assert first["tags"].labels == (
        "B-m E-m S-TIME B-PER I-PER E-PER S-v B-ORG I-ORG I-ORG E-ORG S-w".split()
    )
    assert second["tags"].labels == ["S-a", "S-w"]


def test_metadata_tells_the_characters_as_they_stand_and_where(write):
    path = write("\n" + LINE)
    first, _ = LacReader().read(path)
    assert first["metadata"].metadata == {"words": list("１９日李小河到东湖银行。"), "file": path, "line": 2}


def test_full_width_is_kept_where_asked(write):
    first, _ = LacReader(half_width=False).read(write(LINE))
    assert first["tokens"][0].text == "１"


def test_the_scheme_may_be_bio_and_names_left_in_words(write):
    first, _ = LacReader(tag_scheme="BIO", join_names=False).read(write(LINE))
    assert first["tags"].labels == "B-m I-m B-TIME B-PER B-PER I-PER B-v B-LOC I-LOC B-n I-n B-w".split()


def test_columns_are_read_with_the_table_of_universal_dependencies(write):
    path = write("1\t好\t_\tADJ\n2\t来 了\t_\tVERB\n\n1\t！\t_\tPUNCT\n", "file.conll")
    columns = {"word_column": 1, "tag_column": 3, "separator": "\t"}
    first, second = LacReader(columns=columns, tag_table="upos").read(path)
    assert [token.text for token in first["tokens"]] == ["好", "来", "了"]
    assert first["tags"].labels == ["S-a", "B-v", "E-v"]
    assert second["metadata"]["line"] == 4


def test_long_sentences_are_cut_between_words(write):
    instances = list(LacReader(max_characters=3).read(write("春天/t 到/v 青石镇/ns\n")))
    assert [instance["metadata"]["words"] for instance in instances] == [list("春天到"), list("青石镇")]


def test_what_was_left_out_and_joined_is_told(write, caplog):
    with caplog.at_level(logging.INFO):
        list(LacReader().read(write(LINE)))
    assert "1 brackets made one word, 1 identifiers left out, 1 paragraphs, 1 people joined" in caplog.text


def test_a_word_of_nothing_but_white_space_is_left_out_and_counted(write, caplog):
    path = write("\u3000\tPUNCT\n好\tADJ\n")
    with caplog.at_level(logging.INFO):
        (instance,) = LacReader(columns={"separator": "\t"}, tag_table="upos").read(path)
    assert (instance["metadata"]["words"], instance["tags"].labels) == (["好"], ["S-a"])
    assert "1 words of nothing but white space left out" in caplog.text


def test_classes_that_the_model_does_not_know_are_an_error_with_file_and_line(write):
    (known,) = LacReader().read(write("好/a\n", "train.txt"))
    vocabulary = Vocabulary.from_instances([known])
    (unknown,) = LacReader().read(write("来/v\n", "dev.txt"))
    with pytest.raises(ConfigurationError, match="dev.txt, line 1: the tag 'S-v' is not one of"):
        unknown.index_fields(vocabulary)


def test_unknown_tags_are_an_error_unless_they_are_explained(write):
    path = write("好/yy\n")
    with pytest.raises(ConfigurationError, match="file.txt, line 1: the tag 'yy' of 好 is not in the table"):
        list(LacReader().read(path))
    (instance,) = LacReader(more_tags={"yy": "n"}).read(path)
    assert instance["tags"].labels == ["S-n"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"tag_table": "ctb"}, "elmo_lac: There is no table of tags 'ctb'"),
        ({"tag_scheme": "IOBES"}, "elmo_lac: There is no tag scheme 'IOBES'"),
        ({"columns": {"word": 1}}, "elmo_lac: .*unexpected keyword argument 'word'"),
        ({"columns": {"tag_column": "upos"}}, "tag_column must be the number of a column"),
        ({"columns": {"tag_column": None}}, "elmo_lac learns words from their tags, but tag_column in columns is null"),
        ({"max_characters": 0}, "max_characters of the reader elmo_lac must be 1 or more, but it is 0"),
    ],
)
def test_arguments_that_can_not_be_are_errors(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        LacReader(**arguments)


def test_characters_of_a_predictor_become_an_instance():
    indexers = {"characters": SingleIdTokenIndexer()}
    reader = LacReader(token_indexers=indexers)
    instance = reader.text_to_instance(["好", "９"])
    reader.apply_token_indexers(instance)
    assert [token.text for token in instance["tokens"]] == ["好", "9"] and "tags" not in instance.fields
    assert instance["tokens"].token_indexers is indexers


def test_workers_share_the_sentences_and_lose_none(project_root):
    path = str(project_root / "fixtures" / "lac" / "dev.txt")
    expected = sorted("".join(instance["metadata"]["words"]) for instance in LacReader().read(path))
    read = metadata_of_workers(LacReader(), path, num_workers=2)
    assert sorted("".join(sentence["words"]) for sentence in read) == expected


@pytest.mark.parametrize("part, num_sentences", [("pfr199801/dev.txt", 4054), ("udc/dev.conll", 501)])
def test_real_corpora_are_read_whole(shared_data, part, num_sentences):
    columns = {"columns": {"word_column": 1, "tag_column": 3}, "tag_table": "upos"} if "udc" in part else {}
    assert sum(1 for _ in LacReader(**columns).read(str(shared_data / "lac_zh" / part))) == num_sentences
