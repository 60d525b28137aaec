import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.modules.text_field_embedders import BasicTextFieldEmbedder
from allennlp.modules.token_embedders import Embedding, TokenEmbedder

from elmo_plugin.modules.output_mix import OutputMix


class Mixes(TokenEmbedder):
    """`num_output_representations` mixes of width 2, the k-th all k + 1."""

    def __init__(self, num_output_representations):
        super().__init__()
        self.num_output_representations = num_output_representations

    def get_output_dim(self):
        return 2 * self.num_output_representations

    def forward(self, tokens):
        mixes = torch.arange(1.0, self.num_output_representations + 1).repeat_interleave(2)
        return mixes.expand(*tokens.shape, -1)


def embedder_of(num_mixes):
    words = Embedding(embedding_dim=3, num_embeddings=5)
    # Names on both sides of the mixes, so that their place matters.
    return BasicTextFieldEmbedder({"words": words, "elmo": Mixes(num_mixes), "a": words})


def test_the_second_mix_is_taken_out_and_the_rest_stays_in_order():
    embedder = embedder_of(2)
    mixes = OutputMix(embedder)
    ids = torch.tensor([[1, 2], [3, 0]])
    embedded = embedder({name: {"tokens": ids} for name in ("words", "elmo", "a")})
    at_input, at_output = mixes.split(embedded)
    assert (mixes.input_dim, mixes.output_dim) == (8, 2)
    torch.testing.assert_close(at_input, torch.cat([embedded[..., :5], embedded[..., 7:]], dim=-1))
    assert (at_input[..., 3:5] == 1).all() and (at_output == 2).all()


def test_one_mix_is_all_input():
    embedder = embedder_of(1)
    mixes = OutputMix(embedder)
    embedded = torch.rand(2, 4, embedder.get_output_dim())
    at_input, at_output = mixes.split(embedded)
    assert at_input is embedded and at_output is None
    assert (mixes.input_dim, mixes.output_dim) == (8, 0)


def test_more_than_two_mixes_are_refused():
    with pytest.raises(
        ConfigurationError, match="token_embedder_elmo is 3; this model has two places.*Set it to 1 or 2"
    ):
        OutputMix(embedder_of(3))
