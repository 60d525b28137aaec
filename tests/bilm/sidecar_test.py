import h5py
import numpy
import pytest
import torch

from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.sidecar import Sidecar, load_sidecar, save_sidecar
from elmo_plugin.bilm.softmax import Softmax
from tests.bilm.small_models import equal, random_state, small_options

OPTIONS = BilmOptions.from_dict(small_options(num_words=12))


@pytest.fixture
def softmax():
    result = Softmax(12, OPTIONS.projection_dim)
    torch.nn.init.normal_(result.bias)
    return result


@pytest.fixture
def path(tmp_path, softmax):
    save_sidecar(tmp_path / "sidecar.hdf5", Sidecar(softmax, random_state(1)))
    return tmp_path / "sidecar.hdf5"


def test_softmax_and_steady_state_come_back_as_they_were(path, softmax):
    sidecar = load_sidecar(path, OPTIONS)
    assert torch.equal(sidecar.softmax.weight, softmax.weight)
    assert torch.equal(sidecar.softmax.bias, softmax.bias)
    assert equal(sidecar.steady_state, random_state(1))


def test_the_datasets_are_those_of_the_documentation(path):
    names = []
    with h5py.File(path) as file:
        file.visit(names.append)
        shapes = {name: file[name].shape for name in names if isinstance(file[name], h5py.Dataset)}
    assert shapes == {
        "softmax/W": (12, 4),
        "softmax/b": (12,),
        "steady_state/forward/hidden": (2, 4),
        "steady_state/forward/memory": (2, 6),
        "steady_state/backward/hidden": (2, 4),
        "steady_state/backward/memory": (2, 6),
    }


def test_either_half_may_be_missing(tmp_path, softmax):
    save_sidecar(tmp_path / "a.hdf5", Sidecar(softmax, None))
    save_sidecar(tmp_path / "b.hdf5", Sidecar(None, random_state(1)))
    assert load_sidecar(tmp_path / "a.hdf5", OPTIONS).steady_state is None
    assert load_sidecar(tmp_path / "b.hdf5", OPTIONS).softmax is None


def test_options_that_do_not_say_how_many_words_there_are_fit_any_number(path):
    given = small_options()
    del given["n_tokens_vocab"]
    assert load_sidecar(path, BilmOptions.from_dict(given)).softmax.num_words == 12


def test_a_file_with_neither_half_is_no_sidecar(tmp_path):
    with h5py.File(tmp_path / "other.hdf5", "w") as file:
        file["char_embed"] = numpy.zeros((261, 4))
    with pytest.raises(ValueError, match="other.hdf5 holds neither 'softmax' nor 'steady_state'"):
        load_sidecar(tmp_path / "other.hdf5", OPTIONS)


@pytest.mark.parametrize(
    "changes, dataset, expected, found",
    [
        ({"num_words": 13}, "softmax/W", "(13, 4)", "float32 of shape (12, 4)"),
        ({"projection_dim": 5}, "softmax/W", "(12, 5)", "float32 of shape (12, 4)"),
        ({"dim": 7}, "steady_state/forward/memory", "(2, 7)", "float32 of shape (2, 6)"),
        ({"n_layers": 3}, "steady_state/forward/hidden", "(3, 4)", "float32 of shape (2, 4)"),
    ],
)
def test_the_sidecar_of_another_model_is_refused_with_both_shapes(path, changes, dataset, expected, found):
    with pytest.raises(ValueError) as error:
        load_sidecar(path, BilmOptions.from_dict(small_options(**changes)))
    parts = (str(path), dataset, f"of shape {expected}", f"found {found}", "belongs to another model; give the one")
    for part in parts:
        assert part in str(error.value)


@pytest.mark.parametrize(
    "dataset", ["softmax/W", "softmax/b", "steady_state/forward/memory", "steady_state/backward/hidden"]
)
def test_a_missing_dataset_is_named(path, dataset):
    with h5py.File(path, "r+") as file:
        del file[dataset]
    with pytest.raises(ValueError, match=f"the dataset {dataset} should .* found no such dataset"):
        load_sidecar(path, OPTIONS)


@pytest.mark.parametrize("value", [numpy.zeros((12, 4), dtype=int), numpy.float32(1.0)])
def test_numbers_of_another_kind_are_refused(path, value):
    with h5py.File(path, "r+") as file:
        del file["softmax/W"]
        file["softmax/W"] = value
    with pytest.raises(ValueError, match=f"softmax/W should hold .* found {value.dtype} of shape"):
        load_sidecar(path, OPTIONS)


def test_a_group_in_place_of_a_dataset_is_refused(path):
    with h5py.File(path, "r+") as file:
        del file["softmax/W"]
        file.create_group("softmax/W")
    with pytest.raises(ValueError, match="softmax/W should hold .* found no such dataset"):
        load_sidecar(path, OPTIONS)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_a_truncated_file_is_refused_by_name(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match="sidecar.hdf5"):
        load_sidecar(path, OPTIONS)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no sidecar file .*none.hdf5"):
        load_sidecar(tmp_path / "none.hdf5", OPTIONS)


def test_writing_that_fails_leaves_the_older_file(path):
    before = path.read_bytes()

    class Failing(Sidecar):
        @property
        def steady_state(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_sidecar(path, Failing(None, None))
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["sidecar.hdf5"]
