import difflib
import json
import math
import sys

import pytest
import torch
from allennlp.commands import main
from allennlp.common import Params
from allennlp.data import DataLoader, DatasetReader
from allennlp.models import Model
from allennlp.training.learning_rate_schedulers import LearningRateScheduler
from allennlp.training.optimizers import Optimizer

from elmo_plugin.data.vocabulary import NAMESPACE, ElmoVocabulary

FOLDER = "training_configs"
SIZES = ["bilm_tiny", "bilm_laptop", "bilm_small", "bilm_medium", "bilm_original"]
CONFIGS = ["bilm", *SIZES]
# Parameters of the released models, without the softmax.
RELEASED = {"bilm_small": 13.6e6, "bilm_medium": 28.0e6, "bilm_original": 93.6e6}


@pytest.fixture(scope="module")
def vocabulary():
    """Words enough for every number of samples."""
    words = ["<S>", "</S>", "<UNK>", *(f"w{number}" for number in range(10000))]
    return ElmoVocabulary(non_padded_namespaces=[NAMESPACE], oov_token="<UNK>", tokens_to_add={NAMESPACE: words})


def params_of(name):
    return Params.from_file(f"{FOLDER}/{name}.jsonnet")


def test_every_config_is_held_here(project_root):
    assert {path.stem for path in (project_root / FOLDER).glob("bilm*.jsonnet")} == {*CONFIGS, "bilm_finetune"}


@pytest.mark.parametrize("name", CONFIGS)
def test_each_config_is_short_and_names_the_fixtures(name, project_root):
    lines = (project_root / FOLDER / f"{name}.jsonnet").read_text().splitlines()
    settings = [line for line in lines if "::" in line]
    assert len(settings) <= 12
    params = params_of(name).as_dict()
    assert params["train_data_path"] == "fixtures/corpus/train.txt"
    assert params["validation_data_path"] == "fixtures/corpus/heldout.txt"
    assert params["vocabulary"] == {"type": "elmo_word_file", "file": "fixtures/corpus/vocabulary.txt"}


@pytest.mark.parametrize("one, other", list(zip(SIZES, SIZES[1:])))
def test_neighbouring_sizes_differ_in_a_few_lines(one, other, project_root):
    files = [(project_root / FOLDER / f"{name}.jsonnet").read_text().splitlines() for name in (one, other)]
    changes = [line for line in difflib.ndiff(*files) if line[0] in "+-" and not line[2:].startswith("//")]
    assert 0 < len(changes) <= 12


@pytest.mark.parametrize("name", CONFIGS)
def test_each_model_builds_on_paper_with_loader_and_optimizer(name, vocabulary):
    params = params_of(name)
    with torch.device("meta"):
        model = Model.from_params(params["model"], vocab=vocabulary)
    weights = {n: p for n, p in model.named_parameters() if not n.startswith("language_model.softmax.")}
    count = sum(parameter.numel() for parameter in weights.values())
    if name in RELEASED:
        assert count == pytest.approx(RELEASED[name], rel=0.005)
    else:
        assert count < RELEASED["bilm_small"]
    reader = DatasetReader.from_params(params["dataset_reader"])
    for key, path in (("data_loader", "train_data_path"), ("validation_data_loader", "validation_data_path")):
        loader = DataLoader.from_params(params[key], reader=reader, data_path=params[path])
        assert loader.max_characters == model.options.max_characters
    assert model.loss_scale == loader.num_steps
    assert not loader.shuffle, "held-out text is read as it stands"
    optimizer = Optimizer.from_params(params["trainer"]["optimizer"], model_parameters=list(weights.items()))
    assert isinstance(optimizer, torch.optim.Adagrad)


def test_the_original_is_trained_as_in_the_reference():
    params = params_of("bilm_original").as_dict()
    assert params["model"]["num_samples"] == 8192 and params["model"]["dropout"] == 0.1
    assert (params["data_loader"]["batch_size"], params["data_loader"]["num_steps"]) == (128, 20)
    assert params["trainer"]["grad_norm"] == 10.0
    optimizer = params["trainer"]["optimizer"]
    assert (optimizer["lr"], optimizer["initial_accumulator_value"]) == (0.2, 1.0)


@pytest.mark.parametrize("options", [[], ["--include-package", "elmo_plugin"]])
def test_it_trains_through_allennlps_command_line_on_a_text_that_is_named(tmp_path, monkeypatch, options):
    (tmp_path / "train1.txt").write_text("a b c\nb a\n" * 20)
    (tmp_path / "train2.txt").write_text("c b a\n" * 20)
    (tmp_path / "heldout.txt").write_text("a c\n" * 7)
    (tmp_path / "words.txt").write_text("<S>\n</S>\n<UNK>\na\nb\nc\n")
    overrides = {
        "train_data_path": str(tmp_path / "train*.txt"),
        "validation_data_path": str(tmp_path / "heldout.txt"),
        "vocabulary.file": str(tmp_path / "words.txt"),
        "trainer.num_epochs": 2,
    }
    command = ["allennlp", "train", f"{FOLDER}/bilm.jsonnet", "-s", str(tmp_path / "out"), *options]
    monkeypatch.setattr(sys, "argv", [*command, "-o", json.dumps(overrides)])
    main()
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["training_tokens"] == 20 * 5 + 20 * 3 + 60 and metrics["validation_tokens"] == 7 * 3
    assert 1 <= metrics["best_validation_perplexity"] < math.inf
    assert (tmp_path / "out" / "model.tar.gz").is_file()


def test_adamw_with_warm_up_and_cosine_is_a_library_that_any_size_takes(tmp_path, project_root):
    folder = project_root / FOLDER
    path = tmp_path / "leaf.jsonnet"
    adamw = f"(import '{folder}/lib/adamw.libsonnet')"
    path.write_text(f"(import '{folder}/bilm_small.jsonnet') + {adamw} + {{warmup_steps:: 7}}")
    params, plain = Params.from_file(str(path)).as_dict(), params_of("bilm_small").as_dict()
    optimizer = Optimizer.from_params(
        Params(params["trainer"].pop("optimizer")), model_parameters=[("weight", torch.nn.Parameter(torch.ones(1)))]
    )
    assert isinstance(optimizer, torch.optim.AdamW)
    schedule = Params(params["trainer"].pop("learning_rate_scheduler"))
    schedule = LearningRateScheduler.from_params(schedule, optimizer=optimizer, num_epochs=1, num_steps_per_epoch=70)
    assert (schedule.warmup_steps, schedule.total_steps) == (7, 70)
    assert plain["trainer"].pop("optimizer")["type"] == "elmo_adagrad"
    assert plain["trainer"].pop("learning_rate_scheduler") is None
    assert params == plain, "nothing else differs"
