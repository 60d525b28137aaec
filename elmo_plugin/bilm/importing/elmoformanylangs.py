"""
Models of ELMoForManyLangs (Che et al. 2018).

Its biLM is ELMo's, but it reads characters (code points) and, in most models, whole words, from tables of its own, so
that it is no model of bilm-tf's files. Here it becomes one with `symbols` (`symbols.py`). In its files

- a gate has the blocks input, forget, candidate, output; ours are input, candidate, forget, output;
- the forget gate's +1 is in the bias; ours is added at run time;
- a highway's gate lets the input through; ours lets the transformed part through: the same with the sign turned.

    config.json          names the configuration of the model (`config_path`)
    char.dic, word.dic   an entry and its id a line
    token_embedder.pkl, encoder.pkl
"""

import json
import pickle
from pathlib import Path
from typing import Any, Dict, List, Tuple

import torch
from torch import Tensor

from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.importing.imported import ImportedBilm
from elmo_plugin.bilm.options import BilmOptions

ENCODER, TOKEN_EMBEDDER, CONFIG = "encoder.pkl", "token_embedder.pkl", "config.json"
WORDS = "word.dic"  # Which training writes before all else, whatever the model reads.
_LARGE = [[1, 32], [2, 32], [3, 64], [4, 128], [5, 256], [6, 512], [7, 1024]]
# What the released models name but do not bring along: the shape of the original ELMo.
_RELEASED = {
    "encoder": {"name": "elmo", "projection_dim": 512, "cell_clip": 3, "proj_clip": 3, "dim": 4096, "n_layers": 2},
    "token_embedder": {
        "name": "cnn",
        "activation": "relu",
        "filters": _LARGE,
        "n_highway": 2,
        "word_dim": 100,
        "char_dim": 50,
        "max_characters_per_token": 50,
    },
}
_RELEASED_NAMES = ("cnn_0_100_512_4096_sample.json", "cnn_50_100_512_4096_sample.json")
_NO_ENTRY = "\u3000"  # What stands for an entry that is white space alone.


def import_elmoformanylangs(folder: Path) -> ImportedBilm:
    """
    # Parameters

    folder : with the files above.

    # Raises

    `FileNotFoundError`; `ValueError` where a file is damaged, the files do not go together (listing all that is wrong)
    or the model is no ELMo.
    """
    options = _options(folder)
    bilm = Bilm(options)
    state = _word_encoder(folder, options)
    found = _load(folder / ENCODER)
    wrong: List[str] = []
    for direction in ("forward", "backward"):
        for layer in range(options.lstm.num_layers):
            state.update(lstm_layer(found, direction, layer, options, wrong))
    refuse(wrong, folder / ENCODER)
    bilm.load_state_dict(state)
    left_out = ["classifier.pkl: its softmax does not come along"] if (folder / "classifier.pkl").is_file() else []
    return ImportedBilm(f"the model of ELMoForManyLangs in {folder}", bilm, left_out=tuple(left_out))


def _options(folder: Path) -> BilmOptions:
    config, source = _configuration(folder)
    try:
        words, lstm = config["token_embedder"], config["encoder"]
        names = words["name"].lower(), lstm["name"].lower()
        if names != ("cnn", "elmo") or not words["char_dim"]:
            raise ValueError(
                f"{source}: the model reads words with {names[0]!r} (char_dim {words['char_dim']}) and sentences with "
                f"{names[1]!r}. Only 'cnn', with characters, and 'elmo' make an ELMo; such a model can't be imported. "
                "Take its vectors with that system, or train it anew with these."
            )
        given = {"symbol_cnn": _symbol_cnn(folder, words), "lstm": _lstm(lstm)}
    except KeyError as error:
        raise ValueError(f"{source}: expected the configuration of a model, but it has no {error}.") from error
    try:
        return BilmOptions.from_dict(given)
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from error


def _symbol_cnn(folder: Path, words: Dict[str, Any]) -> Dict[str, Any]:
    """That section of the options; `words` is the configuration's `token_embedder`."""
    return {
        "activation": words["activation"],
        "characters": _read_table(folder / "char.dic"),
        "embedding": {"dim": words["char_dim"]},
        "filters": words["filters"],
        "max_symbols_per_token": words["max_characters_per_token"],
        "n_highway": words["n_highway"],
        "word_dim": words["word_dim"],
        "words": _read_table(folder / WORDS) if words["word_dim"] else [],
    }


