import json

import pytest
from allennlp.commands.train import train_model_from_file
from allennlp.common.checks import ConfigurationError
from allennlp.models import load_archive
from allennlp.predictors import Predictor

BASELINE = "training_configs/lac_baseline.jsonnet"
WITH_ELMO = "training_configs/lac_with_elmo.jsonnet"


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
