"""The comparisons with other programs, on what those programs would have given."""

import h5py
import numpy
import pytest

from benchmarks import beside_allennlp_0_9, beside_elmoformanylangs
from tests.elmoformanylangs_files import configuration, random_weights, sentence_vectors, write_model

SENTENCES = [["ab", "中国", "é"], [], ["cab"]]


def test_the_vectors_of_elmoformanylangs_are_ours_and_other_ones_are_told_apart(tmp_path):
    config = configuration()
    weights = random_weights(config)
    found = beside_elmoformanylangs.ours_of(write_model(tmp_path / "xx.model", config, weights), SENTENCES)
    defined = [sentence_vectors(sentence, config, weights) for sentence in SENTENCES]
    assert beside_elmoformanylangs.relative_difference(defined, found) < 1e-6
    other = [2 * array for array in found]
    assert beside_elmoformanylangs.relative_difference(other, found) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="other shapes"):
        beside_elmoformanylangs.relative_difference(found[1:], found[:-1])


def test_two_files_of_vectors_are_compared_in_layout_and_numbers(tmp_path):
    with h5py.File(tmp_path / "old.hdf5", "w") as old, h5py.File(tmp_path / "new.hdf5", "w") as new:
        for file, factor in ((old, 1.0), (new, 1.5)):
            file["0"] = numpy.full((3, 2, 4), 2.0 * factor, "float32")
            file["sentence_to_index"] = ['{"a b": "0"}']
        assert beside_allennlp_0_9.layout_differences(old, new) == []
        assert beside_allennlp_0_9.relative_difference(old, new) == pytest.approx(0.5)
        new["1"] = [0.0]
        del new["0"]
        new["0"] = numpy.zeros((3, 2), "float32")
        new["sentence_to_index"][0] = "{}"
        assert beside_allennlp_0_9.layout_differences(old, new) == [
            "1: in one file only",
            "0: (3, 2, 4) of float32, and (3, 2) of float32",
            "sentence_to_index: the text differs",
        ]
