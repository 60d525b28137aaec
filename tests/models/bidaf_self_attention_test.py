import json

import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Batch, Vocabulary
from allennlp.data.token_indexers import SingleIdTokenIndexer
from allennlp.models import Model, load_archive
from allennlp.models.archival import archive_model

from elmo_plugin.data.dataset_readers.questions import Answer
from elmo_plugin.data.dataset_readers.reading_comprehension import ReadingComprehensionReader
from elmo_plugin.data.token_indexers.character_ids import ElmoCharacterIdsIndexer

LONG = "Ada met Bo in Oslo. " * 6 + "Then they left for Rome."
ENCODER = {"type": "gru", "hidden_size": 3, "bidirectional": True}
ENCODERS = {f"{name}_encoder": ENCODER for name in ("contextual", "self_attention", "start", "end")}


def reader_of(**arguments):
    indexers = {"words": SingleIdTokenIndexer(), "elmo": ElmoCharacterIdsIndexer()}
    return ReadingComprehensionReader(token_indexers=indexers, **arguments)


def instances_of(reader, *questions):
    instances = []
    for i, (question, passage, *answers) in enumerate(questions):
        instances.append(reader.text_to_instance(question, passage, [Answer(answer) for answer in answers], id=f"q{i}"))
        reader.apply_token_indexers(instances[-1])
    return instances


QUESTIONS = [
    ("Where did they go?", LONG, "Rome"),
    ("Who met Bo?", "Ada met Bo in Oslo.", "Ada"),
    ("Who?", "Bo", "Bo"),
    ("Why?", "Ada met Bo in Oslo.", "nobody knows"),
]


@pytest.fixture(scope="module")
def instances():
    return instances_of(reader_of(window=12, stride=5), *QUESTIONS)


@pytest.fixture(scope="module")
def vocabulary(instances):
    return Vocabulary.from_instances(instances)


def embedders(project_root, num_mixes):
    files = {name: str(project_root / "fixtures" / "bilm" / file) for name, file in FILES.items()}
    elmo = {"type": "elmo", "num_output_representations": num_mixes, **files}
    return {"words": {"type": "embedding", "embedding_dim": 5}, "elmo": elmo}


FILES = {"options_file": "options.json", "weight_file": "weights.hdf5"}


def model_of(project_root, vocabulary, num_mixes=1, **arguments):
    torch.manual_seed(7)
    config = {
        "type": "bidaf_self_attention",
        "text_field_embedder": {"token_embedders": embedders(project_root, num_mixes)},
        **ENCODERS,
        **arguments,
    }
    return Model.from_params(Params(config), vocab=vocabulary)


def tensors(instances, vocabulary):
    batch = Batch(instances)
    batch.index_instances(vocabulary)
    return batch.as_tensor_dict()


def test_it_gives_an_answer_its_place_and_probability_for_passages_of_any_length(project_root, instances, vocabulary):
    outputs = model_of(project_root, vocabulary).forward_on_instances(instances)
    for output, (_, passage, *_), i in zip(outputs, QUESTIONS, range(4)):
        assert output["id"] == f"q{i}"
        assert output["answer"] == passage[output["start"] : output["end"]] != ""
        assert 0 < output["probability"] <= 1
    assert outputs[2]["probability"] == pytest.approx(1)


@pytest.mark.parametrize("num_mixes", [1, 2])
def test_every_parameter_that_learns_gets_a_finite_gradient(project_root, instances, vocabulary, num_mixes):
    model = model_of(project_root, vocabulary, num_mixes)
    model(**tensors(instances, vocabulary))["loss"].backward()
    # A bias of all scores of a softmax, or before it, changes nothing.
    biases = ("start_projection.bias", "end_projection.bias", "similarity._bias")
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
            assert parameter.grad.any() or name.endswith(biases), name
        else:
            assert ".bilm." in name


def test_elmo_at_the_output_is_a_second_mix_that_widens_the_attention(project_root, instances, vocabulary):
    once, twice = (model_of(project_root, vocabulary, num_mixes) for num_mixes in (1, 2))
    assert once.contextual_encoder.get_input_dim() == twice.contextual_encoder.get_input_dim()
    widths = [model.question_attention.projection.in_features for model in (once, twice)]
    elmo = once.text_field_embedder.token_embedder_elmo
    assert widths[1] - widths[0] == 4 * elmo.get_output_dim()
    with torch.no_grad():
        before = twice.eval()(**tensors(instances, vocabulary))["loss"]
        twice.text_field_embedder.token_embedder_elmo.scalar_mix_1.gamma.fill_(3.0)
        assert twice(**tensors(instances, vocabulary))["loss"] != before
    assert {"elmo/gamma", "elmo_1/gamma"} <= set(twice.get_metrics(reset=True))


