"""Attention between a passage and its question, and of a passage on itself (Clark and Gardner 2018, section 3)."""

import torch
from allennlp.modules.input_variational_dropout import InputVariationalDropout
from allennlp.modules.matrix_attention import LinearMatrixAttention
from allennlp.nn.util import masked_max, masked_softmax, weighted_sum
from torch import Tensor, nn


class QuestionAttention(nn.Module):
    """
    What a passage `h` has to do with its question `q`, for each token `i` of the passage and `j` of the question:

        a_ij = w1·h_i + w2·q_j + w3·(h_i * q_j) + b
        c_i  = sum_j softmax_j(a_ij) q_j                        what the question says of token i
        c'   = sum_i softmax_i(max_j a_ij) h_i                  what of the passage the question is about
        out  = relu(W [h_i; c_i; h_i * c_i; c' * c_i] + b')

    (Bidirectional attention flow, Seo et al. 2017, in Clark and Gardner's form.) `w3·(h_i * q_j)` is one product of
    matrices; no tensor of size tokens x tokens x dim is ever made.

    # Parameters

    input_dim : of `h` and of `q`.
    output_dim : of what it gives.
    dropout : on the inputs, the same features for all tokens of a text.
    """

    def __init__(self, input_dim: int, output_dim: int, dropout: float) -> None:
        super().__init__()
        self.similarity = LinearMatrixAttention(input_dim, input_dim, combination="x,y,x*y")
        self.projection = nn.Linear(4 * input_dim, output_dim)
        self.dropout = InputVariationalDropout(dropout)

    def forward(self, passage: Tensor, question: Tensor, passage_mask: Tensor, question_mask: Tensor) -> Tensor:
        """
        # Parameters

        passage, passage_mask : Shapes: (num_windows, num_tokens, input_dim), (num_windows, num_tokens)
        question, question_mask : Shapes: (num_windows, num_words, input_dim), (num_windows, num_words)

        # Returns

        Shape: (num_windows, num_tokens, output_dim)
        """
        passage, question = self.dropout(passage), self.dropout(question)
        # Shape: (num_windows, num_tokens, num_words)
        similarity = self.similarity(passage, question)
        of_question = weighted_sum(question, _softmax(similarity, question_mask.unsqueeze(1)))
        # Shape: (num_windows, num_tokens)
        relevance = masked_max(similarity, question_mask.unsqueeze(1), dim=-1)
        # Shape: (num_windows, 1, input_dim)
        of_passage = weighted_sum(passage, _softmax(relevance, passage_mask)).unsqueeze(1)
        joined = torch.cat([passage, of_question, passage * of_question, of_passage * of_question], dim=-1)
        return torch.relu(self.projection(joined))


class ResidualSelfAttention(nn.Module):
    """
    The passage read again, and compared with itself:

        h    = encoder(x)
        a_ij = w1·h_i + w2·h_j + w3·(h_i * h_j) + b,   a_ii left out
        c_i  = sum_j softmax_j(a_ij) h_j
        out  = x_i + relu(W [h_i; c_i; h_i * c_i] + b')

    # Parameters

    encoder : a `Seq2SeqEncoder`.
    input_dim : of `x`, and so of what it gives.
    dropout : on the inputs of the encoder and of the attention, the same features for all tokens of a text.
    """

    def __init__(self, encoder: nn.Module, input_dim: int, dropout: float) -> None:
        super().__init__()
        self.encoder = encoder
        encoded_dim = encoder.get_output_dim()
        self.similarity = LinearMatrixAttention(encoded_dim, encoded_dim, combination="x,y,x*y")
        self.projection = nn.Linear(3 * encoded_dim, input_dim)
        self.dropout = InputVariationalDropout(dropout)

    def forward(self, passage: Tensor, mask: Tensor) -> Tensor:
        """
        Shapes: (num_windows, num_tokens, input_dim) and (num_windows, num_tokens) to the first one's.
        """
        encoded = self.dropout(self.encoder(self.dropout(passage), mask))
        num_tokens = mask.size(1)
        others = ~torch.eye(num_tokens, dtype=torch.bool, device=mask.device)
        # Shape: (num_windows, num_tokens, num_tokens)
        attended = mask.unsqueeze(1) & others
        of_others = weighted_sum(encoded, _softmax(self.similarity(encoded, encoded), attended))
        joined = torch.cat([encoded, of_others, encoded * of_others], dim=-1)
        return passage + torch.relu(self.projection(joined))


def _softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """
    Softmax over the last dimension where the mask is; equal weights, never NaN, where it is nowhere.
    """
    return masked_softmax(scores, mask.expand_as(scores), memory_efficient=True)
