import json

import pytest
import torch
from allennlp.commands.train import train_model_from_file

from benchmarks.lac_ablation import ElmoPrecomputedWithMistakes, ElmoWithMistakes
from elmo_plugin.bilm.characters import word_to_characters
from elmo_plugin.modules.elmo import ElmoEmbedder

FILES = {"options_file": "fixtures/bilm/options.json", "weight_file": "fixtures/bilm/weights.hdf5"}


@pytest.fixture(autouse=True)
def in_the_projects_root(project_root, monkeypatch):
    monkeypatch.chdir(project_root)


def embed(embedder_class, layer, **options):
    """One layer of two sentences, of four words and of two. Shape: (2, 4, representation_dim)"""
    scalars = [-1e9] * 3
    scalars[layer] = 0.0
    embedder = embedder_class(**FILES, scalar_mix_parameters=scalars, **options).eval()
    words = torch.zeros(2, 4, 50, dtype=torch.long)
    for row, sentence in enumerate(["the cat sees it", "dogs ran"]):
        for column, word in enumerate(sentence.split()):
            words[row, column] = torch.tensor(word_to_characters(word, 50))
    return embedder(words)


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_unreversed_each_word_has_the_backward_half_of_the_word_at_the_other_end(layer):
    right = embed(ElmoEmbedder, layer)
    wrong = embed(ElmoWithMistakes, layer, residual_missing=False)
    (right_forward, right_backward), (wrong_forward, wrong_backward) = right.chunk(2, -1), wrong.chunk(2, -1)
    assert torch.equal(right_forward, wrong_forward)
    if layer > 0:
        right_backward = torch.stack([right_backward[0].flip(0), right_backward[1, [1, 0, 2, 3]]])
    assert torch.equal(right_backward, wrong_backward)


def test_without_the_residual_the_second_layer_lacks_the_first():
    right = [embed(ElmoEmbedder, layer) for layer in (1, 2)]
    wrong = [embed(ElmoWithMistakes, layer, backward_unreversed=False) for layer in (1, 2)]
    assert torch.equal(right[0], wrong[0])
    assert torch.allclose(right[1], wrong[1] + wrong[0], atol=1e-5 * right[1].abs().max().item())


def test_with_neither_mistake_it_is_elmo():
    for layer in (0, 1, 2):
        same = embed(ElmoWithMistakes, layer, backward_unreversed=False, residual_missing=False)
        assert torch.equal(same, embed(ElmoEmbedder, layer))


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_made_of_stored_vectors_they_are_the_same(layer):
    computed = embed(ElmoWithMistakes, layer)
    stored = embed(ElmoPrecomputedWithMistakes, layer, store="fixtures/store")
    assert torch.allclose(stored, computed, atol=1e-5 * computed.abs().max().item())


def test_a_config_trains_with_it(tmp_path):
    overrides = {
        "model.text_field_embedder.token_embedders.elmo.type": "elmo_with_mistakes",
        "trainer.num_epochs": 1,
        "evaluate_on_test": False,
    }
    train_model_from_file(
        "training_configs/lac_with_elmo.jsonnet", str(tmp_path / "out"), overrides=json.dumps(overrides)
    )
    assert "training_elmo/gamma" in json.loads((tmp_path / "out" / "metrics.json").read_text())
