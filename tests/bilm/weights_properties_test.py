"""Weight files: all variants come in and go out bit by bit, and what does not fit is listed in full."""

import json

import h5py
import numpy
import pytest
import torch

from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.weights import load_bilm, load_weights, save_weights, whole_hdf5
from tests.oracle_models import random_model
from tests.oracle_weights import VARIANTS, random_weights, read_weights, variant, write_weights


@pytest.fixture()
def rng():
    return numpy.random.default_rng(1)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_comes_out_of_its_file_and_goes_into_another_bit_by_bit(name, tmp_path):
    model = random_model(name, tmp_path, torch.float32)
    save_weights(model.bilm, tmp_path / "ours.hdf5")
    saved = read_weights(tmp_path / "ours.hdf5")
    # AllenNLP and bilm-tf's inference want the MultiRNNCell level, so ours has it whatever the file read had.
    expected = {
        key.replace("RNN/LSTMCell", "RNN/MultiRNNCell/Cell0/LSTMCell"): value for key, value in model.weights.items()
    }
    assert set(saved) == set(expected)
    for key, value in expected.items():
        numpy.testing.assert_array_equal(saved[key], value, err_msg=key)
    with h5py.File(tmp_path / "ours.hdf5", "r") as file:
        assert all(file[key].dtype == numpy.float32 for key in saved)
    again = Bilm(BilmOptions.from_dict(model.options))
    load_weights(again, tmp_path / "ours.hdf5")
    for (key, ours), theirs in zip(again.state_dict().items(), model.bilm.state_dict().values()):
        assert torch.equal(ours, theirs), key
    assert list(tmp_path.glob("*.partial")) == []


def test_a_file_that_can_not_be_closed_is_an_error_that_names_it_and_leaves_nothing(tmp_path, monkeypatch):
    close = h5py.File.close

    def disk_is_full(file):
        close(file)
        raise RuntimeError("Can't decrement id ref count")

    monkeypatch.setattr(h5py.File, "close", disk_is_full)
    with pytest.raises(OSError, match=r"ours\.hdf5 could not be finished: Can't decrement"):
        with whole_hdf5(tmp_path / "ours.hdf5"):
            pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", VARIANTS)
def test_options_written_back_mean_the_same_model_and_say_262_characters(name, tmp_path):
    options = BilmOptions.from_dict(variant(name))
    written = options.to_dict()
    assert BilmOptions.from_dict(json.loads(json.dumps(written))) == options
    assert written["lstm"] == variant(name)["lstm"]
    if name == "word ids":
        assert "char_cnn" not in written and written["n_tokens_vocab"] == 11
    else:
        assert written["char_cnn"] == {
            **variant(name)["char_cnn"],
            "n_characters": 262,
            "n_highway": options.char_cnn.num_highway,
        }


def test_a_file_of_one_layer_with_more_layers_in_it_is_read_and_the_rest_is_logged(tmp_path, rng, caplog):
    weights = random_weights(variant("two layers"), rng)
    write_weights(tmp_path / "weights.hdf5", weights)
    bilm = Bilm(BilmOptions.from_dict(variant("one layer")))
    with caplog.at_level("WARNING"):
        load_weights(bilm, tmp_path / "weights.hdf5")
    bias = bilm.backward_lstm.layers[0].bias.detach()
    numpy.testing.assert_array_equal(bias, weights["RNN_1/RNN/MultiRNNCell/Cell0/LSTMCell/B"])
    assert "RNN_0/RNN/MultiRNNCell/Cell1/LSTMCell/W_0" in caplog.text


def test_a_model_of_word_ids_takes_its_number_of_words_from_the_file_if_need_be(tmp_path, rng):
    options = variant("word ids")
    weights = random_weights(options, rng)
    write_weights(tmp_path / "weights.hdf5", weights)
    del options["n_tokens_vocab"]
    (tmp_path / "options.json").write_text(json.dumps(options))
    bilm = load_bilm(tmp_path / "options.json", tmp_path / "weights.hdf5")
    assert bilm.options.num_words == 11
    numpy.testing.assert_array_equal(bilm.encoder(torch.arange(12)).detach()[1:], weights["embedding"])


