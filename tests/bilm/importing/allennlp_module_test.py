"""The biLM that AllenNLP's own class holds becomes the same model here, and what is none is refused."""

import json

import pytest
import torch
from allennlp.modules.elmo import _ElmoBiLm

from elmo_plugin.bilm.importing.allennlp_module import bilm_of_allennlp
from elmo_plugin.bilm.weights import load_bilm
from tests.conftest import PROJECT_ROOT

OPTIONS = PROJECT_ROOT / "fixtures" / "bilm" / "options.json"
WEIGHTS = PROJECT_ROOT / "fixtures" / "bilm" / "weights.hdf5"


@pytest.fixture
def module():
    return _ElmoBiLm(str(OPTIONS), str(WEIGHTS))


def test_it_is_the_model_that_its_files_hold(module):
    found, expected = bilm_of_allennlp(module), load_bilm(OPTIONS, WEIGHTS)
    assert found.options.lstm == expected.options.lstm and found.options.char_cnn == expected.options.char_cnn
    assert found.state_dict().keys() == expected.state_dict().keys()
    for name, tensor in expected.state_dict().items():
        # The forget gate's +1.0 is in the bias there, and taken out again.
        torch.testing.assert_close(found.state_dict()[name], tensor, rtol=0, atol=2e-7, msg=name)


def test_a_fine_tuned_one_is_taken_as_it_is_now(module):
    with torch.no_grad():
        module._token_embedder._projection.bias.add_(1.0)
    found = bilm_of_allennlp(module).encoder.projection.bias
    torch.testing.assert_close(found, module._token_embedder._projection.bias, rtol=0, atol=0)


def test_what_is_no_biLM_is_refused(module):
    with pytest.raises(ValueError, match="Expected the biLM of AllenNLP's ElmoEmbedder, but found a Linear"):
        bilm_of_allennlp(torch.nn.Linear(2, 2))
    module._token_embedder._options["char_cnn"]["filters"][0] = [1, 9]
    with pytest.raises(ValueError, match=r"not fit its options:\n  char_conv_0.weight: expected shape \(9, 8, 1\)"):
        bilm_of_allennlp(module)


def test_a_projection_onto_the_same_width_is_refused(module):
    options = json.loads(OPTIONS.read_text())
    options["lstm"]["projection_dim"] = sum(count for _, count in options["char_cnn"]["filters"])
    module._token_embedder._options = options
    with pytest.raises(ValueError, match="projects words onto the width that they have already"):
        bilm_of_allennlp(module)
