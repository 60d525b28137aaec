"""
bilm-tf's training checkpoints. They hold what its HDF5 files leave out: the softmax. So a model goes on learning.

Versions of TensorFlow named the variables of an LSTM differently; here for `lm/RNN_0/`, the forward direction:

    up to 0.12   RNN/MultiRNNCell/Cell0/LSTMCell/W_0, B, W_P_0       (the names in HDF5 files)
    1.0, 1.1     rnn/multi_rnn_cell/cell_0/lstm_cell/weights, biases, projection/weights
    from 1.2 on  rnn/multi_rnn_cell/cell_0/lstm_cell/kernel, bias, projection/kernel

A model of one layer has no level `multi_rnn_cell/cell_0`. Each variable may have slots of an optimizer beside it
(`…/kernel/Adagrad`), which are left out.
"""

import re
from pathlib import Path
from typing import Dict, List, Optional, Set, Tuple

import numpy
import torch

from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.importing.checkpoint import Checkpoint
from elmo_plugin.bilm.importing.files import check_size, find_options, usable_vocabulary
from elmo_plugin.bilm.importing.imported import ImportedBilm
from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.softmax import Softmax
from elmo_plugin.bilm.weights import Dataset, has_no_projection, layout, no_projection

SOFTMAX_WEIGHT, SOFTMAX_BIAS = "softmax/W", "softmax/b"
# Of bilm-tf's variables, those that are no weights.
_COUNTERS = ("global_step", "train_perplexity", "beta1_power", "beta2_power")
_OF_A_BILM = re.compile(r"(?:.*/)?(RNN_[01]/.*|CNN[^/]*/[^/]+|char_embed|embedding|softmax/[Wb])")
_RENAMED = (
    (r"/rnn/", "/RNN/"),
    (r"/multi_rnn_cell/", "/MultiRNNCell/"),
    (r"/cell_(\d+)/", r"/Cell\1/"),
    (r"/lstm_cell/", "/LSTMCell/"),
    (r"/RNN/LSTMCell/", "/RNN/MultiRNNCell/Cell0/LSTMCell/"),
    (r"/projection/(kernel|weights)$", "/W_P_0"),
    (r"/LSTMCell/(kernel|weights)$", "/LSTMCell/W_0"),
    (r"/LSTMCell/(bias|biases)$", "/LSTMCell/B"),
)


def name_in_hdf5(variable: str) -> Optional[str]:
    """What bilm-tf's HDF5 files (for the softmax, the sidecar) call a variable; `None` where it is none of a biLM."""
    match = _OF_A_BILM.fullmatch(variable.removesuffix(":0"))
    if match is None:
        return None
    name = match.group(1)
    for pattern, replacement in _RENAMED:
        name = re.sub(pattern, replacement, name)
    return name


def import_checkpoint(
    prefix: Path,
    options_file: Optional[Path] = None,
    vocabulary_file: Optional[Path] = None,
    with_softmax: bool = True,
) -> ImportedBilm:
    """
    # Parameters

    prefix : path of a checkpoint without `.index`.
    options_file, vocabulary_file : where they are not beside it.
    with_softmax : take the softmax along, which needs the vocabulary.

    # Raises

    `FileNotFoundError`; `ValueError` where the files are damaged or do not go together, listing all that is wrong.
    """
    options = BilmOptions.from_file(find_options(prefix.parent) if options_file is None else options_file)
    checkpoint = Checkpoint(prefix)
    slots = {name for name in checkpoint.entries if name.rpartition("/")[0] in checkpoint.entries}
    variables = _variables(checkpoint, slots)
    if options.char_cnn is None and options.num_words is None and "embedding" in variables:
        num_words = checkpoint.shape(variables["embedding"])[0]
        options = BilmOptions(options.lstm, None, num_words, options.extra)
    bilm = Bilm(options)
    bilm.load_state_dict(_state(checkpoint, variables, layout(options), options))
    softmax = _softmax(checkpoint, variables, options) if with_softmax else None
    needs_words = softmax is not None or options.char_cnn is None
    vocabulary, unusable = usable_vocabulary(prefix.parent, vocabulary_file, is_needed=needs_words)
    if softmax is not None and vocabulary is None:
        raise ValueError(
            f"{prefix} holds a softmax of {softmax.num_words:,} words, but not the words, and there is no vocab.txt "
            "beside it. Give the vocabulary that it was trained with as `vocabulary_file` (--vocabulary-file), or "
            "leave the softmax out (--without-softmax)."
        )
    if softmax is not None and vocabulary is not None:
        check_size(vocabulary, softmax.num_words, f"the softmax in {prefix}")
    return ImportedBilm(
        f"the TensorFlow checkpoint {prefix}",
        bilm,
        vocabulary,
        softmax,
        left_out=(*_left_out(checkpoint, variables, slots, layout(options), with_softmax), *unusable),
    )


