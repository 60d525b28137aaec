"""
What bilm-tf's weight file has no place for: the softmax, so that a published model stays trainable, and the steady
state, so that sentences out of context have a good beginning.

An HDF5 file beside `weights.hdf5`:

    softmax/W      (num_words, projection_dim)
    softmax/b      (num_words,)
    steady_state/{forward,backward}/{hidden,memory}   (num_layers, projection_dim or cell_dim)

Either group may be missing.
"""

from pathlib import Path
from typing import NamedTuple, Optional, Union

import h5py
import numpy
import torch

from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.softmax import Softmax
from elmo_plugin.bilm.state import BilmState
from elmo_plugin.bilm.weights import open_hdf5, whole_hdf5

FILE_NAME = "sidecar.hdf5"
_STEADY = "steady_state/{direction}/{part}"


class Sidecar(NamedTuple):
    """
    softmax : on the CPU; `None` where the file holds none.
    steady_state : of one row; `None` where the file holds none.
    """

    softmax: Optional[Softmax]
    steady_state: Optional[BilmState]


def save_sidecar(path: Union[str, Path], sidecar: Sidecar) -> None:
    """Writes the file, whole or not at all."""
    with whole_hdf5(path) as file:
        if sidecar.softmax is not None:
            file["softmax/W"] = sidecar.softmax.weight.detach().cpu().float().numpy()
            file["softmax/b"] = sidecar.softmax.bias.detach().cpu().float().squeeze(1).numpy()
        if sidecar.steady_state is not None:
            for name, tensor in sidecar.steady_state.named(_STEADY).items():
                file[name] = tensor.detach().cpu().float().squeeze(1).numpy()


def load_sidecar(path: Union[str, Path], options: BilmOptions) -> Sidecar:
    """
    Reads the file.

    # Raises

    `FileNotFoundError`, or `ValueError` where it is no sidecar or belongs to a model of another shape.
    """
    with open_hdf5(path, "sidecar file") as file:
        if "softmax" not in file and "steady_state" not in file:
            raise ValueError(f"{path} holds neither 'softmax' nor 'steady_state', so it is no sidecar of a biLM.")
        softmax = _load_softmax(path, file, options) if "softmax" in file else None
        state = _load_state(path, file, options) if "steady_state" in file else None
    return Sidecar(softmax, state)


def _array(path: Union[str, Path], file: h5py.File, name: str, shape: tuple) -> torch.Tensor:
    item = file.get(name)
    found = item.shape if isinstance(item, h5py.Dataset) else None
    if found != shape or item.dtype.kind != "f":
        what = "no such dataset" if found is None else f"{item.dtype} of shape {found}"
        raise ValueError(
            f"{path}: the dataset {name} should hold floating-point numbers of shape {shape}, found {what}. The "
            "sidecar belongs to another model; give the one that was exported with these weights."
        )
    try:
        return torch.from_numpy(item[()].astype(numpy.float32))
    except OSError as error:
        raise ValueError(f"{path}: the dataset {name} can't be read ({error}); the file may be cut short.") from error


def _load_softmax(path: Union[str, Path], file: h5py.File, options: BilmOptions) -> Softmax:
    num_words = options.num_words
    if num_words is None:  # Old options may leave the number of words out; then the bias says it.
        num_words = file["softmax/b"].size if "softmax/b" in file else 0
    weight = _array(path, file, "softmax/W", (num_words, options.projection_dim))
    bias = _array(path, file, "softmax/b", (num_words,))
    softmax = Softmax(weight.size(0), options.projection_dim)
    softmax.load_state_dict({"weight": weight, "bias": bias.unsqueeze(1)})
    return softmax


def _load_state(path: Union[str, Path], file: h5py.File, options: BilmOptions) -> BilmState:
    widths = {"hidden": options.projection_dim, "memory": options.lstm.cell_dim}

    def tensor_of(name: str) -> torch.Tensor:
        width = widths[name.rpartition("/")[2]]
        return _array(path, file, name, (options.lstm.num_layers, width)).unsqueeze(1)

    return BilmState.from_named(_STEADY, tensor_of)
