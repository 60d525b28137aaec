import json
import math
from copy import deepcopy

import numpy
import pytest
import torch
from allennlp.common import Lazy, Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.testing import ModelTestCase
from allennlp.data import Batch, Vocabulary
from allennlp.models import Model
from allennlp.modules import FeedForward
from allennlp.modules.seq2seq_encoders import FeedForwardEncoder, LstmSeq2SeqEncoder
from allennlp.modules.text_field_embedders import BasicTextFieldEmbedder
from allennlp.modules.token_embedders import Embedding
from allennlp.nn import Activation

from elmo_plugin.data.dataset_readers.tagging import TaggingReader
from elmo_plugin.models.tagger import ElmoTagger
from tests.closeness import assert_close

WIDTH = 6
SECOND_LSTM = {"type": "lstm", "input_size": 4, "hidden_size": 3}


@pytest.fixture(scope="module")
def instances():
    reader = TaggingReader()
    made = [
        reader.text_to_instance("Eva saw New York .".split(), "B-PER O B-LOC I-LOC O".split()),
        reader.text_to_instance("It rained .".split(), "O O O".split()),
    ]
    for instance in made:
        reader.apply_token_indexers(instance)
    return made


@pytest.fixture(scope="module")
def vocabulary(instances):
    return Vocabulary.from_instances(instances)


@pytest.fixture
def tensors(instances, vocabulary):
    batch = Batch(deepcopy(instances))
    batch.index_instances(vocabulary)
    return batch.as_tensor_dict()


def build(vocabulary, **arguments):
    torch.manual_seed(1)
    settings = {
        "type": "elmo_tagger",
        "text_field_embedder": {"token_embedders": {"tokens": {"type": "embedding", "embedding_dim": WIDTH}}},
        "encoder": {"type": "lstm", "hidden_size": 5, "bidirectional": True},
        **arguments,
    }
    return Model.from_params(Params(settings), vocab=vocabulary)


@pytest.mark.parametrize(
    "encoder, width",
    [
        ({"type": "lstm", "hidden_size": 5}, 5),
        ({"type": "lstm", "hidden_size": 5, "input_size": WIDTH}, 5),
        ({"type": "stacked_bidirectional_lstm", "hidden_size": 5, "num_layers": 2}, 10),
        ({"type": "alternating_lstm", "hidden_size": 5, "num_layers": 2}, 5),
        ({"type": "pass_through"}, WIDTH),
        ({"type": "gated-cnn-encoder", "layers": [[[2, WIDTH]]]}, 2 * WIDTH),
        ({"type": "pytorch_transformer", "num_layers": 1, "num_attention_heads": 2}, WIDTH),
        ({"type": "feedforward", "feedforward": {"num_layers": 1, "hidden_dims": 7, "activations": "relu"}}, 7),
        ({"type": "compose", "encoders": [{"type": "lstm", "hidden_size": 4}, SECOND_LSTM]}, 3),
    ],
)
def test_the_encoders_input_is_filled_in(vocabulary, tensors, encoder, width):
    model = build(vocabulary, encoder=encoder)
    assert (model.encoder.get_input_dim(), model.tag_projection.in_features) == (WIDTH, width)
    assert torch.isfinite(model(**tensors)["loss"])


def test_an_encoder_of_another_width_is_an_error_that_says_how_to_leave_it_out(vocabulary):
    with pytest.raises(ConfigurationError, match="encoder's input is 9 wide, but the text_field_embedder .* 6. Leave"):
        build(vocabulary, encoder={"type": "lstm", "hidden_size": 5, "input_size": 9})


def test_a_feedforward_stands_between_encoder_and_tags(vocabulary, tensors):
    feedforward = {"num_layers": 1, "hidden_dims": 8, "activations": "relu"}
    model = build(vocabulary, feedforward=feedforward)
    assert (model.feedforward.get_input_dim(), model.tag_projection.in_features) == (10, 8)
    assert torch.isfinite(model(**tensors)["loss"])
    with pytest.raises(ConfigurationError, match="feedforward's input is 3 wide, but the encoder before it .* 10"):
        build(vocabulary, feedforward={**feedforward, "input_dim": 3})


def test_it_can_be_built_in_python(vocabulary, tensors):
    text_field_embedder = BasicTextFieldEmbedder({"tokens": Embedding(WIDTH, vocab=vocabulary)})
    lstm = ElmoTagger(vocabulary, text_field_embedder, Lazy(LstmSeq2SeqEncoder, hidden_size=4))
    assert lstm.encoder.get_input_dim() == WIDTH
    ready = FeedForwardEncoder(FeedForward(WIDTH, 1, 4, Activation.by_name("tanh")()))
    assert ElmoTagger(vocabulary, text_field_embedder, Lazy(lambda **sizes: ready)).encoder is ready
    assert torch.isfinite(lstm(**tensors)["loss"])


