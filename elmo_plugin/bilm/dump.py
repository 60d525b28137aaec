"""
Vectors of a text in a file, line by line.

It may take hours, so they are computed part by part in a folder beside the file; stopped, it goes on after the last
part. In the end a writer puts the parts together: into HDF5 as AllenNLP 0.9 has it, or something else (`dump_writers`).
"""

import hashlib
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence

import numpy
import torch

from elmo_plugin.bilm.batches import Batching
from elmo_plugin.bilm.dump_compute import compute_parts, compute_parts_in_processes
from elmo_plugin.bilm.dump_parts import Part, Parts
from elmo_plugin.bilm.dump_writers import DumpWriter, Hdf5Writer
from elmo_plugin.bilm.embedding import ALL, FORMS, SentenceReader, blocks_of
from elmo_plugin.bilm.fingerprint import fingerprint, state_fingerprint
from elmo_plugin.bilm.ops.compiled_program import VERSION, why_not
from elmo_plugin.bilm.ops.packed_matrix import FLOAT32
from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.state_policy import STATEFUL, STEADY
from elmo_plugin.bilm.store import DESCRIPTION as STORE_DESCRIPTION
from elmo_plugin.bilm.whole_file import check_place, failed_write

# Vectors that are computed before they are written, and that a stop may lose.
PART_BYTES = 128 * 2**20
_SENTENCES_PER_PART = 16384


class DumpSettings(NamedTuple):
    """
    form : `"all"`, `"top"` or `"average"`.
    dtype : `"float32"` or `"float16"`.
    batching : which sentences are read together.
    use_sentence_keys : name datasets by their sentences, see `sentence_key`; there is then no index.
    forget_sentences : leave the index out; so does bilm-tf.
    part_bytes : size of a part, about.
    devices : computes in a process for each of these torch devices; none for this process and the reader's device.
    """

    form: str = ALL
    dtype: str = "float32"
    batching: Batching = Batching()
    use_sentence_keys: bool = False
    forget_sentences: bool = False
    part_bytes: int = PART_BYTES
    devices: Sequence[str] = ()

    def check(self) -> None:
        """
        # Raises

        `ValueError` for a value that can't be.
        """
        self.batching.check()
        if self.form not in FORMS:
            raise ValueError(f"`output_format` must be one of {', '.join(FORMS)}, but it is {self.form!r}.")


class Text(NamedTuple):
    """What a first look at the lines tells."""

    num_sentences: int
    num_tokens: int
    digest: str


class Progress(NamedTuple):
    """
    num_tokens : of the whole text.
    num_done : of the sentences that are done, before this run or in it.
    """

    num_tokens: int
    num_done: int


def write_dump(
    reader: SentenceReader,
    lines: Iterable[str],
    output: Path,
    settings: DumpSettings,
    force: bool = False,
    on_progress: Optional[Callable[[Progress], None]] = None,
    new_writer: Optional[Callable[[Path], DumpWriter]] = None,
) -> Text:
    """
    Writes the file, as many vectors as lines, empty ones included; whole or not at all.

    # Parameters

    lines : sentences, their words separated by white space; are gone through twice or more.
    force : replace `output`, and parts of another run.
    on_progress : is told at the start and after each batch (of several processes: after each part).
    new_writer : makes what puts the vectors together, of the path; by default an HDF5 file.

    # Raises

    `ValueError` for settings or files that can't be; `OutOfMemory`. Whatever is raised, the parts are kept.
    """
    settings.check()
    writer = (new_writer or _hdf5_writer(settings))(output)
    check_output(output, force, writer.is_folder)
    text = examine(lines)
    run = _description(reader, text, settings)
    folder = parts_folder(output)
    with as_written(output, folder):
        parts = Parts(folder, run, force)
        _check_space(text, reader.bilm.options, parts, output, settings)
        _compute(reader, lines, text, parts, settings, on_progress)
        _assemble(parts, lines, writer, settings, reader.bilm.options)
        parts.remove()
    return text


def _hdf5_writer(settings: DumpSettings) -> Callable[[Path], DumpWriter]:
    return lambda output: Hdf5Writer(output, settings.use_sentence_keys, settings.forget_sentences)


def parts_folder(output: Path) -> Path:
    """Where the parts of a dump are kept until it is whole."""
    return output.with_name(output.name + ".parts")


def check_output(output: Path, force: bool, is_folder: bool = False) -> None:
    """
    # Parameters

    force : replace what is there: a file by a file, a store by a store.
    is_folder : a store is to be written.

    # Raises

    `ValueError` where it can't be written or is there already.
    """
    if output.is_dir() and not (is_folder and (output / STORE_DESCRIPTION).is_file()):
        store = ", or of a store to replace" if is_folder else ""
        raise ValueError(f"{output} is a folder; give the name of the HDF5 file to write{store}.")
    if output.is_file() and is_folder:
        raise ValueError(f"{output} is a file, but a store is a folder. Give another name.")
    check_place(output, force)


