"""`autocast: "bfloat16"` under `allennlp train`."""

import json
import shutil

import pytest
import torch
from allennlp.commands.train import train_model_from_file
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.models import Model

from elmo_plugin.data.vocabulary import ElmoVocabulary
from tests.bilm.small_models import small_options
from tests.language_models import CONFIG, SMALL, train

SETTINGS = {
    "model.autocast": "bfloat16",
    "model.num_samples": 40,
    "dataset_reader.max_instances": 200,
    "validation_dataset_reader": {"type": "elmo_sentences", "max_instances": 30},
    "data_loader.batch_size": 8,
    "trainer.num_epochs": 1,
    "trainer.checkpointer": {"type": "elmo_whole", "save_every_num_batches": 4, "keep_most_recent_by_count": None},
}


@pytest.fixture(autouse=True)
def in_the_projects_root(project_root, monkeypatch):
    monkeypatch.chdir(project_root)


def underscored(settings):
    return {key.replace(".", "__"): value for key, value in settings.items()}


@pytest.fixture(scope="module")
def trained(project_root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("autocast") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project_root)
        train(folder, **underscored(SETTINGS))
    return folder


def test_it_learns_about_what_float32_learns(trained, tmp_path):
    train(tmp_path / "out", **underscored({**SETTINGS, "model.autocast": None}))
    rounded, exact = (json.loads((folder / "metrics.json").read_text()) for folder in (trained, tmp_path / "out"))
    assert rounded["training_loss"] != exact["training_loss"], "nothing was rounded"
    assert rounded["training_loss"] == pytest.approx(exact["training_loss"], rel=0.01)
    assert rounded["validation_perplexity"] == pytest.approx(exact["validation_perplexity"], rel=0.02)


def test_weights_and_what_the_optimizer_remembers_are_in_float32(trained):
    state = torch.load(sorted(trained.glob("training_state_e0_b*.th"))[-1])
    moments = [value for entry in state["optimizer"]["state"].values() for value in entry.values() if value.dim() > 0]
    weights = [weight for weight in torch.load(trained / "best.th").values() if weight.is_floating_point()]
    assert moments and weights
    assert {tensor.dtype for tensor in [*moments, *weights]} == {torch.float32}


def test_a_training_that_is_taken_up_in_the_middle_takes_the_same_steps_bit_for_bit(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "out")
    for file in (tmp_path / "out").glob("*"):
        if file.name in ("best.th", "model.tar.gz", "metrics.json") or file.name.startswith("metrics_epoch"):
            file.unlink()
        elif "_state_e" in file.name and not file.name.endswith("_e0_b8.th"):
            file.unlink()
    assert len(list((tmp_path / "out").glob("*_state_e*"))) == 2
    train_model_from_file(CONFIG, str(tmp_path / "out"), overrides=json.dumps({**SMALL, **SETTINGS}), recover=True)
    expected, found = (torch.load(folder / "best.th") for folder in (trained, tmp_path / "out"))
    for name, weight in expected.items():
        assert torch.equal(found[name], weight), name


@pytest.mark.parametrize("autocast", ["float16", "bf16", ""])
def test_another_precision_is_refused_with_the_one_there_is(autocast, tmp_path):
    (tmp_path / "words.txt").write_text("<S>\n</S>\n<UNK>\na\n")
    params = Params({"type": "language_model", "options": small_options(), "autocast": autocast})
    with pytest.raises(ConfigurationError, match=f'must be "bfloat16" or null, but it is .*{autocast}.*use_amp'):
        Model.from_params(params, vocab=ElmoVocabulary.from_word_file(str(tmp_path / "words.txt")))