def test_the_loss_is_the_mean_over_sentences(vocabulary, tensors):
    model = build(vocabulary).eval()
    double = {
        "tokens": {"tokens": {"tokens": tensors["tokens"]["tokens"]["tokens"].repeat(3, 1)}},
        "tags": tensors["tags"].repeat(3, 1),
    }
    once = model(tensors["tokens"], tensors["tags"])["loss"]
    assert torch.allclose(model(**double)["loss"], once, rtol=1e-5)


def test_the_loss_is_minus_the_log_probability_over_all_taggings(vocabulary, instances):
    model = build(vocabulary).eval()
    batch = Batch([deepcopy(instances[1])])
    batch.index_instances(vocabulary)
    tensors = batch.as_tensor_dict()
    output = model(**tensors)
    crf, logits = model.crf, output["logits"][0]

    def score(tags):
        total = crf.start_transitions[tags[0]] + crf.end_transitions[tags[-1]]
        total = total + sum(logits[step, tag] for step, tag in enumerate(tags))
        return total + sum(crf.transitions[before, after] for before, after in zip(tags, tags[1:]))

    num_tags = logits.size(1)
    everything = torch.stack(
        [score((a, b, c)) for a in range(num_tags) for b in range(num_tags) for c in range(num_tags)]
    )
    expected = torch.logsumexp(everything, dim=0) - score(tuple(tensors["tags"][0].tolist()))
    assert_close(output["loss"], expected)


def test_decoded_tags_obey_the_scheme_whatever_the_weights(vocabulary, tensors):
    model = build(vocabulary).eval()
    inside = vocabulary.get_token_index("I-LOC", "labels")
    with torch.no_grad():
        model.tag_projection.bias[inside] = 100.0
    for path in model.make_output_human_readable(model(**tensors))["tags"]:
        assert path[0] == "B-LOC" and set(path[1:]) == {"I-LOC"}


def test_without_tags_it_predicts_and_leaves_the_metrics_alone(vocabulary, tensors):
    model = build(vocabulary).eval()
    output = model(tensors["tokens"], metadata=tensors["metadata"])
    assert "loss" not in output
    assert [len(path) for path in output["tags"]] == [5, 3]
    assert output["words"][1] == ["It", "rained", "."]
    assert set(model.get_metrics().values()) == {0.0}


def test_metrics_tell_accuracy_and_spans_and_are_never_nan(vocabulary, tensors):
    model = build(vocabulary).eval()
    assert not any(math.isnan(value) for value in model.get_metrics(reset=True).values())
    with torch.no_grad():
        model.tag_projection.bias[vocabulary.get_token_index("O", "labels")] = 100.0
    model(**tensors)
    metrics = model.get_metrics(reset=True)
    assert metrics["accuracy"] == 5 / 8
    assert (metrics["f1"], metrics["_f1/PER"], metrics["_f1/LOC"]) == (0.0, 0.0, 0.0)
    assert model.get_metrics()["accuracy"] == 0.0


def test_text_without_a_single_span_has_metrics_of_zero():
    reader = TaggingReader()
    instance = reader.text_to_instance(["It", "rained"], ["O", "O"])
    reader.apply_token_indexers(instance)
    vocabulary = Vocabulary.from_instances([instance])
    batch = Batch([instance])
    batch.index_instances(vocabulary)
    model = build(vocabulary)
    assert torch.isfinite(model(**batch.as_tensor_dict())["loss"])
    assert model.get_metrics(reset=True) == {"accuracy": 1.0, "precision": 0.0, "recall": 0.0, "f1": 0.0}


def test_what_was_taken_for_what_is_told_at_the_end_of_a_pass(vocabulary, tensors):
    model = build(vocabulary).eval()
    with torch.no_grad():
        model.tag_projection.bias[vocabulary.get_token_index("B-PER", "labels")] = 100.0
    model(**tensors)
    assert not any("confusion" in name for name in model.get_metrics())
    metrics = model.get_metrics(reset=True)
    assert (metrics["_confusion/PER/PER"], metrics["_confusion/LOC/missed"]) == (1, 1)
    assert metrics["_confusion/spurious/PER"] == 7


def test_names_among_words_are_told_apart(vocabulary, tensors):
    model = build(vocabulary, names=["PER"]).eval()
    model(**tensors)
    metrics = model.get_metrics(reset=True)
    assert {"segmentation_f1", "name_f1", "_confusion/other/PER"} <= set(metrics)