@contextmanager
def as_written(output: Path, folder: Optional[Path] = None) -> Iterator[None]:
    """
    In this context, a write that fails (a full disk, a folder without permission) is a `ValueError` that says so.

    # Parameters

    folder : keeps what was computed, once it is there.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        reason = failed_write(error)
        if reason is None:
            raise
        kept = "Nothing is kept" if folder is None or not folder.is_dir() else f"What was computed is kept in {folder}"
        raise ValueError(
            f"{output} could not be written ({reason}). {kept}. Mend the cause – make room, choose "
            "another place, keep less (--dtype float16, --top, --average) – and repeat the command."
        ) from error


def examine(lines: Iterable[str]) -> Text:
    """Counts and hashes a text."""
    num_sentences = num_tokens = 0
    digest = hashlib.sha256()
    for line in lines:
        num_sentences += 1
        num_tokens += len(line.split())
        digest.update(line.encode("utf-8", "surrogatepass") + b"\n")
    if num_sentences == 0:
        raise ValueError("There is no line to embed. Give a text of one tokenised sentence a line.")
    return Text(num_sentences, num_tokens, digest.hexdigest())


def _description(reader: SentenceReader, text: Text, settings: DumpSettings) -> Dict[str, Any]:
    """All that decides on the vectors and on where parts end. Batches do not, unless the state is carried: to 1e-6."""
    vocabulary = reader.word_vectors.vocabulary
    run = {
        "text": text.digest,
        "weights": fingerprint(reader.bilm),
        "state": reader.policy,
        "layers": settings.form,
        "dtype": settings.dtype,
        "part size": settings.part_bytes,
    }
    if reader.policy == STEADY and reader.steady is not None:
        run["steady state"] = state_fingerprint(reader.steady)
    if reader.policy == STATEFUL:
        run["batch size"] = settings.batching.batch_size
    if reader.invariant:
        # With the program, without it and on a GPU a sentence has the same bits in any batch, but each way its own.
        device = torch.device(settings.devices[0]) if settings.devices else reader.bilm.boundaries.device
        is_by_program = device.type == "cpu" and why_not() is None
        run["invariance"] = f"program {VERSION}" if is_by_program else device.type
    if reader.weights != FLOAT32:
        run["precision of weights"] = reader.weights
    if vocabulary is not None:
        run["vocabulary"] = hashlib.sha256("\n".join(vocabulary.words).encode()).hexdigest()
    return run


def _numbers_per_token(options: BilmOptions, form: str) -> int:
    return options.representation_dim * (options.num_representations if form == ALL else 1)


def _check_space(text: Text, options: BilmOptions, parts: Parts, output: Path, settings: DumpSettings) -> None:
    """The parts and the file exist both when the file is put together."""
    size = text.num_tokens * _numbers_per_token(options, settings.form) * numpy.dtype(settings.dtype).itemsize
    there = sum(path.stat().st_size for path in parts.folder.iterdir())
    needed, free = 2 * size - there, shutil.disk_usage(output.parent).free
    if needed > free:
        raise ValueError(
            f"{output} will hold {size:,} bytes and needs as much again while it is put together, but only {free:,} "
            "bytes are free there. Make room, choose another place, or keep less: --dtype float16, --top, --average."
        )


def _blocks(reader: SentenceReader, lines: Iterable[str], settings: DumpSettings) -> Iterator[List[List[str]]]:
    """The sentences of each part."""
    step = 1 if reader.policy != STATEFUL else settings.batching.batch_size or 1
    per_token = _numbers_per_token(reader.bilm.options, settings.form) * numpy.dtype(settings.dtype).itemsize
    max_tokens = max(1, settings.part_bytes // per_token)
    return blocks_of((line.split() for line in lines), step, max_tokens, _SENTENCES_PER_PART)


def _compute(
    reader: SentenceReader,
    lines: Iterable[str],
    text: Text,
    parts: Parts,
    settings: DumpSettings,
    on_progress: Optional[Callable[[Progress], None]],
) -> None:
    num_done = 0

    def count(num_tokens: int) -> None:
        nonlocal num_done
        num_done += num_tokens
        if on_progress is not None:
            on_progress(Progress(text.num_tokens, num_done))

    known = enumerate(_blocks(reader, lines, settings))
    count(sum(sum(map(len, block)) for index, block in known if parts.has(index)))
    blocks = _blocks(reader, lines, settings)
    arguments = (reader, blocks, parts, settings.batching, settings.form, settings.dtype, count)
    if settings.devices:
        compute_parts_in_processes(*arguments, settings.devices)
    else:
        compute_parts(*arguments)


def _assemble(
    parts: Parts, lines: Iterable[str], writer: DumpWriter, settings: DumpSettings, options: BilmOptions
) -> None:
    sentences = iter(lines)
    with writer as file:
        for part_number in range(len(parts)):
            for array in _arrays(parts.load(part_number), settings.form, options):
                file.add(next(sentences), array)


def _arrays(part: Part, form: str, options: BilmOptions) -> Iterator[numpy.ndarray]:
    """The vectors of each sentence of a part."""
    per_token, start = _numbers_per_token(options, form), 0
    for length in part.lengths.tolist():
        values = part.values[start : start + length * per_token]
        start += length * per_token
        shape: Sequence[int] = (length, options.representation_dim)
        yield values.reshape((options.num_representations, *shape) if form == ALL else shape)
