"""What holds for every library that leaf configurations are made of, and for every pair of twins."""

import difflib
import json
import re
from contextlib import nullcontext

import _jsonnet
import pytest
import torch
from allennlp.commands.train import train_model_from_file
from allennlp.common import Params
from allennlp.data import Vocabulary
from allennlp.models import Model
from allennlp.training.optimizers import Optimizer

import elmo_plugin  # noqa: F401  registers what the configurations name
from tests.conftest import PROJECT_ROOT
from tests.training_configs.leaves import CONFIGS, FILES, config_of, knobs_of, leaf

TASK = {
    "train_data": "'a'",
    "dev_data": "'b'",
    "test_data": "null",
    "elmo": "{options_file: 'o', weight_file: 'w'}",
}
BILM = {
    "train_data": "'a'",
    "heldout_data": "'b'",
    "vocabulary_file": "'c'",
    "cell_dim": "4",
    "projection_dim": "2",
}
REQUIRED = {"tagger": TASK, "lac": TASK, "reader": TASK, "bilm": BILM}
TWINS = ["ner", "lac", "squad", "cmrc"]


@pytest.mark.parametrize(
    "library, missing", [(library, field) for library, fields in REQUIRED.items() for field in fields]
)
def test_a_leaf_without_a_required_field_is_told_which(library, missing):
    fields = {name: value for name, value in REQUIRED[library].items() if name != missing}
    with pytest.raises(RuntimeError, match=f"{missing}: "):
        config_of(library, **fields)


@pytest.mark.parametrize("library", REQUIRED)
def test_every_knob_changes_the_configuration(library):
    knobs = knobs_of(library)
    assert len(knobs) > 12
    # A knob that is calculated with is a number.
    values = {"character_widths": "[9]", "elmo_at_output": "true", "hidden_size": "9", "batch_size": "99"}
    values["tokenizer"] = "{type: 'x'}"
    leaves = {knob: leaf(library, **{**REQUIRED[library], knob: values.get(knob, "'changed'")}) for knob in knobs}
    everything = {"plain": leaf(library, **REQUIRED[library]), **leaves}
    snippet = "{" + ", ".join(f"{name}: {text}" for name, text in everything.items()) + "}"
    configs = json.loads(_jsonnet.evaluate_snippet("knobs", snippet))
    for knob in knobs:
        assert configs[knob] != configs["plain"], knob


def test_the_configs_of_the_page_on_tasks_set_knobs_that_there_are():
    page = (PROJECT_ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```jsonnet\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 2
    for block, library in zip(blocks, ("tagger", "reader")):
        # As a file beside the others, so that what it imports is found.
        assert "trainer" in json.loads(_jsonnet.evaluate_snippet(str(CONFIGS / "page.jsonnet"), block))
        assert set(re.findall(r"(\w+)::", block)) <= {*knobs_of(library), *REQUIRED[library]}


@pytest.mark.parametrize("task", TWINS)
def test_the_twins_differ_in_elmo_alone(task):
    files = [(CONFIGS / f"{task}_{arm}.jsonnet").read_text("utf-8").splitlines() for arm in ("baseline", "with_elmo")]
    changes = [line for line in difflib.ndiff(*files) if line[0] in "+-"]
    assert len(changes) == 2 and all(line[2:].strip().startswith("elmo:: ") for line in changes)


@pytest.mark.parametrize("task", TWINS)
def test_what_the_twins_say_differs_in_indexers_and_embedder_alone(task):
    baseline, with_elmo = (
        Params.from_file(CONFIGS / f"{task}_{arm}.jsonnet").as_dict() for arm in ("baseline", "with_elmo")
    )
    for reader in {"dataset_reader", "validation_dataset_reader"} & set(with_elmo):
        assert with_elmo[reader]["token_indexers"].pop("elmo") == {"type": "elmo_character_ids"}
    embedder = with_elmo["model"]["text_field_embedder"]["token_embedders"].pop("elmo")
    assert embedder.pop("num_output_representations", 1) == 1
    assert embedder == {"type": "elmo", "dropout": 0.5, **FILES}
    assert with_elmo == baseline


def model_of(config):
    return Model.from_params(Params(config["model"]), vocab=Vocabulary(tokens_to_add={"labels": ["B-PER", "I-PER"]}))


WITH_ELMO = {**TASK, "elmo": json.dumps(FILES)}


@pytest.mark.parametrize("library, places", [("tagger", {}), ("lac", {}), ("reader", {"elmo_at_output": "true"})])
def test_the_mix_is_held_back_where_asked(library, places):
    model = model_of(config_of(library, **WITH_ELMO, mix_l2=0.5, **places))
    mixes = model.text_field_embedder.token_embedder_elmo.mixes()
    assert len(mixes) == 1 + len(places)
    for mix in mixes:
        for number, parameter in enumerate(mix.scalar_parameters, 1):
            parameter.data.fill_(number)
    assert model.get_regularization_penalty().item() == pytest.approx(len(mixes) * 0.5 * (1 + 4 + 9))


@pytest.mark.parametrize("library", ["tagger", "lac", "reader"])
def test_the_bilm_can_learn_with_the_task_at_a_rate_of_its_own(library):
    config = config_of(library, **WITH_ELMO, learning_rate=0.005, elmo_learning_rate=0.0001)
    named = [(name, parameter) for name, parameter in model_of(config).named_parameters() if parameter.requires_grad]
    optimizer = Optimizer.from_params(Params(config["trainer"]["optimizer"]), model_parameters=named)
    rates = {id(parameter): group["lr"] for group in optimizer.param_groups for parameter in group["params"]}
    bilm = {name: rates[id(parameter)] for name, parameter in named if ".bilm." in name}
    others = {name: rates[id(parameter)] for name, parameter in named if ".bilm." not in name}
    assert len(bilm) > 10 and set(bilm.values()) == {0.0001}
    assert len(others) > 10 and set(others.values()) == {0.005}


@pytest.mark.parametrize("task", ["ner", "lac", "squad"])
def test_a_training_that_was_stopped_while_it_saved_goes_on_from_the_checkpoint_before(task, tmp_path, monkeypatch):
    def train(recover):
        settings = {"trainer.num_epochs": 2, "evaluate_on_test": False}
        if task != "lac":  # of whose classes some are rare
            settings["dataset_reader.max_instances"] = 16
        config, out = str(CONFIGS / f"{task}_baseline.jsonnet"), str(tmp_path / "out")
        train_model_from_file(config, out, overrides=json.dumps(settings), recover=recover)

    def save_half(content, file):
        if content.get("epochs_completed") != 2:
            return save(content, file)
        with open(file, "wb") if isinstance(file, str) else nullcontext(file) as half:
            half.write(b"half")
        raise KeyboardInterrupt

    save = torch.save
    with monkeypatch.context() as stopped, pytest.raises(KeyboardInterrupt):
        stopped.setattr(torch, "save", save_half)
        train(recover=False)
    assert (tmp_path / "out" / "model_state_e1_b0.th").is_file()
    train(recover=True)
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["epoch"] == 1 and "training_loss" in metrics