def test_the_row_of_the_mask_is_zero_and_stays_out_of_the_file(tmp_path):
    model = random_model("two layers", tmp_path)
    assert model.bilm.encoder.embedding.weight.shape == (262, 4)
    assert not model.bilm.encoder.embedding.weight[0].any()
    save_weights(model.bilm, tmp_path / "ours.hdf5")
    assert read_weights(tmp_path / "ours.hdf5")["char_embed"].shape == (261, 4)


def test_every_dataset_that_does_not_fit_is_listed_with_both_shapes_and_the_model_is_left_as_it_was(tmp_path, rng):
    weights = random_weights(variant("two layers"), rng)
    weights["CNN/W_cnn_1"] = weights["CNN/W_cnn_1"][:, :, :, :3]
    weights["CNN_high_0/W_carry"] = weights["CNN_high_0/W_carry"][:8]
    weights["RNN_1/RNN/MultiRNNCell/Cell1/LSTMCell/B"][3] = numpy.nan
    del weights["CNN_proj/b_proj"], weights["RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/W_P_0"]
    write_weights(tmp_path / "weights.hdf5", weights)
    bilm = Bilm(BilmOptions.from_dict(variant("two layers")))
    before = {key: value.clone() for key, value in bilm.state_dict().items()}
    with pytest.raises(ValueError) as error:
        load_weights(bilm, tmp_path / "weights.hdf5")
    lines = str(error.value).split("\n")
    assert lines[0] == f"{tmp_path / 'weights.hdf5'} does not fit the options:"
    assert sorted(line.strip() for line in lines[1:-1]) == [
        "CNN/W_cnn_1: expected shape (1, 2, 4, 4), found (1, 2, 4, 3)",
        "CNN_high_0/W_carry: expected shape (9, 9), found (8, 9)",
        "CNN_proj/b_proj: expected shape (5,), found no such dataset",
        "RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/W_P_0: expected shape (7, 5), found no such dataset",
        "RNN_1/RNN/MultiRNNCell/Cell1/LSTMCell/B: expected finite numbers, found NaN or infinity",
    ]
    assert "options.json that belongs to this weight file" in lines[-1]
    assert all(torch.equal(value, before[key]) for key, value in bilm.state_dict().items())


@pytest.mark.parametrize("name", ["no projection", "neither highway nor projection", "three layers", "word ids"])
def test_options_of_another_model_are_refused(name, tmp_path, rng):
    write_weights(tmp_path / "weights.hdf5", random_weights(variant("two layers"), rng))
    with pytest.raises(ValueError, match="does not fit the options"):
        load_weights(Bilm(BilmOptions.from_dict(variant(name))), tmp_path / "weights.hdf5")


def test_fewer_highways_than_the_file_has_are_refused_for_their_vectors_would_be_wrong(tmp_path, rng):
    options = variant("two layers")
    write_weights(tmp_path / "weights.hdf5", random_weights(options, rng))
    options["char_cnn"]["n_highway"] = 0
    with pytest.raises(ValueError, match=r"CNN_high_0/W_carry: expected no such dataset, found shape \(9, 9\)"):
        load_weights(Bilm(BilmOptions.from_dict(options)), tmp_path / "weights.hdf5")


def unprojected(rng, proj_clip, kept=()):
    """Options whose `dim` is `projection_dim`, and weights as bilm-tf writes them for these: without `W_P_0`."""
    options = variant("two layers")
    options["lstm"].update(dim=5, projection_dim=5, proj_clip=proj_clip)
    weights = random_weights(options, rng)
    left_out = [name for name in weights if name.endswith("/W_P_0") and name not in kept]
    return options, {name: array for name, array in weights.items() if name not in left_out}