def test_without_decoding_in_training_it_learns_the_same_and_tells_metrics_of_evaluation_only(vocabulary, tensors):
    with_tags, without = build(vocabulary), build(vocabulary, decode_in_training=False)
    outputs = with_tags(**tensors), without(**tensors)
    assert torch.equal(outputs[0]["loss"], outputs[1]["loss"])
    assert "tags" in outputs[0] and "tags" not in outputs[1]
    assert (set(without.get_metrics()), set(without.get_metrics(reset=True))) == (set(), set())
    assert without.eval()(**tensors)["tags"] == with_tags.eval()(**tensors)["tags"]
    assert without.get_metrics(reset=True)["accuracy"] == with_tags.get_metrics()["accuracy"]


@pytest.mark.parametrize(
    "others, message", [(0, "Sentence 1 of a batch of 1 has no"), (2, "Sentence 3 of a batch of 3")]
)
def test_a_sentence_without_words_is_an_error(vocabulary, instances, others, message):
    reader = TaggingReader()
    empty = reader.text_to_instance([], [])
    reader.apply_token_indexers(empty)
    batch = Batch([*deepcopy(instances[:others]), empty])
    batch.index_instances(vocabulary)
    with pytest.raises(ConfigurationError, match=f"{message}.*Leave such sentences out"):
        build(vocabulary)(**batch.as_tensor_dict())


def test_padding_changes_nothing(vocabulary, instances):
    model = build(vocabulary).eval()

    def logits_of_the_short_sentence(batch_of):
        batch = Batch(deepcopy(batch_of))
        batch.index_instances(vocabulary)
        return model(**batch.as_tensor_dict())["logits"][-1][:3]

    together, alone = logits_of_the_short_sentence(instances), logits_of_the_short_sentence(instances[1:])
    assert_close(together, alone)


def test_the_mix_of_every_embedder_that_tells_it_is_among_the_metrics_of_a_pass(vocabulary):
    class MixedEmbedding(Embedding):
        def mix_metrics(self):
            return {"elmo/layer_0": 0.25, "elmo/gamma": 1.5}

    def with_embedders(**embedders):
        return ElmoTagger(vocabulary, BasicTextFieldEmbedder(embedders), Lazy(LstmSeq2SeqEncoder, hidden_size=4))

    one = with_embedders(elmo=MixedEmbedding(WIDTH, vocab=vocabulary)).get_metrics(reset=True)
    assert (one["elmo/layer_0"], one["elmo/gamma"]) == (0.25, 1.5)
    two = with_embedders(a=MixedEmbedding(WIDTH, vocab=vocabulary), b=MixedEmbedding(WIDTH, vocab=vocabulary))
    assert sum(name.endswith("elmo/gamma") for name in two.get_metrics(reset=True)) == 2
    assert not any("elmo/" in name for name in two.get_metrics()), "the progress bar must stay readable"


def test_tags_of_another_scheme_are_an_error_that_names_both_places(vocabulary):
    with pytest.raises(ConfigurationError, match="'I-LOC' is no BMES tag.*Give the model and the dataset reader"):
        build(vocabulary, tag_scheme="BMES")
    with pytest.raises(ConfigurationError, match="tag_scheme.*There is no tag scheme 'BIEOS'"):
        build(vocabulary, tag_scheme="BIEOS")


def test_a_vocabulary_without_tags_is_an_error(vocabulary):
    with pytest.raises(ConfigurationError, match="no tags in the namespace 'pos_labels'.*set label_namespace"):
        build(vocabulary, label_namespace="pos_labels")


class TestTrainedTagger(ModelTestCase):
    def test_it_trains_saves_loads_and_predicts_alike(self, small_baseline):
        config, overrides = small_baseline
        self.ensure_model_can_train_save_and_load(config, overrides=overrides)
        metrics = json.loads((self.TEST_DIR / "save_and_load_test" / "metrics.json").read_text())
        assert {"best_validation_f1", "test_f1", "test__f1/PER", "validation_accuracy"} <= set(metrics)
        assert all(numpy.isfinite(value) for value in metrics.values() if isinstance(value, float))

    def test_predictions_do_not_depend_on_the_batch(self, small_baseline):
        config, overrides = small_baseline
        params = Params.from_file(config, overrides)
        path = self.TEST_DIR / "config.json"
        params.to_file(str(path))
        self.set_up_model(path, params["validation_data_path"])
        self.model.eval()
        self.ensure_batch_predictions_are_consistent(keys_to_ignore=["loss", "tags", "words"])


@pytest.fixture
def small_baseline(project_root, monkeypatch):
    """The shipped baseline, as file and overrides that only shrink it."""
    monkeypatch.chdir(project_root)
    return "training_configs/ner_baseline.jsonnet", json.dumps(
        {
            "model.encoder.hidden_size": 8,
            "model.text_field_embedder.token_embedders.words.embedding_dim": 8,
            "dataset_reader.max_instances": 24,
            "data_loader": {"batch_size": 8},  # the sampler's batches are random
            "trainer.num_epochs": 2,
        }
    )
