"""
A tiny model of ELMoForManyLangs, written as that system writes it, and its definition in NumPy, in float64.

Written from the description of that system, apart from `elmo_plugin.bilm`.
"""

import json
from collections import OrderedDict
from pathlib import Path
from typing import Any, Dict, List, Sequence

import numpy
import torch

Weights = Dict[str, numpy.ndarray]
CHARACTERS = ["a", "b", "c", "é", "中", "国", "<bos>", "<eos>", "\u3000", "<oov>", "<pad>", "<bow>", "<eow>"]
WORDS = ["<oov>", "<bos>", "<eos>", "<pad>", "ab", "中国", "cab"]
FILTERS = [[1, 3], [2, 4]]
CONFIG: Dict[str, Any] = {
    "encoder": {"name": "elmo", "projection_dim": 5, "cell_clip": 0.6, "proj_clip": 0.4, "dim": 7, "n_layers": 2},
    "token_embedder": {
        "name": "cnn",
        "activation": "relu",
        "filters": FILTERS,
        "n_highway": 2,
        "word_dim": 6,
        "char_dim": 4,
        "max_characters_per_token": 8,
    },
    "classifier": {"name": "sampled_softmax", "n_samples": 8192},
    "dropout": 0.1,
}


def configuration(**changes: Any) -> Dict[str, Any]:
    """`section__key=value` sets a key of that section."""
    config = json.loads(json.dumps(CONFIG))
    for path, value in changes.items():
        section, key = path.split("__")
        config[section][key] = value
    return config


def random_weights(config: Dict[str, Any], seed: int = 0) -> Dict[str, Weights]:
    """Of the two files, under the names that they have there."""
    rng, words, lstm = numpy.random.default_rng(seed), config["token_embedder"], config["encoder"]
    size, dim, cell = sum(count for _, count in words["filters"]), lstm["projection_dim"], lstm["dim"]
    shapes = {"char_emb_layer.embedding.weight": (len(CHARACTERS), words["char_dim"])}
    if words["word_dim"] > 0:
        shapes["word_emb_layer.embedding.weight"] = (len(WORDS), words["word_dim"])
    for i, (width, count) in enumerate(words["filters"]):
        shapes[f"convolutions.{i}.weight"] = (count, words["char_dim"], width)
        shapes[f"convolutions.{i}.bias"] = (count,)
    for k in range(words["n_highway"]):
        shapes.update({f"highways._layers.{k}.weight": (2 * size, size), f"highways._layers.{k}.bias": (2 * size,)})
    shapes.update({"projection.weight": (dim, size + words["word_dim"]), "projection.bias": (dim,)})
    encoder = {}
    for layer in range(lstm["n_layers"]):
        for direction in ("forward", "backward"):
            here = f"{direction}_layer_{layer}"
            encoder[f"{here}.input_linearity.weight"] = (4 * cell, dim)
            encoder[f"{here}.state_linearity.weight"] = (4 * cell, dim)
            encoder[f"{here}.state_linearity.bias"] = (4 * cell,)
            encoder[f"{here}.state_projection.weight"] = (dim, cell)
    return {
        file: {name: rng.normal(size=shape, scale=0.6).astype(numpy.float32) for name, shape in table.items()}
        for file, table in (("token_embedder.pkl", shapes), ("encoder.pkl", encoder))
    }


