import math
import random

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary
from allennlp.training.metrics import SpanBasedF1Measure

from elmo_plugin.data.tag_schemes import Span, tags_to_spans
from elmo_plugin.training.metrics import span_f1
from elmo_plugin.training.metrics.span_f1 import SpanF1


def spans(*tags):
    return [tags_to_spans(sentence.split(), "BIO") for sentence in tags]


def test_a_span_counts_only_if_type_start_and_end_are_right():
    metric = SpanF1(["LOC", "PER"])
    gold = spans("B-PER I-PER O B-LOC", "B-LOC I-LOC O")
    metric(spans("B-PER I-PER O B-PER", "B-LOC O B-LOC"), gold)
    metrics = metric.get_metric()
    assert metrics["precision"] == 1 / 4
    assert metrics["recall"] == 1 / 3
    assert metrics["f1"] == pytest.approx(2 * (1 / 4) * (1 / 3) / (1 / 4 + 1 / 3))
    assert (metrics["_precision/PER"], metrics["_recall/PER"], metrics["_f1/PER"]) == (1 / 2, 1.0, 2 / 3)
    assert (metrics["_precision/LOC"], metrics["_recall/LOC"], metrics["_f1/LOC"]) == (0.0, 0.0, 0.0)


def test_the_same_span_in_another_sentence_does_not_count():
    metric = SpanF1(["LOC"])
    metric(spans("B-LOC O", "O O"), spans("O O", "B-LOC O"))
    assert metric.get_metric()["f1"] == 0.0


def test_ill_formed_predictions_cost_precision():
    metric = SpanF1(["LOC"])
    metric(spans("B-LOC O I-LOC"), spans("B-LOC O O"))
    assert (metric.get_metric()["precision"], metric.get_metric()["recall"]) == (0.5, 1.0)


def test_calls_add_up_and_reset_begins_anew():
    metric = SpanF1(["LOC"])
    metric(spans("B-LOC"), spans("B-LOC"))
    metric(spans("O"), spans("B-LOC"))
    assert metric.get_metric(reset=True)["recall"] == 0.5
    assert metric.get_metric()["recall"] == 0.0


@pytest.mark.parametrize("predicted, gold", [("O", "O"), ("O", "B-LOC"), ("B-LOC", "O")])
def test_nothing_predicted_or_nothing_there_is_zero_and_never_nan(predicted, gold):
    metric = SpanF1(["LOC"])
    metric(spans(predicted), spans(gold))
    assert set(metric.get_metric().values()) == {0.0}
    assert not any(math.isnan(value) for value in SpanF1(["LOC"]).get_metric().values())


def test_spans_without_types_have_a_name():
    metric = SpanF1([""])
    metric([[Span("", 0, 2)]], [[Span("", 0, 2)]])
    assert metric.get_metric()["_f1/span"] == 1.0


def test_allennlps_measure_agrees():
    names = ["O", "B-A", "I-A", "B-C", "I-C"]
    vocabulary = Vocabulary()
    for name in names:
        vocabulary.add_token_to_namespace(name, "labels")
    theirs, ours = SpanBasedF1Measure(vocabulary, "labels"), SpanF1(["A", "C"])
    generator = random.Random(5)
    for _ in range(50):
        length = generator.randint(1, 9)
        predicted, gold = (torch.tensor([[generator.randrange(5) for _ in range(length)]]) for _ in range(2))
        theirs(torch.nn.functional.one_hot(predicted, 5).float(), gold)
        ours(*([tags_to_spans([names[i] for i in tags[0].tolist()], "BIO")] for tags in (predicted, gold)))
    expected, found = theirs.get_metric(), ours.get_metric()
    assert found["f1"] == pytest.approx(expected["f1-measure-overall"])
    for span_type in ("A", "C"):
        for ours_name, their_name in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-measure")):
            assert found[f"_{ours_name}/{span_type}"] == pytest.approx(expected[f"{their_name}-{span_type}"])


def test_a_type_that_looks_like_a_continuation_is_a_type():
    """AllenNLP's measure joins `C-A` to `A` and so finds an error here where there is none."""
    metric = SpanF1(["A", "C-A"])
    gold = spans("B-A O B-C-A O B-A")
    metric(gold, gold)
    assert metric.get_metric()["_f1/C-A"] == metric.get_metric()["_f1/A"] == 1.0


def test_counts_are_summed_over_processes(monkeypatch):
    monkeypatch.setattr(span_f1, "dist_reduce_sum", lambda confusion: confusion + torch.tensor([[0, 2], [2, 0]]))
    metric = SpanF1(["LOC"])
    metric(spans("B-LOC"), spans("B-LOC"))
    assert metric.get_metric()["f1"] == 2 * 1 / (3 + 3)


def test_it_works_in_distributed_training(tmp_path):
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1)
    try:
        metric = SpanF1(["LOC"])
        metric(spans("B-LOC O"), spans("B-LOC B-LOC"))
        assert metric.get_metric()["recall"] == 0.5
    finally:
        torch.distributed.destroy_process_group()


def test_the_confusion_tells_what_was_taken_for_what_and_what_was_missed_or_made_up():
    metric = SpanF1(["LOC", "PER"])
    gold = spans("B-PER I-PER O B-LOC B-PER", "B-LOC I-LOC O B-PER")
    metric(spans("B-PER I-PER O B-PER B-PER", "B-LOC O B-LOC O"), gold)
    assert metric.confusion() == {
        "_confusion/LOC/LOC": 0,
        "_confusion/LOC/PER": 1,
        "_confusion/LOC/missed": 1,
        "_confusion/PER/LOC": 0,
        "_confusion/PER/PER": 2,
        "_confusion/PER/missed": 1,
        "_confusion/spurious/LOC": 2,
        "_confusion/spurious/PER": 0,
    }
    metric.reset()
    assert set(metric.confusion().values()) == {0}


WORDS = spans("B-n I-n B-v B-PER I-PER B-w", "B-LOC I-LOC B-v B-TIME")
FOUND = spans("B-n I-n B-n B-PER I-PER B-w", "B-LOC B-n B-v B-PER")


def test_where_spans_are_words_segmentation_and_names_are_told_apart():
    metric = SpanF1(["LOC", "PER", "TIME", "n", "v", "w"], names=["PER", "LOC", "ORG"])
    metric(FOUND, WORDS)
    metrics = metric.get_metric()
    # Gold 4 + 3 words, found 4 + 4; six of them stand at the same place, four with the same class.
    assert (metrics["segmentation_precision"], metrics["segmentation_recall"]) == (6 / 8, 6 / 7)
    assert (metrics["precision"], metrics["recall"]) == (4 / 8, 4 / 7)
    # Names: PER and LOC are there, two PER are found.
    assert (metrics["name_precision"], metrics["name_recall"]) == (1 / 3, 1 / 2)


def test_in_the_confusion_of_names_all_other_words_are_one():
    metric = SpanF1(["LOC", "PER", "TIME", "n", "v", "w"], names=["PER", "LOC", "ORG"])
    metric(FOUND, WORDS)
    confusion = {key.removeprefix("_confusion/"): count for key, count in metric.confusion().items() if count > 0}
    assert confusion == {
        "PER/PER": 1,
        "LOC/missed": 1,
        "other/PER": 1,
        "other/other": 4,
        "spurious/LOC": 1,
        "spurious/other": 1,
    }


def test_names_that_are_no_types_are_an_error():
    with pytest.raises(ConfigurationError, match="None of the names .*'PER'.* is a type of the tags, which has .*'n'"):
        SpanF1(["n"], names=["PER"])
