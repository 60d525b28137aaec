"""
Weights in bilm-tf's HDF5 layout, which every ELMo system reads.

The foreign names stand in one table, `layout`, used to load and to save. In the file, matrices multiply from the
right (`x @ W`), so most are transposed here.
"""

import logging
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple, Union

import h5py
import numpy
import torch

from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.whole_file import whole_file

logger = logging.getLogger(__name__)

PathLike = Union[str, Path]
Arrays = List[numpy.ndarray]


class Dataset(NamedTuple):
    """
    One dataset of the file.

    name : its path in the file.
    shape : its shape there.
    parameters : names of the model's parameters that it holds, as `Bilm.state_dict` has them.
    to_file, from_file : between those parameters' arrays and the dataset's.
    """

    name: str
    shape: Tuple[int, ...]
    parameters: Tuple[str, ...]
    to_file: Callable[[Arrays], numpy.ndarray]
    from_file: Callable[[numpy.ndarray], Arrays]


def _same(name: str, shape: Tuple[int, ...], parameter: str) -> Dataset:
    return Dataset(name, shape, (parameter,), lambda arrays: arrays[0], lambda array: [array])


def _transposed(name: str, shape: Tuple[int, ...], parameter: str) -> Dataset:
    return Dataset(name, shape, (parameter,), lambda arrays: arrays[0].T, lambda array: [array.T])


def _without_mask_row(name: str, shape: Tuple[int, ...], parameter: str) -> Dataset:
    """An embedding: the row for the mask, zeros, is only in the model."""
    return Dataset(
        name,
        shape,
        (parameter,),
        lambda arrays: arrays[0][1:],
        lambda array: [numpy.concatenate([numpy.zeros_like(array[:1]), array])],
    )


def _convolution(name: str, shape: Tuple[int, ...], parameter: str) -> Dataset:
    """`(1, width, char_dim, filters)` in the file, `(filters, char_dim, width)` in the model."""
    return Dataset(
        name,
        shape,
        (parameter,),
        lambda arrays: arrays[0].transpose(2, 1, 0)[numpy.newaxis],
        lambda array: [array[0].transpose(2, 1, 0)],
    )


def _joined(name: str, shape: Tuple[int, ...], of_input: str, of_state: str) -> Dataset:
    """`W_0`: the rows for the input above those for the state."""
    width = shape[0] // 2
    return Dataset(
        name,
        shape,
        (of_input, of_state),
        lambda arrays: numpy.concatenate([arrays[0].T, arrays[1].T]),
        lambda array: [array[:width].T, array[width:].T],
    )


def layout(options: BilmOptions) -> List[Dataset]:
    """Every dataset of a model of this shape, in the order of the data."""
    return [*_encoder_layout(options), *_lstm_layout(options)]


def _encoder_layout(options: BilmOptions) -> Iterator[Dataset]:
    cnn, dim = options.char_cnn, options.projection_dim
    if cnn is None:
        yield _without_mask_row("embedding", (options.num_words or 0, dim), "encoder.embedding.weight")
        return
    yield _without_mask_row("char_embed", (cnn.num_ids - 1, cnn.embedding_dim), "encoder.embedding.weight")
    if cnn.word_dim > 0 and cnn.symbols is not None:
        yield _same("word_embed", (len(cnn.symbols.words), cnn.word_dim), "encoder.word_embedding.weight")
    for i, (width, count) in enumerate(cnn.filters):
        here = f"encoder.convolutions.{i}"
        yield _convolution(f"CNN/W_cnn_{i}", (1, width, cnn.embedding_dim, count), f"{here}.weight")
        yield _same(f"CNN/b_cnn_{i}", (count,), f"{here}.bias")
    features = cnn.num_filters
    for k in range(cnn.num_highway):
        for gate in ("transform", "carry"):
            here = f"encoder.highways.{k}.{gate}"
            yield _transposed(f"CNN_high_{k}/W_{gate}", (features, features), f"{here}.weight")
            yield _same(f"CNN_high_{k}/b_{gate}", (features,), f"{here}.bias")
    if cnn.has_projection(dim):
        yield _transposed("CNN_proj/W_proj", (features + cnn.word_dim, dim), "encoder.projection.weight")
        yield _same("CNN_proj/b_proj", (dim,), "encoder.projection.bias")


def _lstm_layout(options: BilmOptions) -> Iterator[Dataset]:
    dim, cell_dim = options.projection_dim, options.lstm.cell_dim
    for number, direction in enumerate(("forward_lstm", "backward_lstm")):
        for j in range(options.lstm.num_layers):
            cell, here = f"RNN_{number}/RNN/MultiRNNCell/Cell{j}/LSTMCell", f"{direction}.layers.{j}"
            shape = (2 * dim, 4 * cell_dim)
            yield _joined(f"{cell}/W_0", shape, f"{here}.weight_input", f"{here}.weight_recurrent")
            yield _same(f"{cell}/B", (4 * cell_dim,), f"{here}.bias")
            yield _transposed(f"{cell}/W_P_0", (cell_dim, dim), f"{here}.weight_projection")


def has_no_projection(names: Iterable[str], options: BilmOptions) -> bool:
    """
    Whether a file with these datasets is of a model whose cells' outputs go on as they are: one of bilm-tf's, whose
    `dim` is `projection_dim`.
    """
    return options.lstm.cell_dim == options.projection_dim and not any(name.endswith("/W_P_0") for name in names)


