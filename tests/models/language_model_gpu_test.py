"""The language model of AllenNLP on a GPU that is none."""

import pytest
import torch
from allennlp.common import Params
from allennlp.models import Model

from elmo_plugin.bilm.ops import dispatch
from elmo_plugin.data.vocabulary import ElmoVocabulary
from elmo_plugin.training.metrics import perplexity
from tests.bilm.pretended_gpu import GPU, PretendedGpu, needs_pretended_gpu
from tests.bilm.small_models import small_options

pytestmark = needs_pretended_gpu

ENCODER = {"char_cnn._without_idle_positions": 1}
LENGTHS = {"language_model.forward": 1}


@pytest.fixture
def vocabulary(tmp_path):
    (tmp_path / "words.txt").write_text("\n".join(["<S>", "</S>", "<UNK>", *"abcdefghi"]))
    return ElmoVocabulary.from_word_file(str(tmp_path / "words.txt"))


def window():
    generator = torch.Generator().manual_seed(1)
    batch = {"types": torch.randint(1, 262, (7, 10), generator=generator)}
    for name, size in (("inputs", 7), ("targets", 12)):
        for direction in ("forward", "backward"):
            batch[f"{direction}_{name}"] = torch.randint(0, size, (3, 4), generator=generator)
    return batch


@pytest.mark.parametrize("autocast", [None, "bfloat16"])
@pytest.mark.parametrize("num_samples", [None, 5])
def test_a_window_waits_for_the_longest_word_and_a_ragged_one_for_its_lengths(
    autocast, num_samples, vocabulary, monkeypatch
):
    # Its sums are copied to memory that there is beside a GPU only, and not waited for.
    sent = []
    monkeypatch.setattr(perplexity, "_under_way", lambda sums, sampled: sent.append(sums) or arrived(sampled))
    settings = {"options": small_options(), "dropout": 0.1, "state_reset": 0.5}
    parameters = {"type": "language_model", "num_samples": num_samples, "autocast": autocast, **settings}
    model = Model.from_params(Params(parameters), vocab=vocabulary)
    with PretendedGpu() as gpu, dispatch.forced("plain"):
        model.to("cuda")
        full = {name: tensor.to("cuda") for name, tensor in window().items()}
        ragged = {**full, "lengths": torch.tensor([4, 0, 2]).to("cuda")}
        for is_training in (True, False):
            model.train(is_training)
            for batch, expected in ((full, ENCODER), (full, ENCODER), (ragged, {**ENCODER, **LENGTHS})):
                gpu.waits.clear()
                loss = model(**batch)["loss"]
                model.get_metrics()
                assert dict(gpu.waits) == expected
                assert loss.device == GPU and bool(torch.isfinite(loss.numbers))
        assert [tensor.device for tensor in sent] == 6 * [GPU]
        assert [int(sums.tolist()[2]) for sums in sent] == 2 * [12, 12, 6]


def arrived(sampled):
    return perplexity._UnderWay(torch.tensor([1.0, 1.0, 1.0]), sampled, None)
