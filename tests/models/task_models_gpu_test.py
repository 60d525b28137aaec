"""The models of the shipped task configurations, on a GPU that is none."""

import pytest
import torch
from allennlp.common import Params
from allennlp.data import Batch, DatasetReader, Vocabulary
from allennlp.models import Model
from allennlp.nn.util import move_to_device

from elmo_plugin.bilm.ops import dispatch
from tests.bilm.pretended_gpu import GPU, PretendedGpu, gradients_of, needs_pretended_gpu

pytestmark = needs_pretended_gpu


def lstm_by_steps(lstm, inputs):
    """What `torch.nn.LSTM` of one layer does: its kernels for a GPU want one."""
    hidden = memory = inputs.new_zeros(inputs.size(0), lstm.hidden_size)
    outputs = []
    for step in inputs.unbind(1):
        gates = step @ lstm.weight_ih_l0.t() + lstm.bias_ih_l0 + hidden @ lstm.weight_hh_l0.t() + lstm.bias_hh_l0
        input_gate, forget_gate, candidate, output_gate = gates.chunk(4, dim=1)
        memory = torch.sigmoid(forget_gate) * memory + torch.sigmoid(input_gate) * torch.tanh(candidate)
        hidden = torch.sigmoid(output_gate) * torch.tanh(memory)
        outputs.append(hidden)
    return torch.stack(outputs, dim=1), (hidden, memory)


def model_and_batch(name):
    """Of a configuration as it is shipped, with the fixtures that it names."""
    params = Params.from_file(f"training_configs/{name}.jsonnet")
    reader = DatasetReader.from_params(params["dataset_reader"])
    instances = list(reader.read(params["train_data_path"]))[:3]
    for instance in instances:
        reader.apply_token_indexers(instance)
    vocabulary = Vocabulary.from_instances(instances)
    batch = Batch(instances)
    batch.index_instances(vocabulary)
    torch.manual_seed(1)
    # Without dropout, whose numbers would be others there.
    return Model.from_params(params["model"], vocab=vocabulary).eval(), batch.as_tensor_dict()


@pytest.mark.parametrize("name", ["ner_with_elmo", "lac_with_elmo", "squad_with_elmo", "cmrc_with_elmo"])
def test_they_learn_there_what_they_learn_on_the_cpu(name, monkeypatch):
    model, batch = model_and_batch(name)
    expected_loss = model(**batch)["loss"]
    expected_loss.backward()
    expected = {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}
    expected_metrics = model.get_metrics(reset=True)
    monkeypatch.setattr(torch.nn.LSTM, "forward", lstm_by_steps)
    with PretendedGpu(), dispatch.forced("plain"):
        model.to("cuda")
        loss = model(**move_to_device(batch, GPU))["loss"]
        with torch.no_grad():
            found = gradients_of(loss)
        metrics = model.get_metrics(reset=True)
    assert loss.device == GPU
    torch.testing.assert_close(loss.numbers.detach(), expected_loss.detach(), rtol=1e-5, atol=1e-5)
    assert metrics == pytest.approx(expected_metrics, abs=1e-6)
    gradients = {name: found[one].numbers for name, one in model.named_parameters() if one in found}
    assert gradients.keys() == expected.keys()
    for name, gradient in gradients.items():
        close = expected[name]
        assert (gradient - close).norm() <= 1e-3 * close.norm() + 1e-5, name
