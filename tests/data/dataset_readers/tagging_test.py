import gzip
import logging
import pickle

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader, Token, Vocabulary
from allennlp.data.token_indexers import SingleIdTokenIndexer, TokenCharactersIndexer

from elmo_plugin.data.dataset_readers.tagging import TaggingReader
from elmo_plugin.data.tokenizers import BlankSpacyTokenizer
from tests.data.dataset_readers.workers import metadata_of_workers

IOB1 = "-DOCSTART- O\n\nEva I-PER\nfrom O\nNew I-LOC\nYork I-LOC\nParis B-LOC\n\nran O\n"


def tags_of(instances):
    return [instance["tags"].labels for instance in instances]


def test_an_instance_holds_words_tags_and_where_they_came_from(write):
    path = write(IOB1)
    first, second = TaggingReader().read(path)
    assert [token.text for token in first["tokens"]] == ["Eva", "from", "New", "York", "Paris"]
    assert first["tags"].labels == ["B-PER", "O", "B-LOC", "I-LOC", "B-LOC"]
    assert first["metadata"].metadata == {
        "words": ["Eva", "from", "New", "York", "Paris"],
        "tags": ["I-PER", "O", "I-LOC", "I-LOC", "B-LOC"],
        "file": path,
        "line": 3,
        "document": 1,
    }
    assert second["metadata"]["line"] == 9


@pytest.mark.parametrize(
    "scheme, tags",
    [
        ("IOB1", ["I-PER", "O", "I-LOC", "I-LOC", "B-LOC"]),
        ("BIOES", ["S-PER", "O", "B-LOC", "E-LOC", "S-LOC"]),
        ("BIOUL", ["U-PER", "O", "B-LOC", "L-LOC", "U-LOC"]),
    ],
)
def test_tags_leave_in_the_scheme_that_is_asked_for(write, scheme, tags):
    assert tags_of(TaggingReader(tag_scheme=scheme).read(write(IOB1)))[0] == tags


def test_all_token_indexers_are_used(write):
    indexers = {"words": SingleIdTokenIndexer(), "characters": TokenCharactersIndexer(min_padding_length=3)}
    instances = list(TaggingReader(token_indexers=indexers).read(write(IOB1)))
    vocabulary = Vocabulary.from_instances(instances)
    instances[0].index_fields(vocabulary)
    tensors = instances[0].as_tensor_dict()["tokens"]
    assert tensors["words"]["tokens"].shape == (5,)
    assert tensors["characters"]["token_characters"].shape == (5, 5)


def test_patterns_and_gzip_files_are_read_in_order(write, tmp_path):
    write("b B-PER\n", "2.conll")
    (tmp_path / "1.conll.gz").write_bytes(gzip.compress(b"a B-PER\n"))
    instances = TaggingReader().read(f"{tmp_path}/*.conll*")
    assert [instance["metadata"]["words"] for instance in instances] == [["a"], ["b"]]


def test_sentences_leave_in_the_files_order_and_know_their_documents(write):
    path = write("# new\na O\n\nb O\n# new\nc B-PER\n")
    instances = TaggingReader(document_prefix="# new").read(path)
    assert [(one["metadata"]["words"], one["metadata"]["document"]) for one in instances] == [
        (["a"], 1),
        (["b"], 1),
        (["c"], 2),
    ]


def test_a_file_without_tags_is_read_where_no_column_is_named(write):
    (instance,) = TaggingReader(tag_column=None).read(write("Eva\nran\n"))
    assert set(instance.fields) == {"tokens", "metadata"}
    assert "tags" not in instance["metadata"].metadata


def test_words_of_a_predictor_become_an_instance(write):
    instance = TaggingReader().text_to_instance([Token("Eva"), Token("ran")], metadata={"sentence": "Eva ran"})
    assert instance["metadata"].metadata == {"words": ["Eva", "ran"], "sentence": "Eva ran"}
    assert "tags" not in instance.fields


def test_the_scheme_is_taken_from_all_files_of_a_pattern(write, tmp_path):
    write("a O\n", "1.conll")
    write("b I-PER\n", "2.conll")
    assert tags_of(TaggingReader().read(f"{tmp_path}/*.conll")) == [["O"], ["B-PER"]]