def test_other_questions_of_a_batch_change_nothing(project_root, instances, vocabulary):
    model = model_of(project_root, vocabulary).eval()
    together = model.forward_on_instances(instances)
    for instance, output in zip(instances, together):
        alone = model.forward_on_instance(instance)
        assert alone["answer"] == output["answer"]
        assert alone["probability"] == pytest.approx(output["probability"], rel=1e-4)


def test_one_window_over_the_whole_passage_is_as_no_windows(project_root, vocabulary):
    model = model_of(project_root, vocabulary).eval()
    outputs = [
        model.forward_on_instances(instances_of(reader_of(window=window, stride=window), QUESTIONS[0]))[0]
        for window in (100, 42, 41)
    ]
    assert outputs[0]["probability"] != pytest.approx(outputs[2]["probability"], rel=1e-4)
    assert outputs[0]["probability"] == pytest.approx(outputs[1]["probability"], rel=1e-5)


def test_it_learns_and_its_archive_predicts_alike(project_root, instances, vocabulary, tmp_path):
    model = model_of(project_root, vocabulary, dropout=0.0)
    batch = tensors(instances, vocabulary)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.01)
    first = model(**batch)["loss"].item()
    for _ in range(80):
        optimizer.zero_grad()
        loss = model(**batch)["loss"]
        loss.backward()
        optimizer.step()
    assert loss.item() < first / 2
    model.eval().get_metrics(reset=True)
    expected = model.forward_on_instances(instances)
    # The last question's answer is nowhere.
    assert model.get_metrics()["em"] == 0.75

    config = {
        "dataset_reader": {"type": "elmo_reading_comprehension"},
        "model": {
            "type": "bidaf_self_attention",
            "text_field_embedder": {"token_embedders": embedders(project_root, 1)},
            **ENCODERS,
        },
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    torch.save(model.state_dict(), tmp_path / "best.th")
    vocabulary.save_to_files(str(tmp_path / "vocabulary"))
    archive_model(str(tmp_path))
    loaded = load_archive(str(tmp_path / "model.tar.gz")).model.eval()
    for ours, theirs in zip(expected, loaded.forward_on_instances(instances)):
        assert theirs["answer"] == ours["answer"]
        assert theirs["probability"] == pytest.approx(ours["probability"], rel=1e-5)


def test_a_batch_none_of_whose_answers_is_known_has_a_loss_of_zero_and_no_metric_is_nan(
    project_root, instances, vocabulary
):
    model = model_of(project_root, vocabulary)
    loss = model(**tensors(instances[3:], vocabulary))["loss"]
    loss.backward()
    assert loss.item() == 0.0
    assert model.get_metrics(reset=True)["f1"] == 0.0
    assert all(value == value for value in model.get_metrics().values())


@pytest.mark.parametrize("name", ["question", "passage"])
def test_a_text_without_a_token_is_an_error(project_root, instances, vocabulary, name):
    batch = tensors(instances[:2], vocabulary)
    for indexer in batch[name].values():
        for tensor in indexer.values():
            tensor[1] = 0
    if name == "passage":
        batch["windows"][1] = 0
    with pytest.raises(ConfigurationError, match=f"The {name} of question 1 of the batch"):
        model_of(project_root, vocabulary)(**batch)


def test_answers_are_no_longer_than_wanted(project_root, instances, vocabulary):
    model = model_of(project_root, vocabulary, max_answer_length=1)
    assert all(first == last for first, last in (output["span"] for output in model.forward_on_instances(instances)))
    with pytest.raises(ConfigurationError, match="max_answer_length must be at least 1 token; it is 0"):
        model_of(project_root, vocabulary, max_answer_length=0)


def test_answers_in_chinese_have_rouge_l(project_root, vocabulary):
    assert "rouge_l" in model_of(project_root, vocabulary, language="zh").get_metrics()


def test_the_width_of_the_attention_can_be_chosen(project_root, vocabulary):
    model = model_of(project_root, vocabulary, attention_dim=11)
    assert model.self_attention.encoder.get_input_dim() == model.start_encoder.get_input_dim() == 11
    assert model.end_encoder.get_input_dim() == 11 + 6
