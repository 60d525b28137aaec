import difflib
import gzip
import json
import lzma

import pytest
from allennlp.commands.train import train_model_from_file
from allennlp.common import Params
from allennlp.models import load_archive
from allennlp.predictors import Predictor

from elmo_plugin.bilm.weights import load_bilm
from elmo_plugin.data.dataset_readers.tagging import TaggingReader

BASELINE = "training_configs/ner_baseline.jsonnet"
WITH_ELMO = "training_configs/ner_with_elmo.jsonnet"
SMALL = {"model.encoder.hidden_size": 8, "trainer.num_epochs": 1}


@pytest.fixture(autouse=True)
def in_the_projects_root(project_root, monkeypatch):
    monkeypatch.chdir(project_root)


def test_the_twins_differ_in_elmo_alone():
    files = [open(path).read().splitlines() for path in (BASELINE, WITH_ELMO)]
    changes = [line for line in difflib.ndiff(*files) if line[0] in "+-"]
    assert len(changes) == 2 and all(line[2:].strip().startswith("elmo:: ") for line in changes)


def test_what_the_twins_say_differs_in_indexer_and_embedder_alone():
    baseline, with_elmo = Params.from_file(BASELINE).as_dict(), Params.from_file(WITH_ELMO).as_dict()
    indexer = with_elmo["dataset_reader"]["token_indexers"].pop("elmo")
    embedder = with_elmo["model"]["text_field_embedder"]["token_embedders"].pop("elmo")
    assert with_elmo == baseline
    assert indexer == {"type": "elmo_character_ids"}
    assert embedder == {
        "type": "elmo",
        "options_file": "fixtures/bilm/options.json",
        "weight_file": "fixtures/bilm/weights.hdf5",
        "dropout": 0.5,
    }


def config_of(snippet, tmp_path, project_root):
    path = tmp_path / "leaf.jsonnet"
    path.write_text(f"(import '{project_root}/training_configs/lib/tagger.libsonnet') + {snippet}")
    return Params.from_file(str(path)).as_dict()


@pytest.mark.parametrize("missing", ["train_data", "dev_data", "test_data", "elmo"])
def test_a_leaf_without_a_required_field_is_told_which(missing, tmp_path, project_root):
    fields = {"train_data": "'a'", "dev_data": "'b'", "test_data": "'c'", "elmo": "null"}
    snippet = "{" + ", ".join(f"{name}:: {value}" for name, value in fields.items() if name != missing) + "}"
    with pytest.raises(RuntimeError, match=f"{missing}: "):
        config_of(snippet, tmp_path, project_root)


def test_every_knob_changes_the_configuration(tmp_path, project_root):
    library = (project_root / "training_configs" / "lib" / "tagger.libsonnet").read_text()
    zone = library.split("// ---- Knobs ----")[1].split("// ---- Derived ----")[0]
    knobs = [line.split("::")[0].strip() for line in zone.splitlines() if "::" in line]
    assert len(knobs) > 15
    required = "train_data:: 'a', dev_data:: 'b', test_data:: null, elmo:: {options_file: 'o', weight_file: 'w'}"
    plain = config_of("{" + required + "}", tmp_path, project_root)
    for knob in knobs:
        value = "[9]" if knob == "character_widths" else "'changed'"
        assert config_of(f"{{{required}, {knob}:: {value}}}", tmp_path, project_root) != plain, knob


def leaf(tmp_path, project_root, elmo, **knobs):
    fields = {f"{part}_data": "'fixtures/tagged/dev.conll'" for part in ("train", "dev", "test")}
    fields.update(elmo=elmo, hidden_size=8, num_epochs=1, word_dim=3, **knobs)
    path = tmp_path / "leaf.jsonnet"
    snippet = ", ".join(f"{name}:: {value}" for name, value in fields.items())
    path.write_text(f"(import '{project_root}/training_configs/lib/tagger.libsonnet') + {{{snippet}}}")
    return str(path)


@pytest.mark.parametrize("ending, first_line", [("txt", ""), ("txt", "2 3\n"), ("txt.gz", "2 3\n"), ("txt.xz", "")])
def test_static_vectors_are_loaded_and_an_archive_does_not_need_their_file(ending, first_line, tmp_path, project_root):
    vectors = tmp_path / f"vectors.{ending}"
    opener = {"txt": open, "txt.gz": gzip.open, "txt.xz": lzma.open}[ending]
    with opener(vectors, "wt") as file:
        file.write(f"{first_line}the 1 2 3\nquagga 4 5 6\n")
    config = leaf(tmp_path, project_root, "null", word_vectors=f"'{vectors}'", train_word_vectors="false")
    model = train_model_from_file(config, str(tmp_path / "out"), return_model=True)
    vectors.unlink()
    loaded = load_archive(str(tmp_path / "out" / "model.tar.gz")).model
    for tagger in (model, loaded):
        weight = tagger.text_field_embedder.token_embedder_words.weight
        for word, vector in {"the": [1.0, 2.0, 3.0], "quagga": [4.0, 5.0, 6.0]}.items():
            assert weight[tagger.vocab.get_token_index(word, "words")].tolist() == vector
        assert not model.text_field_embedder.token_embedder_words.weight.requires_grad


def test_the_mix_is_held_back_where_asked(tmp_path, project_root):
    elmo = "{options_file: 'fixtures/bilm/options.json', weight_file: 'fixtures/bilm/weights.hdf5'}"
    config = leaf(tmp_path, project_root, elmo, mix_l2=0.5)
    model = train_model_from_file(config, str(tmp_path / "out"), return_model=True)
    mix = model.text_field_embedder.token_embedder_elmo.scalar_mix_0
    expected = 0.5 * sum(parameter.item() ** 2 for parameter in mix.scalar_parameters)
    assert expected > 0 and model.get_regularization_penalty().item() == pytest.approx(expected)


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


def test_the_bilm_can_learn_with_the_task_at_a_rate_of_its_own(tmp_path, project_root):
    leaf = open(WITH_ELMO).read().replace("'lib/", f"'{project_root}/training_configs/lib/")
    leaf = leaf.rstrip().removesuffix("}") + "  elmo_learning_rate:: 0.0001,\n}\n"
    (tmp_path / "leaf.jsonnet").write_text(leaf)
    model = train_model_from_file(tmp_path / "leaf.jsonnet", tmp_path / "out", overrides=json.dumps(SMALL))
    learned = model.text_field_embedder.token_embedder_elmo.bilm.state_dict()
    given = load_bilm("fixtures/bilm/options.json", "fixtures/bilm/weights.hdf5").state_dict()
    moved = {name: float((learned[name] - tensor).abs().max()) for name, tensor in given.items()}
    weights = [value for name, value in moved.items() if "weight" in name]
    # Adam moves a number by its rate at most, more or less, in each of the 15 steps of the epoch.
    assert all(0 < value < 15 * 3 * 0.0001 for value in weights), moved
