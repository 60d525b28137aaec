import io
import pickle

import numpy as np
import pytest
import torch

from elmo_plugin.compat import numpy_checkpoints
from tests.compat import scenarios

SCALARS = [
    *(np.dtype(code).type(1) for code in np.typecodes["AllInteger"] + np.typecodes["AllFloat"]),
    np.bool_(True),
    np.str_("é"),
    np.bytes_(b"x"),
    np.datetime64("2020-01-01"),
    np.timedelta64(3, "s"),
]


class Unknown:
    pass


def saved(value) -> bytes:
    """A checkpoint in torch's older file format, whose pickle can be searched and changed as it lies there."""
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


def loaded(checkpoint: bytes):
    return torch.load(io.BytesIO(checkpoint))


def test_a_training_with_the_cosine_scheduler_cannot_be_resumed_without_the_mend(unmended):
    assert unmended["resume_with_the_cosine_scheduler"]["error"].startswith("UnpicklingError: Weights only load failed")


def test_a_training_with_the_cosine_scheduler_goes_on_as_if_it_had_not_stopped(tmp_path):
    in_one_go, resumed = scenarios.resume_with_the_cosine_scheduler(tmp_path)
    assert resumed == in_one_go


@pytest.mark.parametrize("scalar", SCALARS, ids=lambda scalar: f"{type(scalar).__name__}-{scalar.dtype.char}")
def test_every_type_of_scalar_comes_back_as_it_was(scalar):
    back = loaded(saved({"metric": scalar}))["metric"]
    # NumPy pickles `longlong` as the `int64` that it equals.
    assert type(back) is type(pickle.loads(pickle.dumps(scalar)))
    assert back.dtype == scalar.dtype
    assert back == scalar


@pytest.mark.parametrize("package", [b"numpy.core", b"numpy._core"])
@pytest.mark.parametrize("value", [np.float32(2.5), np.arange(3)], ids=["scalar", "array"])
def test_checkpoints_of_numpy_1_and_numpy_2_are_read(value, package):
    checkpoint = saved(value).replace(b"cnumpy._core.", b"cnumpy.core.").replace(b"cnumpy.core.", b"c" + package + b".")
    assert b"c" + package + b".multiarray\n" in checkpoint
    np.testing.assert_array_equal(loaded(checkpoint), value)


def test_a_random_state_of_numpy_comes_back():
    state = np.random.RandomState(5).get_state()
    back = loaded(saved(state))
    assert back[0] == state[0] and back[2:] == state[2:]
    np.testing.assert_array_equal(back[1], state[1])


def test_the_new_file_format_is_read_too(tmp_path):
    torch.save({"lr": np.float64(0.5)}, tmp_path / "state.th")
    assert torch.load(tmp_path / "state.th") == {"lr": 0.5}


@pytest.mark.parametrize(
    "value",
    [Unknown(), np.array([{}], dtype=object), np.zeros(1, dtype=[("a", "f4")])],
    ids=["class", "object", "record"],
)
def test_what_could_hold_anything_is_still_refused(value):
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        loaded(saved(value))


def test_the_mend_is_not_needed_once_it_is_applied():
    assert not numpy_checkpoints.is_needed()