def _lstm(lstm: Dict[str, Any]) -> Dict[str, Any]:
    """That section of the options; `lstm` is the configuration's `encoder`."""
    return {
        # 0 is no bound there.
        "cell_clip": lstm["cell_clip"] or None,
        "dim": lstm["dim"],
        "n_layers": lstm["n_layers"],
        "proj_clip": lstm["proj_clip"] or None,
        "projection_dim": lstm["projection_dim"],
        "use_skip_connections": True,
    }


def _configuration(folder: Path) -> Tuple[Dict[str, Any], Path]:
    """The model's configuration and its file."""
    main = folder / CONFIG
    given = _read_json(main)
    if "encoder" in given:
        return given, main
    named = Path(str(given.get("config_path", "")).replace("\\", "/"))
    # Mostly a path of the machine where the model was trained.
    for candidate in (folder / named, folder / named.name):
        if candidate.is_file():
            return _read_json(candidate), candidate
    if named.name in _RELEASED_NAMES:
        return _RELEASED, named
    raise FileNotFoundError(
        f"{main} names the model's configuration as {str(named)!r} (config_path), but there is no "
        f"{folder / named.name}. Put that file there."
    )


def _read_json(path: Path) -> Dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no {path}, which a model of ELMoForManyLangs has.") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not JSON in UTF-8 ({error}).") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a JSON {type(content).__name__}; expected an object.")
    return content


def _read_table(path: Path) -> List[str]:
    """
    Entries in the order of their ids, `""` for an id without one. White space around a line does not count, so that an
    entry of white space alone is lost; U+3000 stands for it. Of several lines with an entry, the last one counts.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no {path}, which this model needs: an entry, a tab and its id a line.")
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 ({error}). Get the file again.") from error
    ids: Dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        parts = line.strip().split("\t")
        if parts == [""]:
            continue
        parts = [_NO_ENTRY, *parts] if len(parts) == 1 else parts
        if len(parts) != 2 or not parts[1].isdecimal():
            raise ValueError(f"{path}, line {number}: expected an entry, a tab and its id, but found {line!r}.")
        ids[parts[0]] = int(parts[1])
    result = [""] * (max(ids.values(), default=-1) + 1)
    for entry, index in ids.items():
        result[index] = entry
    return result


def _load(path: Path) -> Dict[str, Tensor]:
    """A state dict, without running what a pickle might hold besides."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"There is no {path}, which a model of ELMoForManyLangs has. Training writes it when the perplexity falls; "
            "where it never was a number, or training stopped before, there is no model yet."
        ) from None
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"{path} can't be read as weights of PyTorch ({reason}). It may be cut short, or hold more than weights; "
            "get it again."
        ) from error
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise ValueError(f"{path} holds no weights: expected tensors under their names.")
    return {name: value.float() for name, value in content.items()}


def take(found: Dict[str, Tensor], name: str, shape: Tuple[int, ...], wrong: List[str]) -> Tensor:
    """A tensor; where it is not there as it should be, says so in `wrong` and gives zeros."""
    tensor = found.get(name)
    if tensor is None:
        wrong.append(f"{name}: expected shape {shape}, found no such tensor")
    elif tuple(tensor.shape) != shape:
        wrong.append(f"{name}: expected shape {shape}, found {tuple(tensor.shape)}")
    elif not bool(torch.isfinite(tensor).all()):
        wrong.append(f"{name}: expected finite numbers, found NaN or infinity")
    else:
        return tensor
    return torch.zeros(shape)


def refuse(wrong: List[str], path: Path) -> None:
    if wrong:
        lines = "\n  ".join(wrong)
        raise ValueError(
            f"{path} does not fit its configuration and tables:\n  {lines}\nThe files must be of one model."
        )