def no_projection(name: str, options: BilmOptions) -> Tuple[Optional[str], Optional[numpy.ndarray]]:
    """
    What stands for a dataset `W_P_0` of such a model: what is wrong with the options, or the identity.

    bilm-tf then clips no output. None is above 1, so only a clip below 1 would make a difference here.
    """
    clip = options.lstm.projection_clip
    if clip is not None and clip < 1.0:
        return f"{name}: not there, so bilm-tf does not clip to 'proj_clip', {clip}; take it out of the options", None
    return None, numpy.eye(options.projection_dim, dtype=numpy.float32)


def open_hdf5(path: PathLike, what: str) -> h5py.File:
    """
    Opens an HDF5 file to read.

    # Raises

    `FileNotFoundError` where there is none, `ValueError` where it is none or is cut short.
    """
    if Path(path).is_dir():
        raise FileNotFoundError(f"{path} is a folder; expected the {what}. Give the path of the file in it.")
    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no {what} {path}. Check the path.")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise ValueError(
            f"{path} is not a readable HDF5 file ({error}). If it was downloaded or copied, it may be cut short: "
            f"its size is {Path(path).stat().st_size:,} bytes; get it again."
        ) from error


def _name_in_file(name: str, datasets: Dict[str, h5py.Dataset]) -> str:
    """A model of one layer, written by bilm-tf, has no level `MultiRNNCell/Cell0`."""
    short = name.replace("MultiRNNCell/Cell0/", "")
    return short if name not in datasets and short in datasets else name


def load_weights(bilm: Bilm, path: PathLike) -> None:
    """
    Fills a model from a file.

    # Raises

    `FileNotFoundError` where there is no file. `ValueError` where it is no HDF5 file or does not fit the model's
    options; its message lists every dataset that is missing, has another shape, holds no finite numbers or should not
    be there. The model is then unchanged.
    """
    datasets: Dict[str, h5py.Dataset] = {}
    with open_hdf5(path, "weight file") as file:
        file.visititems(lambda name, item: datasets.update({name: item}) if isinstance(item, h5py.Dataset) else None)
        table = [entry._replace(name=_name_in_file(entry.name, datasets)) for entry in layout(bilm.options)]
        wrong: List[str] = []
        state: Dict[str, torch.Tensor] = {}
        unprojected = has_no_projection(datasets, bilm.options)
        for entry in table:
            if unprojected and entry.name.endswith("/W_P_0"):
                problem, array = no_projection(entry.name, bilm.options)
            else:
                problem, array = _read(entry, datasets)
            if problem is not None:
                wrong.append(problem)
                continue
            for parameter, part in zip(entry.parameters, entry.from_file(array)):
                state[parameter] = torch.from_numpy(numpy.ascontiguousarray(part))
        unused = sorted(set(datasets) - {entry.name for entry in table})
        # LSTM layers beyond those asked for may be left out; parts of the word encoder make another model.
        wrong += [
            f"{name}: expected no such dataset, found shape {datasets[name].shape}"
            for name in unused
            if name.startswith(("CNN", "char_embed", "word_embed", "embedding"))
        ]
    if wrong:
        raise ValueError(
            f"{path} does not fit the options:\n  " + "\n  ".join(wrong) + "\nGive the options.json that belongs to "
            "this weight file."
        )
    if unused:
        logger.warning("%s holds datasets that these options have no place for: %s", path, ", ".join(unused))
    bilm.load_state_dict(state, strict=True)


def _read(entry: Dataset, datasets: Dict[str, h5py.Dataset]) -> Tuple[Optional[str], Optional[numpy.ndarray]]:
    """What is wrong with a dataset, or its contents."""
    found = datasets.get(entry.name)
    if found is None:
        return f"{entry.name}: expected shape {entry.shape}, found no such dataset", None
    if found.shape != entry.shape:
        return f"{entry.name}: expected shape {entry.shape}, found {found.shape}", None
    if found.dtype.kind != "f":
        return f"{entry.name}: expected floating-point numbers, found {found.dtype}", None
    try:
        array = found[()].astype(numpy.float32)
    except OSError as error:
        return f"{entry.name}: can't be read ({error}); the file may be cut short", None
    if not numpy.isfinite(array).all():
        return f"{entry.name}: expected finite numbers, found NaN or infinity", None
    return None, array


def num_words_in(path: PathLike) -> Optional[int]:
    """How many words the `embedding` of a word-id model has; `None` where the file holds no such dataset."""
    with open_hdf5(path, "weight file") as file:
        return file["embedding"].shape[0] if "embedding" in file else None


def load_bilm(options_file: PathLike, weight_file: PathLike) -> Bilm:
    """The model in an options file and a weight file. Errors as `BilmOptions.from_file` and `load_weights`."""
    options = BilmOptions.from_file(options_file)
    if options.char_cnn is None and options.num_words is None:
        options = BilmOptions(options.lstm, None, num_words_in(weight_file), options.extra)
    bilm = Bilm(options)
    load_weights(bilm, weight_file)
    return bilm


def save_weights(bilm: Bilm, path: PathLike) -> None:
    """Writes a model as `float32`, whole or not at all."""
    state = bilm.state_dict()
    with whole_hdf5(path) as file:
        for entry in layout(bilm.options):
            arrays = [state[parameter].detach().cpu().float().numpy() for parameter in entry.parameters]
            file.create_dataset(entry.name, data=entry.to_file(arrays), dtype="float32")


@contextmanager
def whole_hdf5(path: PathLike) -> Iterator[h5py.File]:
    """
    `with whole_hdf5(path) as file:` – an HDF5 file to write, which takes its name only once it is complete.

    # Raises

    `OSError` where it can't be finished: where the disk fills up at the very end, h5py itself raises a `RuntimeError`.
    """
    with whole_file(path) as partial:
        file = h5py.File(partial, "w")
        try:
            yield file
        finally:
            try:
                file.close()
            except RuntimeError as error:
                raise OSError(f"{path} could not be finished: {error}") from error
