"""What puts the vectors of a text together: into HDF5 as AllenNLP 0.9 has it here, into a store in `store.py`."""

import json
from pathlib import Path
from typing import Any, ContextManager, Dict, Optional, Protocol

import h5py
import numpy

from elmo_plugin.bilm.dump_keys import SentenceKeys
from elmo_plugin.bilm.embedding import SentenceReader
from elmo_plugin.bilm.fingerprint import fingerprint
from elmo_plugin.bilm.ops.packed_matrix import FLOAT32
from elmo_plugin.bilm.state_policy import STATEFUL
from elmo_plugin.bilm.store import StoreDescription
from elmo_plugin.bilm.weights import whole_hdf5

INDEX = "sentence_to_index"


class DumpWriter(ContextManager["DumpWriter"], Protocol):
    """
    What takes the vectors of a text, line after line; its file is there whole or not at all.

    is_folder : of what it writes.
    """

    is_folder: bool

    def add(self, line: str, array: numpy.ndarray) -> None:
        """The next line and its vectors."""


class Hdf5Writer:
    """
    The HDF5 file that `allennlp elmo` of AllenNLP 0.9 wrote, which is bilm-tf's with an index:

        "0", "1", …          the vectors of each line: (num_representations, num_tokens, representation_dim), or without
                             the first dimension where one layer or their average is kept; float32 or float16
        "sentence_to_index"  (1,), JSON: {sentence: key}; of lines that are alike, the last one's

    # Parameters

    output : path.
    use_sentence_keys : name datasets by their sentences, see `sentence_key`; there is then no index.
    forget_sentences : leave the index out.
    """

    is_folder = False

    def __init__(self, output: Path, use_sentence_keys: bool = False, forget_sentences: bool = False) -> None:
        self._whole = whole_hdf5(output)
        self._keys = SentenceKeys() if use_sentence_keys else None
        self._index: Optional[Dict[str, str]] = None if use_sentence_keys or forget_sentences else {}
        self._number = 0

    def __enter__(self) -> "Hdf5Writer":
        self._file = self._whole.__enter__()
        return self

    def add(self, line: str, array: numpy.ndarray) -> None:
        key = str(self._number) if self._keys is None else self._keys(line)
        self._file.create_dataset(key, data=array)
        if self._index is not None:
            self._index[line] = key
        self._number += 1

    def __exit__(self, error_type: Optional[type], *others: Any) -> None:
        try:
            if error_type is None and self._index is not None:
                dataset = self._file.create_dataset(INDEX, (1,), dtype=h5py.string_dtype())
                dataset[0] = json.dumps(self._index)
        except BaseException as error:
            self._whole.__exit__(type(error), error, error.__traceback__)
            raise
        self._whole.__exit__(error_type, *others)


def describe_store(reader: SentenceReader, dtype: str) -> StoreDescription:
    """
    What a store of this reader's vectors says of itself.

    # Raises

    `ValueError` for a reader whose vectors are not a sentence's own, or that does not read characters.
    """
    options = reader.bilm.options
    if reader.policy == STATEFUL:
        raise ValueError(
            'Under the state "stateful" a sentence has other vectors in another place, so they can\'t be stored by '
            'sentence. Give another state (--state): "steady" or "zero".'
        )
    if reader.weights != FLOAT32:
        raise ValueError(
            "A store stands for the biLM itself, so it is written with `weights` (--weights) float32, not "
            f"{reader.weights}."
        )
    if options.char_cnn is None:
        raise ValueError(
            "A store is keyed by the characters of words, but this biLM reads word ids. Give one that reads characters."
        )
    return StoreDescription(
        fingerprint(reader.bilm),
        reader.policy,
        options.max_characters,
        options.num_representations,
        options.representation_dim,
        dtype,
    )
