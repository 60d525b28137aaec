import json

import torch
from allennlp.commands.train import train_model_from_file
from allennlp.common import Params
from allennlp.data import Batch, DatasetReader, Vocabulary
from allennlp.models import Model, load_archive
from allennlp.predictors import Predictor

import elmo_plugin  # noqa: F401  registers what the configuration names


def test_as_typed_it_trains_and_predicts_without_a_line_of_code(tmp_path):
    folder = tmp_path / "out"
    train_model_from_file("training_configs/basic_classifier.jsonnet", str(folder))
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["training_accuracy"] >= 0.8 and "best_validation_accuracy" in metrics
    predictor = Predictor.from_archive(load_archive(str(folder / "model.tar.gz")))
    assert predictor.predict_json({"sentence": "The bread was fresh."})["label"] in ("good", "bad")


def test_a_batch_of_one_text_without_a_word_has_numbers():
    params = Params.from_file("training_configs/basic_classifier.jsonnet")
    reader = DatasetReader.from_params(params["dataset_reader"])
    instances = [reader.text_to_instance("", "good"), reader.text_to_instance("Cold soup.", "bad")]
    for instance in instances:
        reader.apply_token_indexers(instance)
    vocabulary = Vocabulary.from_instances(instances)
    model = Model.from_params(params["model"], vocab=vocabulary).eval()
    batch = Batch(instances[:1])
    batch.index_instances(vocabulary)
    output = model(**batch.as_tensor_dict())
    assert torch.isfinite(output["probs"]).all() and torch.isfinite(output["loss"])
    assert model.get_metrics(reset=True)["accuracy"] in (0.0, 1.0)
