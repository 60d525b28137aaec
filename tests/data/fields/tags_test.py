import pytest
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary

from elmo_plugin.data.dataset_readers.tagging import TaggingReader


@pytest.fixture
def vocabulary():
    reader = TaggingReader()
    instance = reader.text_to_instance(["a", "b"], ["B-PER", "O"])
    reader.apply_token_indexers(instance)
    return Vocabulary.from_instances([instance])


def test_known_tags_become_their_ids(vocabulary):
    instance = TaggingReader().text_to_instance(["c", "d", "e"], ["O", "B-PER", "O"])
    instance["tags"].index(vocabulary)
    ids = [vocabulary.get_token_index(tag, "labels") for tag in ("O", "B-PER", "O")]
    assert instance["tags"].as_tensor({"num_tokens": 3}).tolist() == ids


@pytest.mark.parametrize("scheme, tags", [("BIO", "O B-PER I-PER"), ("BIOUL", "O B-PER I-PER L-PER U-PER")])
def test_with_a_tag_the_vocabulary_gets_the_others_of_its_type(scheme, tags):
    reader = TaggingReader(tag_scheme=scheme)
    instance = reader.text_to_instance(["a", "b"], ["U-PER" if scheme == "BIOUL" else "B-PER", "O"])
    reader.apply_token_indexers(instance)
    vocabulary = Vocabulary.from_instances([instance])
    assert set(vocabulary.get_token_to_index_vocabulary("labels")) == set(tags.split())


def test_a_tag_that_the_model_does_not_know_is_an_error_with_its_line(vocabulary, tmp_path):
    (tmp_path / "file.conll").write_text("c O\n\nd B-PER\ne B-EVENT\n")
    _, instance = TaggingReader().read(str(tmp_path / "file.conll"))
    with pytest.raises(ConfigurationError, match="file.conll, line 4: the tag 'B-EVENT' is not one of the 3.*to_add"):
        instance["tags"].index(vocabulary)


def test_a_tag_from_elsewhere_is_named_by_its_word(vocabulary):
    instance = TaggingReader().text_to_instance(["d", "e"], ["O", "I-LOC"])
    with pytest.raises(ConfigurationError, match="word 2: the tag 'I-LOC' is not one of"):
        instance["tags"].index(vocabulary)
