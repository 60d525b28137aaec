import difflib
import json

import pytest
from allennlp.commands.train import train_model_from_file
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.models import load_archive
from allennlp.predictors import Predictor

BASELINE = "training_configs/lac_baseline.jsonnet"
WITH_ELMO = "training_configs/lac_with_elmo.jsonnet"


@pytest.fixture(autouse=True)
def in_the_projects_root(project_root, monkeypatch):
    monkeypatch.chdir(project_root)


def test_the_twins_differ_in_elmo_alone():
    files = [open(path, encoding="utf-8").read().splitlines() for path in (BASELINE, WITH_ELMO)]
    changes = [line for line in difflib.ndiff(*files) if line[0] in "+-"]
    assert len(changes) == 2 and all(line[2:].strip().startswith("elmo:: ") for line in changes)


def config_of(snippet, tmp_path, project_root):
    path = tmp_path / "leaf.jsonnet"
    path.write_text(f"(import '{project_root}/training_configs/lib/lac.libsonnet') + {snippet}")
    return Params.from_file(str(path)).as_dict()


@pytest.mark.parametrize("missing", ["train_data", "dev_data", "test_data", "elmo"])
def test_a_leaf_without_a_required_field_is_told_which(missing, tmp_path, project_root):
    fields = {"train_data": "'a'", "dev_data": "'b'", "test_data": "'c'", "elmo": "null"}
    snippet = "{" + ", ".join(f"{name}:: {value}" for name, value in fields.items() if name != missing) + "}"
    with pytest.raises(RuntimeError, match=f"{missing}: "):
        config_of(snippet, tmp_path, project_root)


def test_every_knob_changes_the_configuration(tmp_path, project_root):
    library = (project_root / "training_configs" / "lib" / "lac.libsonnet").read_text(encoding="utf-8")
    zone = library.split("// ---- Knobs ----")[1].split("// ---- Derived ----")[0]
    knobs = [line.split("::")[0].strip() for line in zone.splitlines() if "::" in line]
    assert len(knobs) > 15
    required = "train_data:: 'a', dev_data:: 'b', test_data:: null, elmo:: {options_file: 'o', weight_file: 'w'}"
    plain = config_of("{" + required + "}", tmp_path, project_root)
    for knob in knobs:
        value = "9" if knob == "batch_size" else "'changed'"
        assert config_of(f"{{{required}, {knob}:: {value}}}", tmp_path, project_root) != plain, knob


@pytest.mark.parametrize("config", [BASELINE, WITH_ELMO])
def test_as_typed_it_trains_evaluates_and_predicts(config, tmp_path):
    small = {"model.encoder.hidden_size": 8, "trainer.num_epochs": 1}
    train_model_from_file(config, str(tmp_path / "out"), overrides=json.dumps(small))
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert all(0 <= metrics[f"test_{name}"] <= 1 for name in ("f1", "segmentation_f1", "name_f1"))
    assert ("training_elmo/gamma" in metrics) == (config == WITH_ELMO)
    predictor = Predictor.from_archive(load_archive(str(tmp_path / "out" / "model.tar.gz")), "elmo_lac")
    text = "林晓月在青石镇。 她２０２６年开了书店。"
    words = predictor.predict_json({"text": text})["words"]
    assert "".join(word["text"] for word in words) == text.replace(" ", "")


def test_columns_train_too_and_without_names_there_is_nothing_to_tell_of_them(tmp_path):
    data = tmp_path / "data.conll"
    data.write_text("1\t好\tADJ\n2\t书\tNOUN\n\n1\t来\tVERB\n")
    overrides = {
        "train_data_path": str(data),
        "validation_data_path": str(data),
        "test_data_path": str(data),
        "dataset_reader.columns": {"word_column": 1},
        "dataset_reader.tag_table": "upos",
        "trainer.num_epochs": 1,
    }
    with pytest.raises(ConfigurationError, match="None of the names .* is a type of the tags"):
        train_model_from_file(BASELINE, str(tmp_path / "names"), overrides=json.dumps(overrides))
    model = train_model_from_file(
        BASELINE,
        str(tmp_path / "out"),
        overrides=json.dumps({**overrides, "model.names": ["nz", "n"]}),
        return_model=True,
    )
    assert "S-n" in model.vocab.get_token_to_index_vocabulary("labels")
