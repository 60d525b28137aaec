import difflib
import json
import re

import _jsonnet
import pytest
from allennlp.commands.train import train_model_from_file
from allennlp.common import Params
from allennlp.models import load_archive
from allennlp.predictors import Predictor

from elmo_plugin.data.dataset_readers.questions import read_questions

CONFIGS = "training_configs"
ELMO = {"options_file": "fixtures/bilm/options.json", "weight_file": "fixtures/bilm/weights.hdf5"}
TINY = {"hidden_size": 4, "type": "gru", "bidirectional": True}
SMALL = {
    "trainer.num_epochs": 1,
    "dataset_reader.max_instances": 8,
    "model.attention_dim": 4,
    **{f"model.{name}_encoder": TINY for name in ("contextual", "self_attention", "start", "end")},
}


@pytest.fixture(autouse=True)
def in_the_projects_root(project_root, monkeypatch):
    monkeypatch.chdir(project_root)


@pytest.mark.parametrize("name", ["squad", "cmrc"])
def test_the_twins_differ_in_elmo_alone(name):
    files = [open(f"{CONFIGS}/{name}_{arm}.jsonnet").read().splitlines() for arm in ("baseline", "with_elmo")]
    changes = [line for line in difflib.ndiff(*files) if line[0] in "+-"]
    assert len(changes) == 2 and all(line[2:].strip().startswith("elmo:: ") for line in changes)


@pytest.mark.parametrize("name", ["squad", "cmrc"])
def test_what_the_twins_say_differs_in_indexers_and_embedder_alone(name):
    baseline, with_elmo = (
        Params.from_file(f"{CONFIGS}/{name}_{arm}.jsonnet").as_dict() for arm in ("baseline", "with_elmo")
    )
    for reader in ("dataset_reader", "validation_dataset_reader"):
        assert with_elmo[reader]["token_indexers"].pop("elmo") == {"type": "elmo_character_ids"}
    embedder = with_elmo["model"]["text_field_embedder"]["token_embedders"].pop("elmo")
    assert embedder == {"type": "elmo", "dropout": 0.5, "num_output_representations": 1, **ELMO}
    assert with_elmo == baseline


def test_only_the_reader_of_the_training_file_leaves_questions_out():
    config = Params.from_file(f"{CONFIGS}/squad_baseline.jsonnet").as_dict()
    assert config["dataset_reader"]["training"] is True
    assert "training" not in config["validation_dataset_reader"]


def config_of(snippet, tmp_path, project_root, library="reader"):
    path = tmp_path / "leaf.jsonnet"
    lib = f"{project_root}/training_configs/lib"
    full = f" + (import '{lib}/reader_full.libsonnet')" if library == "reader_full" else ""
    path.write_text(f"(import '{lib}/reader.libsonnet'){full} + {snippet}")
    return Params.from_file(str(path)).as_dict()


REQUIRED = {
    "train_data": "'a'",
    "dev_data": "'b'",
    "test_data": "null",
    "elmo": "{options_file: 'o', weight_file: 'w'}",
}


def snippet_of(**fields):
    return "{" + ", ".join(f"{name}:: {value}" for name, value in fields.items()) + "}"


@pytest.mark.parametrize("missing", REQUIRED)
def test_a_leaf_without_a_required_field_is_told_which(missing, tmp_path, project_root):
    fields = {name: value for name, value in REQUIRED.items() if name != missing}
    with pytest.raises(RuntimeError, match=f"{missing}: "):
        config_of(snippet_of(**fields), tmp_path, project_root)


def test_every_knob_changes_the_configuration(project_root):
    library = project_root / CONFIGS / "lib" / "reader.libsonnet"
    zone = library.read_text().split("// ---- Knobs ----")[1].split("// ---- Derived ----")[0]
    knobs = re.findall(r"^  (\w+)::", zone, re.MULTILINE)
    assert len(knobs) > 20
    values = {"character_widths": "[9]", "elmo_at_output": "true", "hidden_size": "9", "tokenizer": "{type: 'x'}"}
    leaf = f"(import '{library}') + {snippet_of(**REQUIRED)}"
    leaves = {knob: f"{leaf} + {{{knob}:: {values.get(knob, repr('changed'))}}}" for knob in knobs}
    snippet = "{" + ", ".join(f"{knob}: {text}" for knob, text in {"plain": leaf, **leaves}.items()) + "}"
    configs = json.loads(_jsonnet.evaluate_snippet("knobs", snippet))
    for knob in knobs:
        assert configs[knob] != configs["plain"], knob


def test_the_full_sizes_add_elmo_at_the_output(tmp_path, project_root):
    full = config_of(snippet_of(**REQUIRED), tmp_path, project_root, library="reader_full")
    assert full["model"]["text_field_embedder"]["token_embedders"]["elmo"]["num_output_representations"] == 2
    assert full["model"]["contextual_encoder"]["hidden_size"] == 100


@pytest.mark.parametrize("name, arm", [("squad", "baseline"), ("squad", "with_elmo"), ("cmrc", "with_elmo")])
def test_as_typed_it_trains_evaluates_and_predicts(name, arm, tmp_path):
    train_model_from_file(f"{CONFIGS}/{name}_{arm}.jsonnet", str(tmp_path / "out"), overrides=json.dumps(SMALL))
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert 0 <= metrics["validation_em"] <= metrics["validation_f1"] <= 1
    assert ("validation_rouge_l" in metrics) == (name == "cmrc")
    assert ("training_elmo/gamma" in metrics) == (arm == "with_elmo")
    predictor = Predictor.from_archive(load_archive(str(tmp_path / "out" / "model.tar.gz")))
    passage = "面馆在西街，1961年开。" if name == "cmrc" else "The ferry leaves Korsvik at noon."
    output = predictor.predict_json({"passage": passage, "question": "Where?"})
    assert output["answer"] == passage[output["start"] : output["end"]] != ""


@pytest.mark.parametrize("language", ["english", "chinese"])
@pytest.mark.parametrize("part", ["train", "dev"])
def test_the_answers_of_the_fixtures_stand_where_they_say(language, part):
    questions = list(read_questions(f"fixtures/reading/{language}_{part}.json"))
    assert len(questions) >= 8
    for question in questions:
        for answer in question.answers:
            if answer.start is None:
                assert answer.text in question.passage
            else:
                assert question.passage.startswith(answer.text, answer.start)
