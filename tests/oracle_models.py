"""From the oracle's arrays to the package's modules and back, through files that the oracle wrote."""

from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy
import torch
from torch import Tensor

from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.state import BilmState, LstmState
from elmo_plugin.bilm.weights import layout, load_weights
from tests import oracle, oracle_words
from tests.oracle_weights import Options, Weights, random_weights, variant, write_weights


class Model(NamedTuple):
    """One model twice: as options and arrays for the oracle, and as our module, which read the oracle's file."""

    options: Options
    weights: Weights
    bilm: Bilm


def random_model(name: str, folder: Path, dtype: torch.dtype = torch.float64) -> Model:
    """The variant of that name with random weights."""
    return model_of(variant(name), folder, dtype, nested=True if name == "one layer, nested" else None)


def model_of(
    options: Options, folder: Path, dtype: torch.dtype = torch.float64, nested: Optional[bool] = None
) -> Model:
    """A model of these options with random weights; `nested` as in `random_weights`."""
    weights = random_weights(options, numpy.random.default_rng(0), nested)
    write_weights(folder / "oracle.hdf5", weights)
    bilm = Bilm(BilmOptions.from_dict(options))
    load_weights(bilm, folder / "oracle.hdf5")
    return Model(options, weights, bilm.to(dtype))


def random_words(rng: numpy.random.Generator, count: int) -> List[str]:
    """Distinct words, some of them longer than a test's models can see, some not ASCII."""
    alphabet, words = list("abcdeé中."), set()
    while len(words) < count:
        words.add("".join(rng.choice(alphabet, size=rng.integers(1, 9))))
    return sorted(words)


def random_batch(
    model: Model, rng: numpy.random.Generator, lengths: Sequence[int]
) -> Tuple[numpy.ndarray, numpy.ndarray]:
    """Words of a ragged batch, 0 past each row's end: for us without the sentence marks, for the oracle with them."""
    if "char_cnn" in model.options:
        width = model.options["char_cnn"]["max_characters_per_token"]
        words = oracle_words.words_to_characters(random_words(rng, sum(lengths)), width)
        begin, end = oracle_words.words_to_characters(["<S>", "</S>"], width)
    else:
        words = rng.integers(1, model.options["n_tokens_vocab"] + 1, size=sum(lengths))
        begin, end = 1, 2
    ours = numpy.zeros((len(lengths), max(lengths), *words.shape[1:]), dtype=numpy.int64)
    marked = numpy.zeros((len(lengths), max(lengths) + 2, *words.shape[1:]), dtype=numpy.int64)
    for row, length in enumerate(lengths):
        ours[row, :length], words = words[:length], words[length:]
        marked[row, 0], marked[row, 1 : length + 1], marked[row, length + 1] = begin, ours[row, :length], end
    return ours, marked


def random_states(model: Model, rng: numpy.random.Generator, batch_size: int) -> List[oracle.State]:
    """Both directions, not zero, within the clips."""
    zeros = oracle.zero_state(model.options, batch_size)
    return [(rng.normal(size=zeros[0].shape) * 0.2, rng.normal(size=zeros[1].shape) * 0.2) for _ in range(2)]


def to_state(states: Sequence[oracle.State], like: Tensor) -> BilmState:
    return BilmState(
        *(LstmState(torch.tensor(output).to(like), torch.tensor(memory).to(like)) for memory, output in states)
    )


def gradients(bilm: Bilm, flat: bool) -> Dict[str, numpy.ndarray]:
    """The gradients of all weights under their HDF5 names, in that layout; `flat` without the level `MultiRNNCell`."""
    parameters, result = dict(bilm.named_parameters()), {}
    for entry in layout(bilm.options):
        name = entry.name.replace("MultiRNNCell/Cell0/", "") if flat else entry.name
        result[name] = entry.to_file([numpy.asarray(_gradient(parameters[key])) for key in entry.parameters])
    return result


def _gradient(parameter: Tensor) -> numpy.ndarray:
    gradient: Optional[Tensor] = parameter.grad
    assert gradient is not None, "a weight has no gradient"
    return gradient.numpy()
