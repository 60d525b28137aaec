import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.modules.seq2seq_encoders import LstmSeq2SeqEncoder
from tests.closeness import assert_close

from elmo_plugin.modules.padded_lstm import PaddedLstm


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(5)


def directions_of(encoder: LstmSeq2SeqEncoder, num_layers: int):
    """The parameters of each layer's forward direction, and of its backward one, by the names of one layer."""
    named = dict(encoder._module.named_parameters())
    for layer in range(num_layers):
        for ending in ("", "_reverse"):
            yield {
                f"{name}_l0": named[f"{name}_l{layer}{ending}"]
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
                if f"{name}_l{layer}{ending}" in named
            }


def layers_of(padded: PaddedLstm):
    for layer, forward_layer in enumerate(padded.forward_layers):
        yield forward_layer
        yield padded.backward_layers[layer] if padded.bidirectional else None


@pytest.mark.parametrize("num_layers, bidirectional", [(1, False), (1, True), (2, False), (2, True)])
def test_it_is_the_packed_one_forward_and_backward(num_layers, bidirectional):
    packed = LstmSeq2SeqEncoder(3, 4, num_layers=num_layers, bidirectional=bidirectional)
    padded = PaddedLstm(3, 4, num_layers=num_layers, bidirectional=bidirectional)
    for parameters, layer in zip(directions_of(packed, num_layers), layers_of(padded), strict=True):
        if layer is not None:
            layer.load_state_dict(parameters)
    mask = torch.arange(6) < torch.tensor([[6], [1], [4], [3]])
    texts, weights = torch.randn(4, 6, 3), torch.randn(4, 6, padded.get_output_dim())
    outputs, gradients = [], []
    for encoder in (packed, padded):
        inputs = texts.clone().requires_grad_()
        outputs.append(encoder(inputs, mask))
        (outputs[-1] * weights).sum().backward()
        gradients.append(inputs.grad)
    assert_close(outputs[1], outputs[0])
    assert_close(gradients[1], gradients[0])
    for parameters, layer in zip(directions_of(packed, num_layers), layers_of(padded), strict=True):
        for name, parameter in parameters.items():
            assert_close(getattr(layer, name).grad, parameter.grad)


def test_padding_and_neighbours_change_nothing_and_padding_gives_zeros():
    encoder = PaddedLstm(3, 4, bidirectional=True)
    texts = torch.randn(2, 5, 3)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]]).bool()
    both = encoder(texts, mask)
    assert_close(both[1:, :2], encoder(texts[1:, :2], mask[1:, :2]))
    assert (both[1, 2:] == 0).all()
    disturbed = texts.masked_fill(~mask.unsqueeze(-1), 100.0)
    assert_close(encoder(disturbed, mask), both)


def test_a_text_without_tokens_gives_zeros():
    encoder = PaddedLstm(3, 4, bidirectional=True)
    mask = torch.tensor([[1, 1], [0, 0]]).bool()
    assert (encoder(torch.randn(2, 2, 3), mask)[1] == 0).all()


def test_widths():
    assert PaddedLstm(3, 4).get_input_dim() == 3
    assert (PaddedLstm(3, 4).get_output_dim(), PaddedLstm(3, 4, bidirectional=True).get_output_dim()) == (4, 8)
    assert PaddedLstm(3, 4, bidirectional=True).is_bidirectional() and not PaddedLstm(3, 4).is_bidirectional()
    with pytest.raises(ConfigurationError, match="hidden_size must be at least 1; it is 0"):
        PaddedLstm(3, 0)
