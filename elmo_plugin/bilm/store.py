"""
Vectors of sentences, computed once and looked up by what the sentences are: a folder.

    store.json    what the vectors were computed with, and how many there are
    vectors.npy   word after word, all layers. Shape: (words, num_representations, representation_dim)
    keys.npy      of each sentence a hash. Shape: (sentences, 2), `uint64`
    starts.npy    of each sentence the first word, and at the end the number of words. Shape: (sentences + 1,), `int64`
    steady.npz    the state before each sentence, where the policy is "steady"

The arrays are NumPy's own files, so that the operating system reads of them what is looked at and keeps it as long as
there is memory (`numpy.load(…, mmap_mode="r")`). A key is made from the character ids of a sentence: what a biLM sees
of it, so that words which are cut to the same beginning are the same.
"""

import hashlib
import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Union

import numpy
import torch

from elmo_plugin.bilm.characters import words_to_characters
from elmo_plugin.bilm.state import BilmState
from elmo_plugin.bilm.state_policy import STEADY

STORE_VERSION = 1
DESCRIPTION = "store.json"
_KEY_BYTES = 16
_STEADY = "{direction}_{part}"


class StoreDescription(NamedTuple):
    """
    fingerprint : of the biLM (`fingerprint.fingerprint`).
    state : the policy, `"steady"` or `"zero"`.
    max_characters : width of a word in the keys.
    num_representations, representation_dim : of the vectors.
    dtype : `"float16"` or `"float32"`.
    version : of this layout.
    """

    fingerprint: str
    state: str
    max_characters: int
    num_representations: int
    representation_dim: int
    dtype: str
    version: int = STORE_VERSION


def sentence_id(characters: numpy.ndarray) -> bytes:
    """
    The key of a sentence.

    # Parameters

    characters : shifted ids, of words only. Shape: (num_tokens, max_characters)
    """
    shape = numpy.array(characters.shape, dtype="<i8").tobytes()
    return hashlib.blake2b(shape + characters.astype("<i2").tobytes(), digest_size=_KEY_BYTES).digest()


class VectorStore:
    """
    A folder that `StoreWriter` wrote, to look sentences up. May be shared by threads, and by processes on one machine.

    # Parameters

    folder : path.

    # Raises

    `ValueError` where it is no store, or not a whole one.
    """

    def __init__(self, folder: Union[str, Path]) -> None:
        self.folder = Path(folder)
        self.description = _read_description(self.folder)
        try:
            self._vectors = numpy.load(self.folder / "vectors.npy", mmap_mode="r")
            keys, self._starts = (numpy.load(self.folder / f"{name}.npy") for name in ("keys", "starts"))
        except (OSError, EOFError, ValueError) as error:
            raise ValueError(f"{self.folder} is not a whole store of vectors ({error}). Write it anew.") from error
        expected = (int(self._starts[-1]), self.description.num_representations, self.description.representation_dim)
        if self._vectors.shape != expected or len(keys) + 1 != len(self._starts):
            raise ValueError(
                f"{self.folder}: vectors.npy should have the shape {expected} and keys.npy {len(self._starts) - 1:,} "
                f"rows, but they have {self._vectors.shape} and {len(keys):,}. The files are not of one store; write "
                "it anew."
            )
        self.steady = _load_steady(self.folder) if self.description.state == STEADY else None
        raw = keys.astype("<u8").tobytes()
        self._index = {raw[at * _KEY_BYTES : (at + 1) * _KEY_BYTES]: at for at in range(len(keys))}

    def __len__(self) -> int:
        """How many sentences there are."""
        return len(self._index)

    def find(self, characters: numpy.ndarray) -> Optional[numpy.ndarray]:
        """
        The vectors of a sentence, or `None`. A view of the file.

        # Parameters

        characters : shifted ids, of words only. Shape: (num_tokens, max_characters)

        # Returns

        Shape: (num_tokens, num_representations, representation_dim)
        """
        number = self._index.get(sentence_id(characters))
        return None if number is None else self._vectors[self._starts[number] : self._starts[number + 1]]


