import pytest
import torch
from allennlp.modules.seq2seq_encoders import GruSeq2SeqEncoder, PassThroughEncoder

from elmo_plugin.modules.passage_attention import QuestionAttention, ResidualSelfAttention


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(5)


def similarity(attention, left, right):
    """From the equation, one pair at a time."""
    w1, w2, w3 = attention.similarity._weight_vector.chunk(3)
    bias = attention.similarity._bias
    return torch.stack([torch.stack([w1 @ x + w2 @ y + w3 @ (x * y) + bias[0] for y in right]) for x in left])


def test_attention_on_the_question_is_the_equation():
    attention = QuestionAttention(input_dim=3, output_dim=4, dropout=0.0).double()
    passage, question = torch.randn(5, 3).double(), torch.randn(2, 3).double()
    found = attention(passage[None], question[None], torch.ones(1, 5).bool(), torch.ones(1, 2).bool())[0]
    scores = similarity(attention, passage, question)
    of_question = torch.softmax(scores, dim=1) @ question
    of_passage = torch.softmax(scores.max(dim=1).values, dim=0) @ passage
    for i in range(5):
        joined = [passage[i], of_question[i], passage[i] * of_question[i], of_passage * of_question[i]]
        torch.testing.assert_close(found[i], torch.relu(attention.projection(torch.cat(joined))))


def test_self_attention_is_the_equation_and_leaves_the_token_itself_out():
    attention = ResidualSelfAttention(PassThroughEncoder(3), input_dim=3, dropout=0.0).double()
    passage = torch.randn(4, 3).double()
    found = attention(passage[None], torch.ones(1, 4).bool())[0]
    scores = similarity(attention, passage, passage)
    for i in range(4):
        others = [j for j in range(4) if j != i]
        of_others = torch.softmax(scores[i, others], dim=0) @ passage[others]
        joined = torch.cat([passage[i], of_others, passage[i] * of_others])
        torch.testing.assert_close(found[i], passage[i] + torch.relu(attention.projection(joined)))


def test_padding_changes_nothing():
    on_question = QuestionAttention(3, 3, dropout=0.0)
    encoder = GruSeq2SeqEncoder(input_size=3, hidden_size=2, bidirectional=True)
    on_itself = ResidualSelfAttention(encoder, 3, dropout=0.0)
    passage, question = torch.randn(2, 4, 3), torch.randn(2, 3, 3)
    passage_mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]]).bool()
    question_mask = torch.tensor([[1, 1, 1], [1, 0, 0]]).bool()
    both = on_itself(on_question(passage, question, passage_mask, question_mask), passage_mask)[1, :2]
    alone = on_question(passage[1:, :2], question[1:, :1], passage_mask[1:, :2], question_mask[1:, :1])
    torch.testing.assert_close(both, on_itself(alone, passage_mask[1:, :2])[0])


def test_a_passage_of_one_token_has_no_other_and_gives_finite_values_and_gradients():
    attention = ResidualSelfAttention(PassThroughEncoder(3), 3, dropout=0.0)
    passage = torch.randn(1, 1, 3, requires_grad=True)
    found = attention(passage, torch.ones(1, 1).bool())
    found.sum().backward()
    assert torch.isfinite(found).all() and torch.isfinite(passage.grad).all()


def test_dropout_takes_the_same_features_from_all_tokens():
    attention = QuestionAttention(input_dim=50, output_dim=2, dropout=0.5)
    dropped = attention.dropout(torch.ones(1, 6, 50))
    assert (dropped == dropped[:, :1]).all() and (dropped == 0).any() and (dropped == 2).any()
