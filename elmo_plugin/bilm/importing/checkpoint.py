"""
TensorFlow's checkpoints (format V2), without TensorFlow.

    PREFIX.index                     a sorted table: the name of each tensor to where it is, "" to a header
    PREFIX.data-00000-of-00002, …    the numbers
"""

import re
from pathlib import Path
from typing import Dict, List, Tuple

import numpy

from elmo_plugin.bilm.importing.crc32c import masked_crc32c
from elmo_plugin.bilm.importing.protos import BundleEntry, read_entry, read_header
from elmo_plugin.bilm.importing.sstable import has_magic, read_table

# Numbers of TensorFlow's types to NumPy's.
_DTYPES = {1: "f4", 2: "f8", 3: "i4", 9: "i8", 14: "u2", 19: "f2"}
_BFLOAT16 = 14  # The upper half of a float32, for which NumPy has no type.
# How the keys of parts begin; those of tensors are names.
_OF_A_PART = b"\0"
_SUFFIX = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})$")
_LATEST = re.compile(r'^model_checkpoint_path:\s*"(.+)"', re.MULTILINE)


class Checkpoint:
    """
    The tensors of a checkpoint. Nothing of the data is read before `read`.

    # Parameters

    prefix : its path without `.index`.

    # Raises

    `FileNotFoundError` where there is no index, `ValueError` where it is none or a data file is missing.
    """

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        index = prefix.with_name(f"{prefix.name}.index")
        if not index.is_file():
            raise FileNotFoundError(f"There is no index {index} of a TensorFlow checkpoint. Check the path.")
        table = read_table(index)
        if b"" not in table:
            raise ValueError(
                f"{index}: the index has no header, so it is none of a checkpoint of TensorFlow's format V2."
            )
        try:
            self._header = read_header(table.pop(b""))
            self.entries: Dict[str, BundleEntry] = {
                name.decode(): read_entry(value) for name, value in table.items() if not name.startswith(_OF_A_PART)
            }
        except ValueError as error:
            raise ValueError(f"{index}: an entry is damaged: {error}. Get the file again.") from error
        missing = [str(path) for path in self._shards() if not path.is_file()]
        if missing:
            raise ValueError(
                f"{index}: the checkpoint has {self._header.num_shards} data files, but these are missing: "
                f"{', '.join(missing)}. Put them beside the index."
            )

    def _shards(self) -> List[Path]:
        count = self._header.num_shards
        return [self.prefix.with_name(f"{self.prefix.name}.data-{i:05d}-of-{count:05d}") for i in range(count)]

    def shape(self, name: str) -> Tuple[int, ...]:
        """The shape of a tensor; of one of unknown rank, `(-1,)`."""
        shape = self.entries[name].shape
        return (-1,) if shape is None else shape

    def read(self, name: str) -> numpy.ndarray:
        """
        A tensor.

        # Raises

        `ValueError` where it is of a kind that no biLM has, its data file is cut short or the checksum is wrong.
        """
        entry = self.entries[name]
        what = f"{self.prefix}, the tensor {name}"
        if entry.is_partitioned or entry.dtype not in _DTYPES:
            kind = "in partitions" if entry.is_partitioned else f"of TensorFlow's type {entry.dtype}"
            raise ValueError(
                f"{what}: it is {kind}, which can't be read; expected one whole tensor of numbers. Save it as one with "
                "TensorFlow: variables without a partitioner, of float32."
            )
        if not 0 <= entry.shard < self._header.num_shards:
            raise ValueError(
                f"{what}: it is in data file {entry.shard} of {self._header.num_shards}. The index is damaged."
            )
        dtype = numpy.dtype((">" if self._header.is_big_endian else "<") + _DTYPES[entry.dtype])
        shape = self.shape(name)
        if entry.size != dtype.itemsize * int(numpy.prod(shape, dtype=numpy.int64)):
            raise ValueError(f"{what}: {entry.size:,} bytes are no {dtype} of shape {shape}. The index is damaged.")
        shard = self._shards()[entry.shard]
        with open(shard, "rb") as file:
            file.seek(entry.offset)
            content = file.read(entry.size)
        if len(content) != entry.size:
            raise ValueError(
                f"{what}: {shard} should hold {entry.size:,} bytes at {entry.offset:,}, but its size is "
                f"{shard.stat().st_size:,}. It is cut short; get it again."
            )
        if masked_crc32c(content) != entry.checksum:
            raise ValueError(
                f"{what}: the checksum of its bytes in {shard} is wrong. The file is damaged; get it again."
            )
        array = numpy.frombuffer(content, dtype=dtype).reshape(shape)
        if entry.dtype == _BFLOAT16:
            return (array.astype("u4") << 16).view("f4")
        return array


def checkpoint_prefix(path: Path) -> Path:
    """
    The checkpoint that a path means: its prefix, any of its files, or the latest in a folder, which the file
    `checkpoint` names where there is one.

    # Raises

    `FileNotFoundError` where there is none, `ValueError` where there are several, or one of the old format V1.
    """
    if path.is_dir():
        return _latest(path)
    prefix = path.with_name(_SUFFIX.sub("", path.name))
    if prefix.with_name(f"{prefix.name}.index").is_file():
        return prefix
    if prefix.is_file() and has_magic(prefix):
        raise ValueError(
            f"{prefix} is a TensorFlow checkpoint of the old format V1 (one file). Only V2 (.index and .data-…) is "
            "read; save it again with TensorFlow 1.x: tf.train.Saver(write_version=tf.train.SaverDef.V2)."
        )
    raise FileNotFoundError(f"There is no TensorFlow checkpoint {path}: expected a file {prefix}.index.")


def _latest(folder: Path) -> Path:
    named = folder / "checkpoint"
    if named.is_file():
        match = _LATEST.search(named.read_text(encoding="utf-8", errors="replace"))
        if match is not None:
            # The folder may have been moved since, and the path be an old one.
            prefix = folder / Path(match.group(1)).name
            if prefix.with_name(f"{prefix.name}.index").is_file():
                return prefix
    found = sorted(folder.glob("*.index"))
    if not found:
        raise FileNotFoundError(f"{folder} holds no TensorFlow checkpoint: no file ends with .index.")
    if len(found) > 1:
        raise ValueError(
            f"{folder} holds several checkpoints and no file 'checkpoint' that names the latest: "
            f"{', '.join(path.name for path in found)}. Give one of them in place of the folder."
        )
    return found[0].with_name(found[0].name[: -len(".index")])
