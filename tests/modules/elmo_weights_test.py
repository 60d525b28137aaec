"""The embedder "elmo" with weights that are packed, or laid out."""

import copy
import pickle

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


def load(embedder, changed):
    torch.nn.Sequential(embedder).load_state_dict({f"0.{name}": tensor for name, tensor in changed.items()})


def change_in_place(embedder, changed):
    with torch.no_grad():
        for name, parameter in embedder.named_parameters():
            parameter.copy_(changed[name])


def exchange(embedder, changed):
    for name, parameter in embedder.named_parameters():
        parameter.data = changed[name]


@pytest.mark.parametrize("weights", ["float32", "float16"])
@pytest.mark.parametrize("change", [load, change_in_place, exchange])
def test_weights_that_change_later_are_read_as_they_are_then(weights, change, embedder_with, tokens):
    embedder = embedder_with(weights=weights)
    before = embedder(tokens)
    for part in ("weight_input", "highways.0.carry.weight"):
        changed = {
            name: 0.5 * tensor if name.endswith(part) else tensor.clone()
            for name, tensor in embedder.state_dict().items()
        }
        change(embedder, changed)
        fresh = embedder_with(weights=weights)
        fresh.load_state_dict(changed)
        after = embedder(tokens)
        assert torch.equal(after, fresh(tokens)) and not torch.equal(after, before)
        before = after


@pytest.mark.parametrize("weights", ["float32", "int8"])
def test_weights_that_stay_are_laid_out_once(weights, embedder_with, tokens):
    embedder = embedder_with(weights=weights)
    embedder(tokens)
    made = embedder._reading_bilm()
    embedder(tokens)
    assert embedder._reading_bilm() is made is not embedder.bilm


def test_a_copy_has_weights_of_its_own(embedder_with, tokens):
    embedder = embedder_with()
    expected = embedder(tokens)
    for other in (copy.deepcopy(embedder), pickle.loads(pickle.dumps(embedder))):
        assert other._reading is None and torch.equal(other(tokens), expected)


def test_vectors_are_those_of_the_biLM_itself(embedder_with, tokens):
    frozen, learning = embedder_with(), embedder_with(requires_grad=True)
    assert learning._reading_bilm() is learning.bilm
    with torch.no_grad():
        expected = learning(tokens)
        torch.testing.assert_close(frozen(tokens), expected, rtol=0, atol=1e-6 * float(expected.abs().max()))


def test_the_mix_still_learns(embedder_with, tokens):
    embedder = embedder_with(weights="int8").train()
    embedder(tokens).square().sum().backward()
    assert embedder.scalar_mix_0.gamma.grad.abs() > 0


def test_what_can_not_be_is_refused(embedder_with):
    with pytest.raises(ConfigurationError, match="`weights` of int8 can't be trained"):
        embedder_with(weights="int8", requires_grad=True)
    with pytest.raises(ConfigurationError, match="must be one of .*'int8'.*, but it is 'int4'"):
        embedder_with(weights="int4")
