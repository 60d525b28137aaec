import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.modules.seq2seq_encoders import LstmSeq2SeqEncoder
from tests.closeness import assert_close

from elmo_plugin.modules.padded_lstm import PaddedLstm


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(5)


def with_the_weights_of(packed: LstmSeq2SeqEncoder, bidirectional: bool) -> PaddedLstm:
    padded = PaddedLstm(3, 4, bidirectional)
    named = dict(packed._module.named_parameters())
    padded.forward_lstm.load_state_dict({name: value for name, value in named.items() if "reverse" not in name})
    if bidirectional:
        turned = {name.removesuffix("_reverse"): value for name, value in named.items() if "reverse" in name}
        padded.backward_lstm.load_state_dict(turned)
    return padded


@pytest.mark.parametrize("bidirectional", [False, True])
def test_it_is_the_packed_one_forward_and_backward(bidirectional):
    packed = LstmSeq2SeqEncoder(3, 4, bidirectional=bidirectional)
    padded = with_the_weights_of(packed, bidirectional)
    mask = torch.arange(6) < torch.tensor([[6], [1], [4], [3]])
    texts, weights = torch.randn(4, 6, 3), torch.randn(4, 6, padded.get_output_dim())
    gradients = []
    outputs = []
    for encoder in (packed, padded):
        inputs = texts.clone().requires_grad_()
        outputs.append(encoder(inputs, mask))
        (outputs[-1] * weights).sum().backward()
        gradients.append(inputs.grad)
    assert_close(outputs[1], outputs[0])
    assert_close(gradients[1], gradients[0])
    assert_close(padded.forward_lstm.weight_ih_l0.grad, packed._module.weight_ih_l0.grad)
    if bidirectional:
        assert_close(padded.backward_lstm.weight_hh_l0.grad, packed._module.weight_hh_l0_reverse.grad)


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
    with pytest.raises(ConfigurationError, match="must be at least 1; they are 3 and 0"):
        PaddedLstm(3, 0)
