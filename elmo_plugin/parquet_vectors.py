"""Vectors of a text in a Parquet file, for tools that read tables: pandas, Polars, DuckDB, Spark, `datasets`."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any, List, Optional

import numpy

from elmo_plugin.bilm.whole_file import whole_file

# Of the numbers that are written together, as one row group.
_GROUP_BYTES = 64 * 2**20


def check_pyarrow() -> None:
    """
    # Raises

    `ValueError` where pyarrow is missing.
    """
    if find_spec("pyarrow") is None:
        raise ValueError(
            "A Parquet file is written with pyarrow, which is not installed. Install it with: pip install "
            "'elmo-plugin[corpus]' (or pip install pyarrow), or leave --format parquet out for HDF5."
        )


class ParquetWriter:
    """
    `with ParquetWriter(path) as file: file.add(line, array)` – a row for each line, in their order:

        sentence   the line
        vectors    lists of lists: [layer][word][number], or [word][number] where one layer or their average is kept

    The file takes its name once it is whole.

    # Parameters

    output : path.
    forget_sentences : leave the column `sentence` out.
    """

    is_folder = False

    def __init__(self, output: Path, forget_sentences: bool = False) -> None:
        check_pyarrow()
        self._whole = whole_file(output)
        self.forget_sentences = forget_sentences
        self._lines: List[str] = []
        self._arrays: List[numpy.ndarray] = []
        self._num_bytes = 0
        self._writer: Optional[Any] = None

    def __enter__(self) -> "ParquetWriter":
        self._partial = self._whole.__enter__()
        return self

    def add(self, line: str, array: numpy.ndarray) -> None:
        """Shape: (num_representations, num_tokens, representation_dim), or without the first of them"""
        self._lines.append(line)
        self._arrays.append(array)
        self._num_bytes += array.nbytes
        if self._num_bytes >= _GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        import pyarrow
        import pyarrow.parquet

        columns = {} if self.forget_sentences else {"sentence": pyarrow.array(self._lines, pyarrow.string())}
        table = pyarrow.table({**columns, "vectors": _nested(self._arrays)})
        if self._writer is None:
            self._writer = pyarrow.parquet.ParquetWriter(str(self._partial), table.schema, use_dictionary=False)
        self._writer.write_table(table, row_group_size=len(self._arrays))
        self._lines, self._arrays, self._num_bytes = [], [], 0

    def __exit__(self, *error: Any) -> None:
        try:
            if error[0] is None and self._lines:
                self._flush()
            if self._writer is not None:
                self._writer.close()
        except BaseException as other:
            self._whole.__exit__(type(other), other, other.__traceback__)
            raise
        self._whole.__exit__(*error)


def _nested(arrays: List[numpy.ndarray]) -> Any:
    """One list of lists for each array."""
    import pyarrow

    values = pyarrow.array(numpy.concatenate([array.ravel() for array in arrays]))
    shapes = numpy.array([array.shape for array in arrays])
    width = shapes[0, -1]
    # From the innermost lists outwards: how many numbers, words, layers each holds.
    sizes = [numpy.full(int(shapes[:, :-1].prod(axis=1).sum()), width)]
    if shapes.shape[1] == 3:
        sizes.append(numpy.repeat(shapes[:, 1], shapes[:, 0]))
    sizes.append(shapes[:, 0])
    for lengths in sizes:
        offsets = numpy.concatenate([[0], numpy.cumsum(lengths)]).astype(numpy.int64)
        values = pyarrow.LargeListArray.from_arrays(offsets, values)
    return values