def _word_encoder(folder: Path, options: BilmOptions) -> Dict[str, Tensor]:
    """The encoder's parameters."""
    found = _load(folder / TOKEN_EMBEDDER)
    wrong: List[str] = []
    cnn, dim = options.char_cnn, options.projection_dim
    assert cnn is not None and cnn.symbols is not None
    size = cnn.num_filters
    characters = take(found, "char_emb_layer.embedding.weight", (cnn.num_ids - 1, cnn.embedding_dim), wrong)
    state = {"embedding.weight": torch.cat([characters.new_zeros(1, cnn.embedding_dim), characters])}
    if cnn.word_dim > 0:
        shape = (len(cnn.symbols.words), cnn.word_dim)
        _check_width(found, cnn.word_dim, folder)
        state["word_embedding.weight"] = take(found, "word_emb_layer.embedding.weight", shape, wrong)
    for i, (width, count) in enumerate(cnn.filters):
        shape = (count, cnn.embedding_dim, width)
        state[f"convolutions.{i}.weight"] = take(found, f"convolutions.{i}.weight", shape, wrong)
        state[f"convolutions.{i}.bias"] = take(found, f"convolutions.{i}.bias", (count,), wrong)
    for k in range(cnn.num_highway):
        state.update(highway_layer(found, "highways", k, size, wrong))
    state["projection.weight"] = take(found, "projection.weight", (dim, size + cnn.word_dim), wrong)
    state["projection.bias"] = take(found, "projection.bias", (dim,), wrong)
    refuse(wrong, folder / TOKEN_EMBEDDER)
    return {f"encoder.{name}": tensor for name, tensor in state.items()}


def _check_width(found: Dict[str, Tensor], word_dim: int, folder: Path) -> None:
    """Training takes the width of the vectors that it is given (`--word_embedding`), not the configuration's."""
    words = found.get("word_emb_layer.embedding.weight")
    if words is not None and words.dim() == 2 and words.size(1) != word_dim:
        raise ValueError(
            f"{folder / TOKEN_EMBEDDER}: the words have vectors of {words.size(1)}, but the configuration says "
            f"{word_dim} ('word_dim'), as after a training that was given vectors of another width. Write "
            f"{words.size(1)} there."
        )


def highway_layer(found: Dict[str, Tensor], prefix: str, k: int, size: int, wrong: List[str]) -> Dict[str, Tensor]:
    """The parameters of a highway layer; `size` is its width."""
    weight = take(found, f"{prefix}._layers.{k}.weight", (2 * size, size), wrong)
    bias = take(found, f"{prefix}._layers.{k}.bias", (2 * size,), wrong)
    state = {}
    for part, tensor in (("weight", weight), ("bias", bias)):
        state[f"highways.{k}.transform.{part}"] = tensor[:size]
        state[f"highways.{k}.carry.{part}"] = -tensor[size:]
    return state


def lstm_layer(
    found: Dict[str, Tensor], direction: str, layer: int, options: BilmOptions, wrong: List[str]
) -> Dict[str, Tensor]:
    """The parameters of a layer of one direction."""
    dim, cell_dim = options.projection_dim, options.lstm.cell_dim
    theirs, ours = f"{direction}_layer_{layer}", f"{direction}_lstm.layers.{layer}"
    bias = _reordered(take(found, f"{theirs}.state_linearity.bias", (4 * cell_dim,), wrong), cell_dim)
    bias[2 * cell_dim : 3 * cell_dim] -= 1.0
    gates = (4 * cell_dim, dim)
    of_input = take(found, f"{theirs}.input_linearity.weight", gates, wrong)
    of_state = take(found, f"{theirs}.state_linearity.weight", gates, wrong)
    return {
        f"{ours}.weight_input": _reordered(of_input, cell_dim),
        f"{ours}.weight_recurrent": _reordered(of_state, cell_dim),
        f"{ours}.bias": bias,
        f"{ours}.weight_projection": take(found, f"{theirs}.state_projection.weight", (dim, cell_dim), wrong),
    }


def _reordered(gates: Tensor, cell_dim: int) -> Tensor:
    """Blocks input, forget, candidate, output to input, candidate, forget, output."""
    input_, forget, candidate, output = gates.split(cell_dim)
    return torch.cat([input_, candidate, forget, output])
