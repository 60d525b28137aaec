"""The embedder "elmo" on a GPU that is none."""

import pytest
import torch
from allennlp.common import Params
from allennlp.data import Batch, Instance, Token, Vocabulary
from allennlp.data.fields import TextField
from allennlp.modules import TextFieldEmbedder
from allennlp.nn.util import move_to_device

from elmo_plugin.bilm.ops import dispatch
from elmo_plugin.bilm.state_policy import STATE_POLICIES
from elmo_plugin.data.token_indexers.character_ids import ElmoCharacterIdsIndexer
from tests.bilm.pretended_gpu import GPU, PretendedGpu, gradients_of, needs_pretended_gpu

pytestmark = needs_pretended_gpu

SENTENCES = ("Anna found the house", "why", "a zebra")
# Those of `Bilm.represent`.
WAITS = {
    "bilm._add_boundaries": 1,
    "word_types.distinct_words": 2,
    "ragged.__init__": 1,
    "char_cnn._without_idle_positions": 1,
}


def batch():
    indexers = {"elmo": ElmoCharacterIdsIndexer()}
    fields = [TextField([Token(word) for word in sentence.split()], indexers) for sentence in SENTENCES]
    result = Batch([Instance({"tokens": field}) for field in fields])
    result.index_instances(Vocabulary())
    return result.as_tensor_dict()


@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize("state", STATE_POLICIES)
def test_it_embeds_a_batch_as_on_the_cpu_and_waits_where_the_bilm_does(state, requires_grad, project_root):
    files = {name: str(project_root / "fixtures" / "bilm" / name) for name in ("options.json", "weights.hdf5")}
    settings = {
        "type": "elmo",
        "options_file": files["options.json"],
        "weight_file": files["weights.hdf5"],
        "state": state,
        "requires_grad": requires_grad,
        "do_layer_norm": True,
        "projection_dim": 4,
        "dropout": 0.0,
    }
    results = []
    for device in (torch.device("cpu"), GPU):
        torch.manual_seed(1)
        embedder = TextFieldEmbedder.from_params(Params({"token_embedders": {"elmo": dict(settings)}}))
        with PretendedGpu() as gpu, dispatch.forced("plain"):
            embedder.to(device)
            tokens = move_to_device(batch(), device)["tokens"]
            for _ in range(2):
                gpu.waits.clear()
                embedded = embedder(tokens)
                assert embedded.device == device and dict(gpu.waits) == (WAITS if device == GPU else {})
            total = embedded.square().sum()
            gpu.waits.clear()
            if device == GPU:
                with torch.no_grad():
                    found = gradients_of(total)
                assert not gpu.waits
                gradients = {name: found[one].numbers for name, one in embedder.named_parameters() if one in found}
                results.append((embedded.detach().numbers, gradients))
            else:
                total.backward()
                gradients = {name: one.grad for name, one in embedder.named_parameters() if one.grad is not None}
                results.append((embedded.detach(), gradients))
    (expected, expected_gradients), (vectors, gradients) = results
    torch.testing.assert_close(vectors, expected, rtol=0, atol=1e-5)
    assert gradients.keys() == expected_gradients.keys()
    assert any(".bilm." in name for name in gradients) == requires_grad
    for name, gradient in gradients.items():
        close = expected_gradients[name]
        assert (gradient - close).norm() <= 1e-4 * close.norm() + 1e-5, name
