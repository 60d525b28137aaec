import json

from allennlp.commands.train import train_model_from_file
from allennlp.models import load_archive
from allennlp.predictors import Predictor


def test_as_typed_it_trains_and_predicts_without_a_line_of_code(tmp_path):
    folder = tmp_path / "out"
    train_model_from_file("training_configs/basic_classifier.jsonnet", str(folder))
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["training_accuracy"] >= 0.8 and "best_validation_accuracy" in metrics
    predictor = Predictor.from_archive(load_archive(str(folder / "model.tar.gz")))
    assert predictor.predict_json({"sentence": "The bread was fresh."})["label"] in ("good", "bad")
