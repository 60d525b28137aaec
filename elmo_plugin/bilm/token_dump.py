"""Vectors of words out of context, in the file of bilm-tf's `dump_token_embeddings`."""

from pathlib import Path
from typing import Sequence

import numpy
import torch

from elmo_plugin.bilm.dump import as_written, check_output
from elmo_plugin.bilm.embedding import SentenceReader
from elmo_plugin.bilm.out_of_memory import out_of_memory_as
from elmo_plugin.bilm.weights import whole_hdf5

_WORDS_AT_ONCE = 8192


def write_token_dump(
    reader: SentenceReader, words: Sequence[str], output: Path, dtype: str, force: bool = False
) -> None:
    """
    Writes the dataset `embedding`, whose row i is the encoder's vector of word i; words may come again.

    Shape: (num_words, projection_dim)

    # Raises

    `ValueError` where there is no word or the file can't be written, `OutOfMemory`.
    """
    if not words:
        raise ValueError("There is no word to embed. Give a file of words, one a line.")
    check_output(output, force)
    shape = (len(words), reader.bilm.options.projection_dim)
    with as_written(output), whole_hdf5(output) as file:
        dataset = file.create_dataset("embedding", shape, dtype=numpy.dtype(dtype))
        for start in range(0, len(words), _WORDS_AT_ONCE):
            some = words[start : start + _WORDS_AT_ONCE]
            rows = {word: row for row, word in enumerate(dict.fromkeys(some))}
            message = (
                f"Not enough memory on {reader.bilm.boundaries.device} for the vectors of {len(rows):,} words. Make "
                "room there, or take another device (--cuda-device; -1 is the CPU)"
            )
            with torch.no_grad(), out_of_memory_as(message):
                vectors = reader.word_vectors(list(rows)).float().cpu().numpy()
            dataset[start : start + len(some)] = vectors[[rows[word] for word in some]]