def test_tags_of_no_scheme_are_an_error_that_shows_each_schemes_first_misfit(write):
    with pytest.raises(ConfigurationError) as error:
        list(TaggingReader().read(write("a B-PER\n\nb O\nc I-PER\n")))
    message = str(error.value)
    assert "not BIO: " in message and "file.txt, line 4: 'I-PER' follows 'O', which BIO does not allow" in message
    assert "line 1: 'B-PER' begins a sentence, which IOB1 does not allow" in message
    assert "source_scheme" in message and "repair_tags" in message


def test_a_tag_that_breaks_the_scheme_is_an_error_with_its_line(write):
    with pytest.raises(
        ConfigurationError,
        match="file.txt, line 2: 'I-PER' follows 'O', which BIO does not allow.*repair_tags to true",
    ):
        list(TaggingReader(source_scheme="BIO").read(write("a O\nb I-PER\n")))


@pytest.mark.parametrize("repair_tags", [False, True])
def test_a_tag_of_another_scheme_is_an_error_even_where_tags_are_repaired(write, repair_tags):
    reader = TaggingReader(source_scheme="BIO", repair_tags=repair_tags)
    with pytest.raises(ConfigurationError, match="line 3: 'NNP' is no BIO tag, which is O or.*tag_column") as error:
        list(reader.read(write("a O\n\nb NNP\n")))
    assert "repair_tags" not in str(error.value)


def test_repaired_tags_are_counted_and_told(write, caplog):
    reader = TaggingReader(source_scheme="BIO", repair_tags=True)
    with caplog.at_level(logging.WARNING):
        (instance,) = reader.read(write("a O\nb I-PER\nc I-LOC\n"))
    assert instance["tags"].labels == ["O", "B-PER", "B-LOC"]
    assert "2 tags stand where BIO does not allow them" in caplog.text


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"tag_scheme": "IOBES"}, "tag_scheme: There is no tag scheme 'IOBES'; the schemes are BIO"),
        ({"source_scheme": "iob"}, "source_scheme: There is no tag scheme 'iob'"),
        ({"separator": ""}, "separator must not be empty"),
        ({"comment_prefix": ""}, "comment_prefix must not be empty"),
        ({"document_prefix": ""}, "document_prefix must not be empty"),
        ({"repair_tags": True}, "repair_tags needs source_scheme"),
    ],
)
def test_arguments_that_can_not_be_are_errors(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        TaggingReader(**arguments)


def test_a_missing_file_is_an_error():
    with pytest.raises(ConfigurationError, match="no file nowhere.conll"):
        list(TaggingReader().read("nowhere.conll"))


def test_max_instances_is_kept(write):
    assert len(list(TaggingReader(max_instances=1).read(write(IOB1)))) == 1


def test_it_is_built_from_a_configuration():
    reader = DatasetReader.from_params(
        Params({"type": "elmo_tagging", "tokenizer": {"type": "elmo_spacy", "language": "de"}})
    )
    assert isinstance(reader, TaggingReader)
    assert reader.tokenizer.language == "de"
    assert isinstance(pickle.loads(pickle.dumps(reader)).tokenizer, BlankSpacyTokenizer)


@pytest.mark.parametrize(
    "start_method, num_workers, max_instances_in_memory", [("fork", 2, None), ("fork", 2, 5), ("spawn", 1, None)]
)
def test_workers_share_the_sentences_and_lose_none(project_root, start_method, num_workers, max_instances_in_memory):
    path = str(project_root / "fixtures" / "tagged" / "dev.conll")
    expected = sorted(instance["metadata"]["line"] for instance in TaggingReader().read(path))
    read = metadata_of_workers(
        TaggingReader(),
        path,
        num_workers=num_workers,
        start_method=start_method,
        max_instances_in_memory=max_instances_in_memory,
    )
    assert sorted(sentence["line"] for sentence in read) == expected


def test_the_shipped_set_is_well_formed_and_its_held_out_names_are_new(project_root):
    reader = TaggingReader(source_scheme="BIO")
    names = {}
    for part, expected in (("train", 155), ("dev", 45), ("test", 65)):
        instances = list(reader.read(str(project_root / "fixtures" / "tagged" / f"{part}.conll")))
        assert len(instances) == expected
        names[part] = {
            " ".join(words)
            for instance in instances
            for words in _entities(instance["metadata"]["words"], instance["tags"].labels)
        }
    assert not names["train"] & (names["dev"] | names["test"])


def _entities(words, tags):
    entities = []
    for word, tag in zip(words, tags):
        if tag.startswith("B-"):
            entities.append([word])
        elif tag.startswith("I-"):
            entities[-1].append(word)
    return entities