class StoreWriter:
    """
    `with StoreWriter(folder, description) as store: store.add(line, array)` – a store that takes its name only once it
    is whole. A sentence that comes again is left out.

    # Parameters

    folder : replaced, if it is there.
    steady : the state of the policy `"steady"`, of one row.
    """

    is_folder = True

    def __init__(self, folder: Path, description: StoreDescription, steady: Optional[BilmState] = None) -> None:
        self.folder, self.partial = folder, folder.with_name(folder.name + ".partial")
        self.description, self._steady = description, steady
        self._keys: Dict[bytes, None] = {}
        self._starts: List[int] = [0]

    def __enter__(self) -> "StoreWriter":
        if self.partial.exists():
            shutil.rmtree(self.partial)
        self.partial.mkdir()
        self._file = open(self.partial / "vectors.npy", "wb+")
        self._write_header(0)
        return self

    def _write_header(self, num_words: int) -> None:
        """Its length does not depend on the number of words: NumPy leaves room for it to grow."""
        shape = (num_words, self.description.num_representations, self.description.representation_dim)
        self._file.seek(0)
        header = {"descr": numpy.dtype(self.description.dtype).str, "fortran_order": False, "shape": shape}
        numpy.lib.format.write_array_header_1_0(self._file, header)

    def add(self, line: str, array: numpy.ndarray) -> None:
        """
        A sentence, its words separated by white space, and its vectors.

        Shape: (num_representations, num_tokens, representation_dim)
        """
        words = line.split()
        key = sentence_id(words_to_characters(words, self.description.max_characters))
        if key not in self._keys:
            self._keys[key] = None
            self._starts.append(self._starts[-1] + len(words))
            self._file.write(numpy.ascontiguousarray(array.transpose(1, 0, 2)).tobytes())

    def __exit__(self, error_type: Optional[type], *_: Any) -> None:
        try:
            if error_type is None:
                self._finish()
        finally:
            self._file.close()
            if self.partial.exists():
                shutil.rmtree(self.partial)

    def _finish(self) -> None:
        self._write_header(self._starts[-1])
        self._file.close()
        keys = numpy.frombuffer(b"".join(self._keys), dtype="<u8").reshape(-1, 2)
        numpy.save(self.partial / "keys.npy", keys)
        numpy.save(self.partial / "starts.npy", numpy.array(self._starts, dtype="<i8"))
        if self._steady is not None:
            tensors = self._steady.named(_STEADY).items()
            arrays = {name: tensor.detach().float().cpu().numpy() for name, tensor in tensors}
            numpy.savez(self.partial / "steady.npz", **arrays)
        (self.partial / DESCRIPTION).write_text(json.dumps(self.description._asdict(), indent=2), encoding="utf-8")
        if self.folder.exists():
            shutil.rmtree(self.folder)
        os.replace(self.partial, self.folder)


def _load_steady(folder: Path) -> BilmState:
    try:
        with numpy.load(folder / "steady.npz") as file:
            return BilmState.from_named(_STEADY, lambda name: torch.from_numpy(file[name]))
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"{folder} is not a whole store of vectors ({error}). Write it anew.") from error


def _read_description(folder: Path) -> StoreDescription:
    path = folder / DESCRIPTION
    if not path.is_file():
        raise ValueError(
            f"{folder} is no store of vectors: there is no {DESCRIPTION} in it. Give the folder that `allennlp elmo "
            "TEXT FOLDER --all --format store …` wrote."
        )
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["version"] != STORE_VERSION:
            raise ValueError(f"its version is {found['version']}, but only {STORE_VERSION} can be read")
        return StoreDescription(**found)
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} does not describe a store of vectors ({error}). Write the store anew.") from error
