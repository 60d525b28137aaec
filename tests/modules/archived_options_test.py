"""A model with the embedder `elmo` is whole in its archive: what it was built from is not needed again."""

import json
import shutil

import h5py
import pytest
import torch
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Batch
from allennlp.models import load_archive
from allennlp.predictors import Predictor

from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.weights import save_weights
from elmo_plugin.modules.archived_options import archived_options, options_to_tensor
from tests.bilm.small_models import small_bilm, small_options

SENTENCE = "Marta Kowalski moved to Lisbon."


def test_options_are_found_in_weights_by_the_name_of_their_file(tmp_path):
    ours, others = BilmOptions.from_dict(small_options()), BilmOptions.from_dict(small_options(max_characters=33))
    state = {
        "text.elmo_options_json": options_to_tensor("a/options.json", ours),
        "text.weight": torch.zeros(3),
        "elmo_options_json": options_to_tensor("b/options.json", others),
    }
    torch.save(state, tmp_path / "weights.th")
    assert archived_options(tmp_path, "a/options.json") == ours
    assert archived_options(str(tmp_path), "b/options.json") == others
    assert archived_options(tmp_path, "c/options.json") is None


def test_where_there_are_no_weights_yet_there_are_no_options(tmp_path):
    assert archived_options(None, "options.json") is None
    assert archived_options(tmp_path, "options.json") is None
    torch.save({"weight": torch.zeros(3)}, tmp_path / "best.th")
    assert archived_options(tmp_path, "options.json") is None


def test_keys_of_options_that_nobody_knows_are_kept(tmp_path):
    options = BilmOptions.from_dict({**small_options(), "n_train_tokens": 12, "名": "é"})
    torch.save({"elmo_options_json": options_to_tensor("o", options)}, tmp_path / "best.th")
    assert archived_options(tmp_path, "o").to_dict() == options.to_dict()


@pytest.fixture(scope="module")
def trained(project_root, tmp_path_factory):
    """A tagger with two biLMs of different shapes, trained from files that are gone; the model and its directory."""
    folder = tmp_path_factory.mktemp("tagger")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project_root)
        overrides = {"trainer.num_epochs": 1, "model.encoder.hidden_size": 8, "dataset_reader.max_instances": 20}
        config = Params.from_file("training_configs/ner_with_elmo.jsonnet", json.dumps(overrides)).as_dict()
        shutil.copytree("fixtures/bilm", folder / "one")
        (folder / "two").mkdir()
        bilm = small_bilm()
        (folder / "two" / "options.json").write_text(json.dumps(bilm.options.to_dict()))
        save_weights(bilm, folder / "two" / "weights.hdf5")
        embedders = config["model"]["text_field_embedder"]["token_embedders"]
        for name, width, state in (("one", 50, "steady"), ("two", 10, "stateful")):
            files = {
                "options_file": str(folder / name / "options.json"),
                "weight_file": str(folder / name / "weights.hdf5"),
            }
            config["dataset_reader"]["token_indexers"][name] = {"type": "elmo_character_ids", "max_characters": width}
            embedders[name] = {"type": "elmo", **files, "state": state, "requires_grad": name == "two"}
        del config["dataset_reader"]["token_indexers"]["elmo"], embedders["elmo"]
        model = train_model(Params(config), str(folder / "out"), return_model=True)
    for name in ("one", "two"):
        shutil.rmtree(folder / name)
    return model, folder / "out"


@pytest.fixture
def without_hdf5(monkeypatch, tmp_path):
    """No HDF5 file can be opened, and relative paths lead nowhere."""

    def refuse(*_, **__):
        raise AssertionError("an HDF5 file was opened")

    monkeypatch.setattr(h5py, "File", refuse)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", ["model.tar.gz", "."])
def test_an_archive_predicts_on_a_machine_that_never_saw_the_files(trained, without_hdf5, name):
    model, folder = trained
    archive = load_archive(str(folder / name))
    assert archive.model.state_dict().keys() == model.state_dict().keys()
    for key, value in archive.model.state_dict().items():
        assert torch.equal(value, model.state_dict()[key]), key
    instances = [archive.dataset_reader.text_to_instance(SENTENCE.split())]
    archive.dataset_reader.apply_token_indexers(instances[0])
    batch = Batch(instances)
    batch.index_instances(archive.model.vocab)
    outputs = []
    for tagger in (archive.model.eval(), model.eval()):
        tagger.text_field_embedder.token_embedder_two._carried = None
        with torch.no_grad():
            outputs.append(tagger(**batch.as_tensor_dict())["logits"])
    assert torch.equal(*outputs)
    output = Predictor.from_archive(archive).predict_json({"sentence": SENTENCE})
    assert len(output["tags"]) == len(output["words"]) == 6


def test_each_embedder_of_an_archive_has_the_shape_of_its_own_bilm(trained, without_hdf5):
    embedder = load_archive(str(trained[1] / "model.tar.gz")).model.text_field_embedder
    one, two = embedder.token_embedder_one, embedder.token_embedder_two
    assert (one.get_output_dim(), one.bilm.options.max_characters, one.state_policy) == (32, 50, "steady")
    assert (two.get_output_dim(), two.bilm.options.max_characters, two.state_policy) == (8, 10, "stateful")
    assert not any(parameter.requires_grad for parameter in one.bilm.parameters())
    assert all(parameter.requires_grad for parameter in two.bilm.parameters())


def test_the_frozen_bilm_of_an_archive_is_that_of_the_files(trained, project_root):
    with h5py.File(project_root / "fixtures" / "bilm" / "weights.hdf5") as file:
        expected = torch.from_numpy(file["CNN_proj/W_proj"][...].T)
    one = load_archive(str(trained[1] / "model.tar.gz")).model.text_field_embedder.token_embedder_one
    assert torch.equal(one.bilm.encoder.projection.weight, expected)


def test_an_archive_told_to_take_other_files_looks_for_them(trained):
    path = "model.text_field_embedder.token_embedders.one.options_file"
    with pytest.raises(ConfigurationError, match="The embedder elmo: .*other.json.*Give the paths"):
        load_archive(str(trained[1] / "model.tar.gz"), overrides=json.dumps({path: "other.json"}))
