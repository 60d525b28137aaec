"""What compares bilm-tf with this project, as far as it goes without TensorFlow."""

import json
import shutil
import sys

import h5py
import numpy
import pytest

from benchmarks import beside_bilm_tf, bilm_tf_half
from elmo_plugin import ElmoEmbedder, ElmoLanguageModel
from elmo_plugin.bilm.options import BilmOptions
from tests.checkpoint_files import bilm_tf_arrays, write_checkpoint
from tests.conftest import PROJECT_ROOT
from tests.oracle_weights import read_weights

FIXTURE = PROJECT_ROOT / "fixtures" / "bilm"


@pytest.fixture()
def trained(tmp_path, monkeypatch):
    """A folder as bilm-tf leaves it after a training, its vectors by this project's class in place of its own."""
    monkeypatch.setattr(sys, "argv", sys.argv)
    here = tmp_path / "a model"
    softmax = read_weights(FIXTURE / "sidecar.hdf5")
    arrays = bilm_tf_arrays(read_weights(FIXTURE / "weights.hdf5"), (softmax["softmax/W"], softmax["softmax/b"]))
    write_checkpoint(here / "model.ckpt-9", arrays)
    for name in ("options.json", "weights.hdf5"):
        shutil.copy(FIXTURE / name, here / name)
    for folder in (here, tmp_path):
        shutil.copy(FIXTURE / "vocabulary.txt", folder / "vocab.txt")
    lines = (PROJECT_ROOT / "fixtures" / "corpus" / "heldout.txt").read_text().splitlines()[:5]
    (tmp_path / "heldout.txt").write_text("\n".join(lines) + "\n")
    elmo = ElmoEmbedder(FIXTURE / "options.json", FIXTURE / "weights.hdf5", state="stateful")
    with h5py.File(here / "trained_vectors.hdf5", "w") as file:
        for number, line in enumerate(lines):
            file[str(number)] = elmo.embed_sentence(line.split())
    (here / "perplexity.json").write_text("7.25")
    return tmp_path, here


def test_equal_files_are_equal_in_the_table_and_others_are_not(trained):
    folder, here = trained
    perplexity = beside_bilm_tf.compute(folder, here.name)
    model = ElmoLanguageModel.from_archive(here / "imported.tar.gz")
    assert 1.0 < perplexity < 2.0 * model.perplexity((folder / "heldout.txt").read_text()).mean
    name, weights, vectors, words, exported, theirs, ours = beside_bilm_tf.row(here, perplexity)[2:-2].split(" | ")
    assert (name, weights, words, exported, theirs) == ("a model", "0", "–", "–", "7.2500")
    assert float(vectors) < 1e-6 and float(ours) == pytest.approx(perplexity, abs=1e-4)
    with h5py.File(here / "trained_vectors.hdf5", "a") as file:
        file["3"][0, 0, 0] += 1.0
    assert float(beside_bilm_tf.row(here, perplexity).split(" | ")[2]) > 0.01
    with h5py.File(here / "trained_vectors.hdf5", "a") as file:
        file["5"] = numpy.zeros((3, 1, 32), dtype=numpy.float32)
    with pytest.raises(ValueError, match=r"5: bilm-tf has float32 \(3, 1, 32\), but here is no such dataset"):
        beside_bilm_tf.row(here, perplexity)


def test_differences_are_shares_of_the_largest_number_of_all():
    theirs = {"a": numpy.array([2.0, -8.0]), "b": numpy.zeros((0, 3))}
    assert beside_bilm_tf.difference(theirs, theirs) == 0.0
    assert beside_bilm_tf.difference(theirs, {**theirs, "a": numpy.array([2.0, -7.0]), "c": numpy.ones(1)}) == 1 / 8
    for other in (numpy.array([2.0]), numpy.array([2.0, -8.0], dtype=numpy.float32)):
        with pytest.raises(ValueError, match=r"a: bilm-tf has float64 \(2,\)"):
            beside_bilm_tf.difference(theirs, {**theirs, "a": other})


def test_datasets_of_a_single_layer_have_the_names_of_several(tmp_path):
    with h5py.File(tmp_path / "weights.hdf5", "w") as file:
        file["RNN_1/RNN/LSTMCell/B"] = numpy.ones(2)
        file["0"] = numpy.zeros(1)
    assert set(beside_bilm_tf.arrays_in(tmp_path / "weights.hdf5")) == {"RNN_1/RNN/MultiRNNCell/Cell0/LSTMCell/B", "0"}


def test_every_model_of_the_comparison_is_one_that_can_be_imported(tmp_path):
    beside_bilm_tf.write_jobs(tmp_path)
    jobs = {path.parent.name: json.loads(path.read_text()) for path in tmp_path.glob("*/training.json")}
    assert set(jobs) == {*beside_bilm_tf.MODELS, beside_bilm_tf.START, beside_bilm_tf.END}
    shapes = {json.dumps(BilmOptions.from_dict(jobs[name]["options"]).to_dict()) for name in beside_bilm_tf.MODELS}
    assert len(shapes) == len(beside_bilm_tf.MODELS)
    assert all("," not in name for name in jobs)  # AllenNLP takes a path with one for two.
    start, end = jobs[beside_bilm_tf.START]["options"], jobs[beside_bilm_tf.END]["options"]
    num_steps = sum(len(line.split()) + 1 for line in (tmp_path / "windows.txt").read_text().splitlines())
    assert end["n_train_tokens"] == num_steps and num_steps % end["unroll_steps"] == 0
    assert start == {**end, "learning_rate": 0.0, "n_train_tokens": end["unroll_steps"]}
    with pytest.raises(ValueError, match="No number of lines"):
        beside_bilm_tf.whole_windows("a\n")


def test_without_tensorflow_it_ends_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
    with pytest.raises(SystemExit, match="(?s)has no TensorFlow that runs bilm-tf .*tensorflow-cpu==2.15"):
        bilm_tf_half.old_tensorflow()
    with pytest.raises(SystemExit, match="bilm-tf could not be run"):
        beside_bilm_tf.run_other_half("false", PROJECT_ROOT, "train", PROJECT_ROOT)
