"""The embedder "elmo" with packed weights."""

import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.modules import TokenEmbedder

from elmo_plugin.bilm.characters import words_to_characters


@pytest.fixture
def embedder_with(project_root):
    folder = project_root / "fixtures" / "bilm"
    files = {"options_file": str(folder / "options.json"), "weight_file": str(folder / "weights.hdf5")}

    def make(**arguments):
        settings = {"type": "elmo", **files, "dropout": 0.0, "state": "zero", **arguments}
        return TokenEmbedder.from_params(Params(settings)).eval()

    return make


@pytest.fixture
def tokens():
    return torch.from_numpy(words_to_characters(["Anna", "found", "it", "."], 50)).unsqueeze(0)


@pytest.mark.parametrize("weights, tolerance", [("float16", 2e-3), ("int8", 0.06)])
def test_packed_weights_give_nearly_the_same_vectors(weights, tolerance, embedder_with, tokens):
    exact, near = embedder_with()(tokens), embedder_with(weights=weights)(tokens)
    assert 0 < (near - exact).abs().max() < tolerance * exact.abs().max()


def test_what_is_saved_is_the_same(embedder_with, tokens):
    exact, near = embedder_with(), embedder_with(weights="int8")
    near(tokens)
    assert list(near.state_dict()) == list(exact.state_dict())
    assert all(torch.equal(one, other) for one, other in zip(exact.state_dict().values(), near.state_dict().values()))


def test_weights_that_are_loaded_later_are_packed_anew(embedder_with, tokens):
    exact, near = embedder_with(), embedder_with(weights="float16")
    near(tokens)
    changed = {
        name: 0.5 * tensor if name.endswith("weight_input") else tensor for name, tensor in near.state_dict().items()
    }
    for embedder in (exact, near):
        torch.nn.Sequential(embedder).load_state_dict({f"0.{name}": tensor for name, tensor in changed.items()})
    expected = exact(tokens)
    assert (near(tokens) - expected).abs().max() < 2e-3 * expected.abs().max()


def test_the_mix_still_learns(embedder_with, tokens):
    embedder = embedder_with(weights="int8").train()
    embedder(tokens).square().sum().backward()
    assert embedder.scalar_mix_0.gamma.grad.abs() > 0


def test_what_can_not_be_is_refused(embedder_with):
    with pytest.raises(ConfigurationError, match="`weights` of int8 can't be trained"):
        embedder_with(weights="int8", requires_grad=True)
    with pytest.raises(ConfigurationError, match="must be one of .*'int8'.*, but it is 'int4'"):
        embedder_with(weights="int4")
