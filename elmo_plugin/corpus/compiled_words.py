"""
The program in C that splits, numbers, counts and ranks words: whether it is here, and its operations on arrays.

It is compiled where the package is installed and a C compiler is at hand (setup.py), for any processor. Each operation
is the fast peer of one in `words`, `word_lists` or `ranking`, which is its definition and is used where it is not.
"""

import ctypes
from functools import lru_cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np

FILE_NAMES = [f"compiled/words{suffix}" for suffix in EXTENSION_SUFFIXES]
# All as in the program.
VERSION, NUM_CODES, NOT_UTF_8, NO_MEMORY = 1, 0x3001, -1, -2
# The program's places in text are numbers of 32 bits.
END_OF_SIZES = 1 << 32


class _Words(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("text", "spaces", "types", "ids", "counts", "lengths")),
        *((name, ctypes.c_int64) for name in ("size", "num_types_bytes", "num_types", "num_tokens", "num_lines")),
    ]


def why_not() -> Optional[str]:
    """Why the program can't run here; `None` if it can."""
    found = _loaded()
    return found if isinstance(found, str) else None


def can_read(data: bytes) -> bool:
    """Whether the program can run here, and takes so many bytes at once."""
    return len(data) < END_OF_SIZES and why_not() is None


def split_words(text: bytes, count: bool) -> Optional[Tuple[np.ndarray, np.ndarray, bytes]]:
    """
    `words.number_sentences` of the lines of UTF-8 split at white space, or `words.count_sentences`.

    # Parameters

    text : `bytes`
        As `can_read` takes it.
    count : `bool`
        Whether to count words instead of numbering them.

    # Returns

    `np.ndarray`
        The ids. Shape: (num_tokens,), int32; or the counts. Shape: (num_types,), int64
    `np.ndarray`
        The words in each line that has any. Shape: (num_sentences,), int64
    `bytes`
        The distinct words, one a line, in order of first occurrence.

    `None` where the text is not UTF-8.
    """
    most = len(text) // 2 + 1
    found, lengths = np.empty(most, np.int64 if count else np.int32), np.empty(most, np.int64)
    places = {"spaces": _spaces().ctypes.data, "lengths": lengths.ctypes.data}
    done = _done(text, {**places, "counts" if count else "ids": found.ctypes.data})
    if done is None:
        return None
    task, types = done
    return found[: task.num_types if count else task.num_tokens], lengths[: task.num_lines], types


def number_lines(lines: bytes) -> Tuple[np.ndarray, bytes]:
    """
    `word_lists.number_words` of one list, as `can_read` takes it.

    # Returns

    `np.ndarray`
        Shape: (words,), int32
    `bytes`
        The distinct words, as lines.
    """
    ids = np.empty(len(lines), np.int32)
    task, types = _done(lines, {"ids": ids.ctypes.data})
    return ids[: task.num_tokens], types


def line_hashes(lines: bytes, num_lines: int) -> np.ndarray:
    """`word_lists.line_hashes` of as many lines. Shape: (num_lines,), uint32"""
    hashes = np.empty(num_lines, np.uint32)
    _program().elmo_line_hashes(lines, len(lines), hashes.ctypes.data)
    return hashes


def gathered(data: bytes, begins: np.ndarray, sizes: np.ndarray) -> bytes:
    """
    Pieces of bytes one after the other.

    # Parameters

    data : `bytes`
    begins, sizes : `np.ndarray`
        Of each piece. Shape: (pieces,), int64
    """
    begins, sizes = np.ascontiguousarray(begins, np.int64), np.ascontiguousarray(sizes, np.int64)
    together = np.empty(int(sizes.sum()), np.uint8)
    _program().elmo_gather(data, begins.ctypes.data, sizes.ctypes.data, len(begins), together.ctypes.data)
    return together.tobytes()


def ranked(lines: bytes, offsets: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """
    `ranking.rank`.

    # Parameters

    lines : `bytes`
    offsets : `np.ndarray`
        As of `word_lists.line_offsets`. Shape: (words + 1,), int64
    counts : `np.ndarray`
        Shape: (words,), int64

    # Returns

    `np.ndarray`
        Shape: (words,), int64
    """
    counts, order = np.ascontiguousarray(counts, np.int64), np.empty(len(counts), np.int64)
    _check(_program().elmo_rank(lines, offsets.ctypes.data, counts.ctypes.data, len(counts), order.ctypes.data))
    return order


def _done(data: bytes, places: Dict[str, int]) -> Optional[Tuple[_Words, bytes]]:
    """What the program says of its work, and the types; `None` where the text is not UTF-8."""
    types = np.empty(len(data) + 1, np.uint8)
    text = ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value
    task = _Words(text=text, types=types.ctypes.data, size=len(data), **places)
    failure = _program().elmo_words(ctypes.byref(task))
    if failure == NOT_UTF_8:
        return None
    _check(failure)
    return task, types[: task.num_types_bytes].tobytes()


def _check(failure: int) -> None:
    if failure == NO_MEMORY:
        raise MemoryError("The program that counts words could not get the memory for its table.")


@lru_cache(maxsize=None)
def _spaces() -> np.ndarray:
    """Which code points Python takes for white space; there is none above these. Shape: (NUM_CODES,), uint8"""
    return np.fromiter((chr(code).isspace() for code in range(NUM_CODES)), np.uint8, NUM_CODES)


def _program() -> Any:
    """
    # Raises

    `RuntimeError` where it can't run.
    """
    found = _loaded()
    if isinstance(found, str):
        raise RuntimeError(f"The program that counts words can't run: {found}")
    return found


@lru_cache(maxsize=None)
def _loaded() -> Union[Any, str]:
    """The program, or why there is none."""
    path = next((p for p in (Path(__file__).parent / name for name in FILE_NAMES) if p.is_file()), None)
    if path is None:
        return (
            "it was not compiled when the package was installed. With a C compiler, "
            "`python setup.py build_ext --inplace` in the project's root does it."
        )
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        return f"{path.name} can't be loaded: {error}."
    if library.elmo_words_version() != VERSION:
        return f"{path.name} was compiled from another version of the package; install it again."
    size, data, pointer = ctypes.c_int64, ctypes.c_char_p, ctypes.c_void_p
    operations: Sequence[Tuple[Any, Any, List[Any]]] = [
        (library.elmo_words, ctypes.c_int, [pointer]),
        (library.elmo_line_hashes, None, [data, size, pointer]),
        (library.elmo_gather, None, [data, pointer, pointer, size, pointer]),
        (library.elmo_rank, ctypes.c_int, [data, pointer, pointer, size, pointer]),
    ]
    for operation, result, arguments in operations:
        operation.restype, operation.argtypes = result, arguments
    return library