def _variables(checkpoint: Checkpoint, slots: Set[str]) -> Dict[str, str]:
    """Names in HDF5 files to the checkpoint's."""
    result: Dict[str, str] = {}
    for variable in sorted(set(checkpoint.entries) - slots):
        name = name_in_hdf5(variable)
        if name in result:
            raise ValueError(
                f"{checkpoint.prefix} holds {result[name]} and {variable}, which both stand for {name}. A checkpoint "
                "of one biLM is expected."
            )
        if name is not None:
            result[name] = variable
    return result


def _state(
    checkpoint: Checkpoint, variables: Dict[str, str], table: List[Dataset], options: BilmOptions
) -> Dict[str, torch.Tensor]:
    """The model's parameters."""
    wrong, arrays = [], []
    for entry in table:
        problem, array = _read(checkpoint, variables, entry.name, entry.shape, options)
        wrong += [] if problem is None else [problem]
        arrays.append(array)
    if wrong:
        lines = "\n  ".join(wrong)
        raise ValueError(
            f"{checkpoint.prefix} does not fit the options:\n  {lines}\nGive the options.json that belongs to this "
            f"checkpoint. It holds: {', '.join(sorted(checkpoint.entries)) or 'nothing'}."
        )
    state: Dict[str, torch.Tensor] = {}
    for entry, array in zip(table, arrays):
        for parameter, part in zip(entry.parameters, entry.from_file(array)):
            state[parameter] = torch.from_numpy(numpy.array(part, dtype=numpy.float32))
    return state


def _read(
    checkpoint: Checkpoint,
    variables: Dict[str, str],
    name: str,
    shape: Tuple[int, ...],
    options: BilmOptions,
) -> Tuple[Optional[str], numpy.ndarray]:
    """What is wrong with a variable, or its contents."""
    nothing = numpy.zeros(0, numpy.float32)
    if name not in variables:
        if name.endswith("/W_P_0") and has_no_projection(variables, options):
            problem, array = no_projection(_variable(name), options)
            return problem, nothing if array is None else array
        return f"{_variable(name)}: expected shape {shape}, found no such variable", nothing
    variable = variables[name]
    if checkpoint.shape(variable) != shape:
        return f"{variable}: expected shape {shape}, found {checkpoint.shape(variable)}", nothing
    array = checkpoint.read(variable)
    if array.dtype.kind != "f":
        return f"{variable}: expected floating-point numbers, found {array.dtype}", nothing
    array = array.astype(numpy.float32)
    if not numpy.isfinite(array).all():
        return f"{variable}: expected finite numbers, found NaN or infinity", nothing
    return None, array


def _variable(name: str) -> str:
    """What TensorFlow from 1.2 on calls a dataset of the HDF5 files."""
    for ours, theirs in (
        ("/RNN/", "/rnn/"),
        ("/MultiRNNCell/Cell", "/multi_rnn_cell/cell_"),
        ("/LSTMCell/", "/lstm_cell/"),
        ("/W_P_0", "/projection/kernel"),
        ("/W_0", "/kernel"),
        ("/B", "/bias"),
    ):
        name = name.replace(ours, theirs) if name.startswith("RNN_") else name
    return f"lm/{name}"


def _softmax(
    checkpoint: Checkpoint, variables: Dict[str, str], options: BilmOptions
) -> Optional[Softmax]:
    """`None` where the checkpoint has none."""
    names = dict(variables)
    if SOFTMAX_BIAS not in names:
        return None
    if SOFTMAX_WEIGHT not in names and "embedding" in names:  # 'share_embedding_softmax'
        names[SOFTMAX_WEIGHT] = names["embedding"]
    num_words = options.num_words or checkpoint.shape(names[SOFTMAX_BIAS])[0]
    weight_problem, weight = _read(checkpoint, names, SOFTMAX_WEIGHT, (num_words, options.projection_dim), options)
    bias_problem, bias = _read(checkpoint, names, SOFTMAX_BIAS, (num_words,), options)
    problems = [problem for problem in (weight_problem, bias_problem) if problem is not None]
    if problems:
        raise ValueError(
            f"{checkpoint.prefix}, the softmax:\n  " + "\n  ".join(problems) + "\nGive the options.json that belongs "
            "to this checkpoint, or leave the softmax out (--without-softmax)."
        )
    softmax = Softmax(num_words, options.projection_dim)
    softmax.load_state_dict({"weight": torch.from_numpy(weight), "bias": torch.from_numpy(bias).unsqueeze(1)})
    return softmax


def _left_out(
    checkpoint: Checkpoint, variables: Dict[str, str], slots: Set[str], table: List[Dataset], with_softmax: bool
) -> Tuple[str, ...]:
    """What the checkpoint holds and the model does not, for people to read."""
    used = {variables.get(entry.name) for entry in table}
    used |= {variables.get(name) for name in (SOFTMAX_WEIGHT, SOFTMAX_BIAS)} if with_softmax else set()
    others = sorted(name for name in checkpoint.entries if name not in used | slots and name not in _COUNTERS)
    result = []
    if slots:
        result.append(f"{len(slots)} slots of the optimizer (such as {min(slots)}): training begins with new ones")
    if others:
        result.append(f"variables that these options have no place for: {', '.join(others)}")
    return tuple(result)
