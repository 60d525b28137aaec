"""Weights of a biLM as a dict of float64 arrays under their HDF5 names: drawn at random from options, written, read.

Written from the description of the file format, apart from `elmo_plugin.bilm.weights`, so that neither can hide the
other's mistakes. `VARIANTS` names every shape of file that is known to exist, at the size of a test.
"""

import copy
from typing import Any, Dict, Optional

import h5py
import numpy

Options = Dict[str, Any]
Weights = Dict[str, numpy.ndarray]

NUM_CHARACTERS = 261  # 256 bytes and five marks; the mask's row of zeros is in no file


def _options(**changes: Any) -> Options:
    """Options of a small two-layer model; `section__key=value` sets a key of that section, None takes it away."""
    options: Options = {
        "char_cnn": {
            "activation": "relu",
            "embedding": {"dim": 4},
            "filters": [[1, 3], [2, 4], [3, 2]],
            "max_characters_per_token": 12,
            "n_characters": 262,
            "n_highway": 2,
        },
        "lstm": {
            "cell_clip": 0.6,
            "dim": 7,
            "n_layers": 2,
            "proj_clip": 0.4,
            "projection_dim": 5,
            "use_skip_connections": True,
        },
    }
    for path, value in changes.items():
        *sections, key = path.split("__")
        section = options
        for name in sections:
            section = section[name]
        if value is None:
            del section[key]
        else:
            section[key] = value
    return options


# The clips are low, so that a good part of the memories and outputs of random weights really is clipped.
VARIANTS: Dict[str, Options] = {
    "two layers": _options(),
    "261 characters": _options(char_cnn__n_characters=261),
    "tanh": _options(char_cnn__activation="tanh"),
    "one highway": _options(char_cnn__n_highway=1),
    "no highway": _options(char_cnn__n_highway=0),
    "highway missing": _options(char_cnn__n_highway=None),
    "no projection": _options(lstm__projection_dim=9),
    "neither highway nor projection": _options(char_cnn__n_highway=0, lstm__projection_dim=9),
    "no skip connections": _options(lstm__use_skip_connections=False),
    "clips out of reach": _options(lstm__cell_clip=30.0, lstm__proj_clip=30.0),
    "three layers": _options(lstm__n_layers=3),
    "one layer": _options(lstm__n_layers=1),
    "one layer, nested": _options(lstm__n_layers=1),
    "other width": _options(char_cnn__max_characters_per_token=7),
    "word ids": _options(char_cnn=None, n_tokens_vocab=11),
}


def variant(name: str) -> Options:
    """A copy, for the caller to change, of the options of that name in `VARIANTS`."""
    return copy.deepcopy(VARIANTS[name])


def cell_path(direction: int, layer: int, nested: bool) -> str:
    """The HDF5 group of one LSTM cell; not `nested`: without the `MultiRNNCell` level, as in files of one layer."""
    inner = f"MultiRNNCell/Cell{layer}/" if nested else ""
    return f"RNN_{direction}/RNN/{inner}LSTMCell"


def random_weights(options: Options, rng: numpy.random.Generator, nested: Optional[bool] = None) -> Weights:
    """Weights for these options, of about unit gain; every number is one that float32 can hold.

    # Parameters

    options : the content of an `options.json`.
    rng : the source of all numbers.
    nested : whether the LSTM cells are under `MultiRNNCell`. By default they are when there is more than one.
    """
    weights: Weights = {}
    lstm = options["lstm"]
    projection_dim, cell_dim = lstm["projection_dim"], lstm["dim"]
    if "char_cnn" in options:
        weights.update(_random_char_cnn(options["char_cnn"], projection_dim, rng))
    else:
        weights["embedding"] = rng.normal(size=(options["n_tokens_vocab"], projection_dim))
    for direction in range(2):
        for layer in range(lstm["n_layers"]):
            path = cell_path(direction, layer, lstm["n_layers"] > 1 if nested is None else nested)
            rows = 2 * projection_dim
            weights[f"{path}/W_0"] = rng.normal(size=(rows, 4 * cell_dim)) / numpy.sqrt(0.3 * rows)
            weights[f"{path}/B"] = rng.normal(size=4 * cell_dim) * 0.3
            weights[f"{path}/W_P_0"] = rng.normal(size=(cell_dim, projection_dim)) * 2.0 / numpy.sqrt(cell_dim)
    return {name: value.astype(numpy.float32).astype(numpy.float64) for name, value in weights.items()}


def _random_char_cnn(options: Options, projection_dim: int, rng: numpy.random.Generator) -> Weights:
    char_dim = options["embedding"]["dim"]
    weights: Weights = {"char_embed": rng.normal(size=(NUM_CHARACTERS, char_dim))}
    for i, (width, count) in enumerate(options["filters"]):
        weights[f"CNN/W_cnn_{i}"] = rng.normal(size=(1, width, char_dim, count)) * 0.7 / numpy.sqrt(width * char_dim)
        weights[f"CNN/b_cnn_{i}"] = rng.normal(size=count) * 0.3
    size = sum(count for _, count in options["filters"])
    for k in range(options.get("n_highway", 0)):
        for gate in ("transform", "carry"):
            weights[f"CNN_high_{k}/W_{gate}"] = rng.normal(size=(size, size)) / numpy.sqrt(size)
            weights[f"CNN_high_{k}/b_{gate}"] = rng.normal(size=size) * 0.3
    if size != projection_dim:
        weights["CNN_proj/W_proj"] = rng.normal(size=(size, projection_dim)) / numpy.sqrt(size)
        weights["CNN_proj/b_proj"] = rng.normal(size=projection_dim) * 0.3
    return weights


def write_weights(path: Any, weights: Weights) -> None:
    """Writes the arrays to an HDF5 file, float32, one dataset each; the slashes in the names make the groups."""
    with h5py.File(path, "w") as file:
        for name, value in weights.items():
            file.create_dataset(name, data=value.astype(numpy.float32))


def read_weights(path: Any) -> Weights:
    """Every dataset of an HDF5 file, by its full name, as float64."""
    weights: Weights = {}

    def keep(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            weights[name] = item[...].astype(numpy.float64)

    with h5py.File(path, "r") as file:
        file.visititems(keep)
    return weights
