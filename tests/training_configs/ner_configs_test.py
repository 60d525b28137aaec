import gzip
import json
import lzma

import pytest
from allennlp.commands.train import train_model_from_file
from allennlp.common.checks import ConfigurationError
from allennlp.models import load_archive
from allennlp.predictors import Predictor

from elmo_plugin.bilm.weights import load_bilm
from elmo_plugin.data.dataset_readers.tagging import TaggingReader
from tests.training_configs.leaves import FILES, leaf_file

BASELINE = "training_configs/ner_baseline.jsonnet"
WITH_ELMO = "training_configs/ner_with_elmo.jsonnet"
SMALL = {"model.encoder.hidden_size": 8, "trainer.num_epochs": 1}


def leaf(folder, elmo, **knobs):
    data = {f"{part}_data": "'fixtures/tagged/dev.conll'" for part in ("train", "dev", "test")}
    return leaf_file(folder, "tagger", **data, elmo=elmo, hidden_size=8, num_epochs=1, word_dim=3, **knobs)


@pytest.mark.parametrize("ending, first_line", [("txt", ""), ("txt", "2 3\n"), ("txt.gz", "2 3\n"), ("txt.xz", "")])
def test_static_vectors_are_loaded_and_an_archive_does_not_need_their_file(ending, first_line, tmp_path):
    vectors = tmp_path / f"vectors.{ending}"
    opener = {"txt": open, "txt.gz": gzip.open, "txt.xz": lzma.open}[ending]
    with opener(vectors, "wt") as file:
        file.write(f"{first_line}the 1 2 3\nquagga 4 5 6\n")
    config = leaf(tmp_path, "null", word_vectors=f"'{vectors}'", train_word_vectors="false")
    model = train_model_from_file(config, str(tmp_path / "out"), return_model=True)
    vectors.unlink()
    loaded = load_archive(str(tmp_path / "out" / "model.tar.gz")).model
    for tagger in (model, loaded):
        weight = tagger.text_field_embedder.token_embedder_words.weight
        for word, vector in {"the": [1.0, 2.0, 3.0], "quagga": [4.0, 5.0, 6.0]}.items():
            assert weight[tagger.vocab.get_token_index(word, "words")].tolist() == vector
        assert not model.text_field_embedder.token_embedder_words.weight.requires_grad


def test_of_a_word_that_stands_twice_in_a_file_of_vectors_the_last_one_counts(tmp_path):
    (tmp_path / "vectors.txt").write_text("the 1 2 3\nthe 4 5 6\n")
    config = leaf(tmp_path, "null", word_vectors=f"'{tmp_path}/vectors.txt'", train_word_vectors="false")
    model = train_model_from_file(config, str(tmp_path / "out"), return_model=True)
    weight = model.text_field_embedder.token_embedder_words.weight
    assert weight[model.vocab.get_token_index("the", "words")].tolist() == [4.0, 5.0, 6.0]
    assert list(model.vocab.get_token_to_index_vocabulary("words")).count("the") == 1


def test_vectors_of_another_width_are_an_error(tmp_path):
    (tmp_path / "vectors.txt").write_text("the 1 2\nquagga 4 5\n")
    config = leaf(tmp_path, "null", word_vectors=f"'{tmp_path}/vectors.txt'")
    with pytest.raises(ConfigurationError, match="No embeddings of correct dimension found.*embedding_dim"):
        train_model_from_file(config, str(tmp_path / "out"))


@pytest.mark.parametrize("config", [BASELINE, WITH_ELMO])
def test_as_typed_it_trains_evaluates_and_predicts(config, tmp_path):
    train_model_from_file(config, str(tmp_path / "out"), overrides=json.dumps(SMALL))
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert 0 <= metrics["test_f1"] <= 1
    assert {"test__confusion/PER/LOC", "test__confusion/PER/missed", "test__confusion/spurious/LOC"} <= set(metrics)
    assert ("training_elmo/gamma" in metrics) == (config == WITH_ELMO)
    predictor = Predictor.from_archive(load_archive(str(tmp_path / "out" / "model.tar.gz")))
    sentence = "Marta Kowalski moved to Lisbon."
    output = predictor.predict_json({"sentence": sentence})
    assert output["words"] == ["Marta", "Kowalski", "moved", "to", "Lisbon", "."]
    assert len(output["tags"]) == 6


def test_other_files_need_one_override_each(tmp_path):
    data = tmp_path / "data.tsv"
    data.write_text("I-THING\tNew York\n\nO\tand\nI-THING\tOslo\n")
    overrides = {
        **SMALL,
        "train_data_path": str(data),
        "validation_data_path": str(data),
        "test_data_path": str(data),
        "dataset_reader.word_column": 1,
        "dataset_reader.tag_column": 0,
        "dataset_reader.separator": "\t",
    }
    model = train_model_from_file(BASELINE, str(tmp_path / "out"), overrides=json.dumps(overrides), return_model=True)
    assert set(model.vocab.get_token_to_index_vocabulary("labels")) == {"O", "B-THING", "I-THING"}
    assert "_f1/THING" in model.get_metrics()


@pytest.mark.parametrize(
    "part, num_sentences",
    [("wnut17/wnut17train.conll", 3394), ("wikigold/CONLL-format/data/wikigold.conll.txt", 1696)],
)
def test_real_corpora_are_read_whole(shared_data, part, num_sentences):
    path = str(shared_data / "ner_en" / part)
    separator = "\t" if "wnut" in part else None
    assert sum(1 for _ in TaggingReader(separator=separator).read(path)) == num_sentences


def test_the_bilm_can_learn_with_the_task_at_a_rate_of_its_own(tmp_path):
    config = leaf(tmp_path, json.dumps(FILES), elmo_learning_rate=0.0001)
    model = train_model_from_file(config, str(tmp_path / "out"), return_model=True)
    learned = model.text_field_embedder.token_embedder_elmo.bilm.state_dict()
    given = load_bilm("fixtures/bilm/options.json", "fixtures/bilm/weights.hdf5").state_dict()
    moved = {name: float((learned[name] - tensor).abs().max()) for name, tensor in given.items()}
    weights = [value for name, value in moved.items() if "weight" in name]
    # Adam moves a number by its rate at most, more or less, in each of the 6 steps of the epoch.
    assert all(0 < value < 6 * 3 * 0.0001 for value in weights), moved
