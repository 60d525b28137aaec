"""AllenNLP's own ELMo on the two files that we write: the same vectors, with its states carried from batch to batch."""

import json

import numpy
import pytest
import torch

from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.characters import words_to_characters
from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.scalar_mix import ScalarMix
from elmo_plugin.bilm.state import put_rows, with_batch_size
from elmo_plugin.bilm.weights import load_weights, save_weights
from tests.closeness import assert_close
from tests.oracle_models import random_words
from tests.oracle_weights import random_weights, variant, write_weights

elmo_module = pytest.importorskip("allennlp.modules.elmo", reason="needs AllenNLP")

# AllenNLP always reads a projection, refuses models without skip connections, and is 50 characters wide.
READABLE = ["two layers", "tanh", "one highway", "no highway", "three layers", "one layer", "261 characters"]
# Sentences of each batch by their lengths: more rows and fewer than before, odd lengths, an empty row, a single word.
BATCHES = [[5, 3, 9], [1, 7], [2, 0, 11, 4, 1], [13], [6, 6, 6, 6, 6]]


@pytest.fixture(params=READABLE)
def exported(request, tmp_path):
    """A model of ours, and the options and weights files that we wrote of it."""
    options = variant(request.param)
    options["char_cnn"]["max_characters_per_token"] = 50
    write_weights(tmp_path / "drawn.hdf5", random_weights(options, numpy.random.default_rng(1)))
    bilm = Bilm(BilmOptions.from_dict(options)).eval()
    load_weights(bilm, tmp_path / "drawn.hdf5")
    save_weights(bilm, tmp_path / "weights.hdf5")
    (tmp_path / "options.json").write_text(json.dumps(bilm.options.to_dict()))
    return bilm, str(tmp_path / "options.json"), str(tmp_path / "weights.hdf5")


def batches():
    rng = numpy.random.default_rng(2)
    for lengths in BATCHES:
        characters = numpy.zeros((len(lengths), max(lengths), 50), dtype=numpy.int64)
        for row, length in zip(characters, lengths):
            row[:length] = words_to_characters(random_words(rng, length), 50)
        yield torch.tensor(characters)


def represent_carried(bilm, state, characters):
    representations, after = bilm.represent(characters, with_batch_size(state, len(characters)))
    return representations, put_rows(state, after)


def test_every_layer_equals_allennlps_with_the_states_of_both_carried(exported):
    bilm, options_file, weight_file = exported
    theirs, state = elmo_module._ElmoBiLm(options_file, weight_file), bilm.zero_state(0)
    for characters in batches():
        with torch.no_grad():
            expected = theirs(characters)
            ours, state = represent_carried(bilm, state, characters)
        assert ours.mask.tolist() == expected["mask"].bool().tolist()
        assert len(ours.layers) == len(expected["activations"]) == bilm.options.num_representations
        for our_layer, their_layer in zip(ours.layers, expected["activations"]):
            present = ours.mask.unsqueeze(-1)
            assert_close(our_layer * present, their_layer * present)


@pytest.mark.parametrize("layer_norm", [False, True])
def test_the_mixed_vectors_equal_those_of_allennlps_elmo(exported, layer_norm):
    bilm, options_file, weight_file = exported
    scalars = [0.3, -0.8, 1.1, 0.2][: bilm.options.num_representations]
    theirs = elmo_module.Elmo(
        options_file, weight_file, 1, dropout=0.0, do_layer_norm=layer_norm, scalar_mix_parameters=scalars
    ).eval()
    mix, state = ScalarMix(len(scalars), do_layer_norm=layer_norm, initial_parameters=scalars), bilm.zero_state(0)
    for characters in batches():
        with torch.no_grad():
            expected = theirs(characters)
            representations, state = represent_carried(bilm, state, characters)
            ours = representations.without_boundaries(mix(representations.layers, representations.mask))
        assert ours.shape == (*characters.shape[:2], bilm.options.representation_dim)
        present = expected["mask"].unsqueeze(-1)
        assert present.squeeze(-1).tolist() == (characters != 0).any(dim=2).tolist()
        vectors = expected["elmo_representations"][0]
        assert_close(ours * present, vectors * present)
