"""What a dump has computed so far, kept in a folder beside the file that it will be."""

import json
import shutil
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import h5py
import numpy
import torch

from elmo_plugin.bilm.state import BilmState
from elmo_plugin.bilm.weights import open_hdf5, whole_hdf5
from elmo_plugin.bilm.whole_file import write_whole

_CARRIED = "carried/{direction}_/{part}"


class Part(NamedTuple):
    """
    Consecutive sentences.

    values : the numbers of all their vectors, sentence after sentence. Shape: (numbers,)
    lengths : words of each sentence. Shape: (num_sentences,)
    carried : the state behind them, where one is carried.
    """

    values: numpy.ndarray
    lengths: numpy.ndarray
    carried: Optional[BilmState]


class Parts:
    """
    A folder of parts, each of which is there whole or not at all.

    # Parameters

    folder : is made where it is missing.
    run : what the vectors depend on, and where parts end.
    force : empty the folder where its parts are of another run.

    # Raises

    `ValueError` where the folder holds parts of another run and `force` is false, or no parts; `OSError`.
    """

    def __init__(self, folder: Path, run: Dict[str, Any], force: bool) -> None:
        self.folder = folder
        description = folder / "run.json"
        if description.is_file():
            other = json.loads(description.read_text(encoding="utf-8"))
            different = sorted(key for key in {*run, *other} if run.get(key) != other.get(key))
            if different and not force:
                raise ValueError(
                    f"{folder} holds what another run computed before it was stopped: it had other "
                    f"{', '.join(different)}. Repeat that run to finish it, delete the folder, or use --force to begin "
                    "anew."
                )
            if different:
                shutil.rmtree(folder)
        elif folder.is_dir() and not all(path.name.startswith(description.name) for path in folder.iterdir()):
            raise ValueError(
                f"{folder} is where what is computed is kept until the output is whole, but it holds something else. "
                "Move it, or give the output another name."
            )
        folder.mkdir(exist_ok=True)
        write_whole(description, json.dumps(run, indent=2))

    def _path(self, index: int) -> Path:
        return self.folder / f"{index:06d}.hdf5"

    def has(self, index: int) -> bool:
        """Whether that part is there."""
        return self._path(index).is_file()

    def __len__(self) -> int:
        """How many there are from the first one on without a gap."""
        count = 0
        while self.has(count):
            count += 1
        return count

    def save(
        self, index: int, arrays: Sequence[numpy.ndarray], lengths: List[int], carried: Optional[BilmState]
    ) -> None:
        """Writes a part."""
        with whole_hdf5(self._path(index)) as file:
            file["values"] = numpy.concatenate([array.ravel() for array in arrays])
            file["lengths"] = numpy.array(lengths, dtype=numpy.int64)
            for name, tensor in () if carried is None else carried.named(_CARRIED).items():
                file[name] = tensor.float().cpu().numpy()

    def load(self, index: int) -> Part:
        """Reads a part."""
        with open_hdf5(self._path(index), "part of a dump") as file:
            return Part(file["values"][()], file["lengths"][()], _carried(file))

    def remove(self) -> None:
        """Removes the folder."""
        shutil.rmtree(self.folder)


def _carried(file: h5py.File) -> Optional[BilmState]:
    if "carried" not in file:
        return None
    return BilmState.from_named(_CARRIED, lambda name: torch.from_numpy(file[name][()]))