@pytest.mark.parametrize("proj_clip", [None, 1.0, 3.0])
def test_without_a_projection_in_the_file_the_cells_outputs_go_on_as_they_are(proj_clip, tmp_path, rng):
    options, weights = unprojected(rng, proj_clip)
    write_weights(tmp_path / "weights.hdf5", weights)
    bilm = Bilm(BilmOptions.from_dict(options))
    load_weights(bilm, tmp_path / "weights.hdf5")
    layers = [*bilm.forward_lstm.layers, *bilm.backward_lstm.layers]
    assert all(torch.equal(layer.weight_projection, torch.eye(5)) for layer in layers)
    save_weights(bilm, tmp_path / "ours.hdf5")
    saved = read_weights(tmp_path / "ours.hdf5")
    assert all((saved[name] == weights.get(name, numpy.eye(5))).all() for name in saved)


def test_without_a_projection_a_clip_that_bilm_tf_would_not_apply_is_refused(tmp_path, rng):
    options, weights = unprojected(rng, proj_clip=0.4)
    write_weights(tmp_path / "weights.hdf5", weights)
    with pytest.raises(ValueError, match="Cell0/LSTMCell/W_P_0: not there, so bilm-tf does not clip .* 0.4; take it"):
        load_weights(Bilm(BilmOptions.from_dict(options)), tmp_path / "weights.hdf5")


def test_a_file_that_lost_some_of_its_projections_is_refused(tmp_path, rng):
    kept = "RNN_0/RNN/MultiRNNCell/Cell1/LSTMCell/W_P_0"
    options, weights = unprojected(rng, proj_clip=3.0, kept=[kept])
    write_weights(tmp_path / "weights.hdf5", weights)
    with pytest.raises(ValueError, match=r"Cell0/LSTMCell/W_P_0: expected shape \(5, 5\), found no such dataset"):
        load_weights(Bilm(BilmOptions.from_dict(options)), tmp_path / "weights.hdf5")


def test_whole_numbers_in_place_of_weights_are_refused(tmp_path, rng):
    write_weights(tmp_path / "weights.hdf5", random_weights(variant("two layers"), rng))
    with h5py.File(tmp_path / "weights.hdf5", "a") as file:
        del file["CNN_proj/b_proj"]
        file["CNN_proj/b_proj"] = numpy.arange(5)
    with pytest.raises(ValueError, match="CNN_proj/b_proj: expected floating-point numbers, found int64"):
        load_weights(Bilm(BilmOptions.from_dict(variant("two layers"))), tmp_path / "weights.hdf5")


def test_double_precision_in_a_file_is_read_as_float32(tmp_path, rng):
    weights = random_weights(variant("two layers"), rng)
    with h5py.File(tmp_path / "weights.hdf5", "w") as file:
        for name, value in weights.items():
            file[name] = value
    bilm = load_bilm_of(tmp_path, variant("two layers"))
    assert bilm.forward_lstm.layers[0].bias.dtype == torch.float32


def load_bilm_of(folder, options):
    (folder / "options.json").write_text(json.dumps(options))
    return load_bilm(folder / "options.json", folder / "weights.hdf5")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_refused_by_name_wherever_it_ends(share, tmp_path, rng):
    write_weights(tmp_path / "weights.hdf5", random_weights(variant("two layers"), rng))
    content = (tmp_path / "weights.hdf5").read_bytes()
    (tmp_path / "weights.hdf5").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ValueError, match=r"weights\.hdf5 is not a readable HDF5 file .* cut short"):
        load_bilm_of(tmp_path, variant("two layers"))


def test_a_folder_in_place_of_the_weight_file_is_said_to_be_one(tmp_path):
    (tmp_path / "weights.hdf5").mkdir()
    with pytest.raises(FileNotFoundError, match=r"weights\.hdf5 is a folder; expected the weight file\. Give"):
        load_bilm_of(tmp_path, variant("two layers"))


def test_a_missing_weight_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no weight file .*weights\.hdf5\. Check the path"):
        load_bilm_of(tmp_path, variant("two layers"))