def write_model(folder: Path, config: Dict[str, Any], weights: Dict[str, Weights], old_format: bool = True) -> Path:
    """The whole folder. PyTorch 0.4, with which those models were made, wrote the old format of pickles."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cnn.json").write_text(json.dumps(config))
    (folder / "config.json").write_text(json.dumps({"config_path": "/home/someone/configs/cnn.json", "gpu": 0}))
    for name, table in (("char.dic", CHARACTERS), ("word.dic", WORDS)):
        lines = [f"{entry}\t{index}\n" for index, entry in enumerate(table)]
        (folder / name).write_text("".join(lines), encoding="utf-8")
    for name, arrays in weights.items():
        # As `state_dict` of a module gives them: in order, and with versions beside them.
        tensors = OrderedDict((key, torch.from_numpy(value)) for key, value in arrays.items())
        setattr(tensors, "_metadata", OrderedDict([("", {"version": 1})]))
        torch.save(tensors, folder / name, _use_new_zipfile_serialization=not old_format)
    return folder


def sigmoid(x: numpy.ndarray) -> numpy.ndarray:
    return 1.0 / (1.0 + numpy.exp(-x))


def word_vector(word: str, config: Dict[str, Any], weights: Weights) -> numpy.ndarray:
    """The vector of one word; `<bos>` and `<eos>` are marks. Shape: (projection_dim,)"""
    options = config["token_embedder"]
    word = word[: options["max_characters_per_token"] - 2] if word not in ("<bos>", "<eos>") else word
    inside = [word] if word in ("<bos>", "<eos>") else list(word)
    symbols = ["<eow>", *inside, "<bow>"]  # The two are swapped in that system.
    symbols += ["<pad>"] * (options["max_characters_per_token"] - len(symbols))
    ids = [CHARACTERS.index(symbol if symbol in CHARACTERS else "<oov>") for symbol in symbols]
    embedded = weights["char_emb_layer.embedding.weight"][ids].astype(float)
    parts = []
    for i, (width, _) in enumerate(options["filters"]):
        kernel = weights[f"convolutions.{i}.weight"].astype(float)
        windows = [embedded[p : p + width] for p in range(len(ids) - width + 1)]
        sums = [numpy.einsum("fdw,wd->f", kernel, window) for window in windows]
        top = numpy.max(sums, axis=0) + weights[f"convolutions.{i}.bias"]
        parts.append(numpy.tanh(top) if options["activation"] == "tanh" else numpy.maximum(top, 0.0))
    x = numpy.concatenate(parts)
    for k in range(options["n_highway"]):
        both = weights[f"highways._layers.{k}.weight"].astype(float) @ x + weights[f"highways._layers.{k}.bias"]
        gate = sigmoid(both[len(x) :])
        x = gate * x + (1.0 - gate) * numpy.maximum(both[: len(x)], 0.0)
    if options["word_dim"] > 0:
        row = WORDS.index(word if word in WORDS else "<oov>")
        x = numpy.concatenate([weights["word_emb_layer.embedding.weight"][row], x])
    return weights["projection.weight"].astype(float) @ x + weights["projection.bias"]


def read_layer(
    inputs: Sequence[numpy.ndarray], weights: Weights, prefix: str, clips: Dict[str, Any]
) -> List[numpy.ndarray]:
    """One layer over one sentence in the order given, from the zero state."""
    names = ("input_linearity.weight", "state_linearity.weight", "state_linearity.bias", "state_projection.weight")
    w_in, w_state, bias, w_out = (weights[f"{prefix}.{name}"].astype(float) for name in names)
    memory, hidden, outputs = numpy.zeros(w_out.shape[1]), numpy.zeros(w_out.shape[0]), []
    for x in inputs:
        i, f, c, o = numpy.split(w_in @ x + w_state @ hidden + bias, 4)
        memory = sigmoid(i) * numpy.tanh(c) + sigmoid(f) * memory
        memory = numpy.clip(memory, -clips["cell_clip"], clips["cell_clip"]) if clips["cell_clip"] else memory
        hidden = w_out @ (sigmoid(o) * numpy.tanh(memory))
        hidden = numpy.clip(hidden, -clips["proj_clip"], clips["proj_clip"]) if clips["proj_clip"] else hidden
        outputs.append(hidden)
    return outputs


def sentence_vectors(sentence: Sequence[str], config: Dict[str, Any], weights: Dict[str, Weights]) -> numpy.ndarray:
    """Shape: (n_layers + 1, num_tokens, 2 * projection_dim)"""
    words = [word_vector(word, config, weights["token_embedder.pkl"]) for word in ("<bos>", *sentence, "<eos>")]
    forward, backward = words, words
    layers = [numpy.concatenate([words, words], axis=1)]
    for layer in range(config["encoder"]["n_layers"]):
        below = forward, backward
        forward = read_layer(forward, weights["encoder.pkl"], f"forward_layer_{layer}", config["encoder"])
        backward = read_layer(backward[::-1], weights["encoder.pkl"], f"backward_layer_{layer}", config["encoder"])
        backward = backward[::-1]
        if layer > 0:
            forward = [new + old for new, old in zip(forward, below[0])]
            backward = [new + old for new, old in zip(backward, below[1])]
        layers.append(numpy.concatenate([forward, backward], axis=1))
    return numpy.stack(layers)[:, 1:-1]
