import json

import pytest
from allennlp.commands.train import train_model_from_file
from allennlp.common import Params
from allennlp.models import load_archive
from allennlp.predictors import Predictor

from elmo_plugin.data.dataset_readers.questions import read_questions
from tests.training_configs.leaves import FILES, config_of

CONFIGS = "training_configs"
TINY = {"hidden_size": 4, "type": "gru", "bidirectional": True}
SMALL = {
    "trainer.num_epochs": 1,
    "dataset_reader.max_instances": 8,
    "model.attention_dim": 4,
    **{f"model.{name}_encoder": TINY for name in ("contextual", "self_attention", "start", "end")},
}


def test_only_the_reader_of_the_training_file_leaves_questions_out():
    config = Params.from_file(f"{CONFIGS}/squad_baseline.jsonnet").as_dict()
    assert config["dataset_reader"]["training"] is True
    assert "training" not in config["validation_dataset_reader"]


def test_the_full_sizes_add_elmo_at_the_output():
    data = {"train_data": "'a'", "dev_data": "'b'", "test_data": "null"}
    full = config_of("reader", "reader_full", **data, elmo=json.dumps(FILES))
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
