"""The subcommand `elmo`: the vectors of a text in a file, as AllenNLP 0.9's subcommand of that name wrote them."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Callable, Iterator, List, Optional, Sequence

from allennlp.commands.subcommand import Subcommand
from allennlp.common.checks import ConfigurationError
from allennlp.common.tqdm import Tqdm
from allennlp.common.util import SigTermReceived

from elmo_plugin.bilm.batches import DEFAULT_TOKEN_BUDGET, Batching
from elmo_plugin.bilm.dump import DumpSettings, Progress, parts_folder, write_dump
from elmo_plugin.bilm.dump_writers import DumpWriter, describe_store
from elmo_plugin.bilm.embedding import ALL, CACHED_WORDS, DTYPES, FORMS, SentenceReader
from elmo_plugin.bilm.ops.packed_matrix import FLOAT32, PRECISIONS
from elmo_plugin.bilm.out_of_memory import OutOfMemory
from elmo_plugin.bilm.state_policy import STATE_POLICIES, STATEFUL, STEADY, ZERO
from elmo_plugin.bilm.store import StoreWriter
from elmo_plugin.bilm.token_dump import write_token_dump
from elmo_plugin.bilm.vocabulary import NOT_A_WORD
from elmo_plugin.commands.elmo_flags import HDF5, PARQUET, STANDARD_INPUT, STORE, TOKEN_EMBEDDINGS, check_flags
from elmo_plugin.data.dataset_readers.lines import decoded_lines, numbered_lines
from elmo_plugin.elmo_embedder import (
    DEFAULT_BATCH_SIZE,
    DEFAULT_OPTIONS_FILE,
    DEFAULT_WEIGHT_FILE,
    ElmoEmbedder,
    choose_device,
)
from elmo_plugin.models.archived_bilm import load_archived_bilm
from elmo_plugin.parquet_vectors import ParquetWriter, check_pyarrow


@Subcommand.register("elmo")
class Elmo(Subcommand):
    """
    Registered as a `Subcommand` with name "elmo". It only parses: `bilm.dump.write_dump` does it.
    """

    requires_plugins: bool = False

    def add_subparser(self, parser: argparse._SubParsersAction) -> argparse.ArgumentParser:
        description = """Write a biLM's vectors of a tokenised text to a file. Stopped, the same command goes on."""
        subparser = parser.add_parser(self.name, description=description, help="Write a biLM's vectors of a text.")
        subparser.add_argument(
            "input_file",
            metavar="INPUT",
            help="tokenised text, a sentence a line (.gz and .xz too), or - for standard input",
        )
        subparser.add_argument("output_file", metavar="OUTPUT", help="the file (or store) to write")
        _add_output_arguments(subparser)
        _add_model_arguments(subparser)
        _add_batch_arguments(subparser)
        subparser.set_defaults(func=embed_from_args)
        return subparser


def _add_output_arguments(subparser: argparse.ArgumentParser) -> None:
    form = subparser.add_mutually_exclusive_group(required=True)
    helps = ("all layers", "the top layer", "the average of the layers")
    for name, text in zip(FORMS, helps):
        form.add_argument(f"--{name}", action="store_const", const=name, dest="form", help=f"write {text}")
    form.add_argument(
        "--token-embeddings",
        action="store_const",
        const=TOKEN_EMBEDDINGS,
        dest="form",
        help="INPUT is words, one a line: write their vectors out of context, as one dataset "
        "'embedding' (bilm-tf's dump_token_embeddings)",
    )
    subparser.add_argument(
        "--format",
        choices=(HDF5, PARQUET, STORE),
        help=f"of OUTPUT: AllenNLP 0.9's HDF5 file, a Parquet file with a row for each line, or a folder of vectors by "
        f"sentence for the embedder elmo_precomputed ({HDF5})",
    )
    subparser.add_argument("--dtype", choices=DTYPES, default=DTYPES[0], help="of the vectors")
    subparser.add_argument("--forget-sentences", action="store_true", help="leave out the dataset sentence_to_index")
    subparser.add_argument(
        "--use-sentence-keys", action="store_true", help="name datasets by their sentence, not their line"
    )
    subparser.add_argument(
        "-f", "--force", action="store_true", help="overwrite OUTPUT, and what another run left of it"
    )


def _add_model_arguments(subparser: argparse.ArgumentParser) -> None:
    subparser.add_argument("--options-file", metavar="F", help="path or URL; without it, the original ELMo's")
    subparser.add_argument("--weight-file", metavar="F", help="path or URL; without it, the original ELMo's")
    subparser.add_argument("--archive", metavar="F", help="model.tar.gz, in place of these two files")
    subparser.add_argument(
        "--sidecar-file", metavar="F", help="the steady state, if not in sidecar.hdf5 beside the weights"
    )
    subparser.add_argument("--vocabulary-file", metavar="F", help="for a biLM of word ids")
    subparser.add_argument(
        "--state",
        choices=STATE_POLICIES,
        help=f"the state before a sentence: zeros ({ZERO}), what the batch before left behind, as in AllenNLP 0.9 "
        f"({STATEFUL}), or one stored state ({STEADY}), which is the default",
    )


def _add_batch_arguments(subparser: argparse.ArgumentParser) -> None:
    subparser.add_argument(
        "--batch-size",
        type=int,
        metavar="N",
        help=f"sentences read together at most ({DEFAULT_BATCH_SIZE} with --state {STATEFUL}, else as many as the "
        "budget allows)",
    )
    subparser.add_argument(
        "--token-budget", type=int, metavar="N", help=f"tokens read together at most ({DEFAULT_TOKEN_BUDGET})"
    )
    subparser.add_argument(
        "--cached-words", type=int, metavar="N", default=CACHED_WORDS, help="words whose vectors are remembered"
    )
    subparser.add_argument(
        "--cuda-device",
        type=device_numbers,
        metavar="N",
        default=[-1],
        help="number of a GPU, or of several, with a process each: 0,1; -1 is the CPU",
    )
    subparser.add_argument(
        "--processes", type=int, metavar="N", help="share the text among so many processes, on the CPU"
    )
    subparser.add_argument(
        "--invariant",
        action="store_true",
        help="a sentence's vectors are the same in any batch, bit by bit; new words take a little longer, and "
        "where the program in C can't run, all takes up to five times as long (docs/embedding.md)",
    )
    subparser.add_argument(
        "--weights",
        choices=PRECISIONS,
        help=f"their precision ({FLOAT32}); the others are for the CPU, faster, and give nearly the same vectors",
    )


def device_numbers(text: str) -> List[int]:
    """The numbers in `0,1`. Commas join them, so that what stands behind, as it did in 0.9, may be INPUT."""
    try:
        return [int(number) for number in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number, or several as 0,1, but it is {text!r}") from None


def embed_from_args(args: argparse.Namespace) -> None:
    output = Path(args.output_file)
    try:
        check_flags(args)
        if args.form == TOKEN_EMBEDDINGS:
            words = [line for line in Lines(args.input_file) if line != NOT_A_WORD]
            write_token_dump(_embedder(args, ZERO).elmo_bilm.reader, words, output, args.dtype, args.force)
            print(f"Success! Vectors of {len(words):,} words saved to {output}, as its dataset 'embedding'.")
            return
        embed(args, output)
    except (ValueError, FileNotFoundError, OutOfMemory) as error:
        raise ConfigurationError(str(error)) from error


def embed(args: argparse.Namespace, output: Path) -> None:
    """The vectors of a text, with a bar that shows how far it is."""
    state = args.state or STEADY
    batch_size = args.batch_size
    if batch_size is None and state == STATEFUL:
        batch_size = DEFAULT_BATCH_SIZE
    token_budget = DEFAULT_TOKEN_BUDGET if args.token_budget is None else args.token_budget
    settings = DumpSettings(
        args.form,
        args.dtype,
        Batching(batch_size, token_budget),
        args.use_sentence_keys,
        args.forget_sentences,
        devices=_devices(args),
    )
    lines = Lines(args.input_file)
    reader = _embedder(args, state).elmo_bilm.reader
    try:
        with Bar() as bar:
            text = write_dump(reader, lines, output, settings, args.force, bar, _writer(args, reader))
    except (KeyboardInterrupt, SigTermReceived):
        print(
            f"Stopped. What was computed is kept in {parts_folder(output)}; the same command goes on from there.",
            file=sys.stderr,
        )
        raise
    print(f"Success! Vectors of {text.num_sentences:,} sentences, {text.num_tokens:,} words, saved to {output}.")
    print(_how_to_read(args, output))


def _how_to_read(args: argparse.Namespace, output: Path) -> str:
    if args.format == STORE:
        embedder = json.dumps({"type": "elmo_precomputed", "store": str(output)})
        return f"Use them in a model with the embedder {embedder}."
    if args.format == PARQUET:
        table = f"pyarrow.parquet.read_table({str(output)!r})"
        return f"Read them with {table}['vectors'], lists of shape {shape_of(args.form)}."
    key = "the sentence" if args.use_sentence_keys else "str(line number from 0)"
    return f"Read them with h5py.File({str(output)!r})[{key}], shape {shape_of(args.form)}."


def _devices(args: argparse.Namespace) -> Sequence[str]:
    """A device for each process, where there are to be several."""
    if len(args.cuda_device) > 1:
        return [str(choose_device(number)) for number in args.cuda_device]
    return ["cpu"] * args.processes if args.processes is not None and args.processes > 1 else []


def _writer(args: argparse.Namespace, reader: SentenceReader) -> Optional[Callable[[Path], DumpWriter]]:
    if args.format == PARQUET:
        check_pyarrow()
        return lambda output: ParquetWriter(output, args.forget_sentences)
    if args.format == STORE:
        description = describe_store(reader, args.dtype)
        return lambda output: StoreWriter(output, description, reader.steady)
    return None


def shape_of(form: str) -> str:
    """The shape of a dataset, as one reads it."""
    return "(layers, words, width)" if form == ALL else "(words, width)"


def _embedder(args: argparse.Namespace, state: str) -> ElmoEmbedder:
    # Where several processes compute, each moves the biLM to its own device.
    cuda_device = args.cuda_device[0] if len(args.cuda_device) == 1 else -1
    if args.archive is not None:
        found = load_archived_bilm(args.archive, needs_steady=state == STEADY)
        if found.steady_source is not None:
            print(
                f"The steady state was computed from {found.steady_source}. Where that is not, or is another, vectors "
                "are others too; elmo-export computes it once and keeps it.",
                file=sys.stderr,
            )
        return ElmoEmbedder.from_bilm(
            found.bilm,
            cuda_device=cuda_device,
            state=state,
            steady=found.steady if state == STEADY else None,
            vocabulary=found.vocabulary if found.bilm.options.char_cnn is None else None,
            cached_words=args.cached_words,
            invariant=args.invariant,
            weights=args.weights or FLOAT32,
        )
    return ElmoEmbedder(
        args.options_file or DEFAULT_OPTIONS_FILE,
        args.weight_file or DEFAULT_WEIGHT_FILE,
        cuda_device=cuda_device,
        state=state,
        vocabulary_file=args.vocabulary_file,
        sidecar_file=args.sidecar_file,
        cached_words=args.cached_words,
        invariant=args.invariant,
        weights=args.weights or FLOAT32,
    )


class Lines:
    """
    The sentences of a file, as often as one goes through them; what comes from a pipe is kept in memory.

    # Parameters

    path : `str`

    # Raises

    `ValueError` where there is no such file.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._kept: Optional[List[str]] = None
        if path == STANDARD_INPUT:
            self._kept = [line.strip() for _, line in decoded_lines(sys.stdin.buffer, "standard input")]
        elif os.path.isdir(path):
            raise ValueError(
                f"{path} is a folder. Give a text of one tokenised sentence a line, or - for standard input."
            )
        elif not os.path.exists(path):
            raise ValueError(
                f"There is no file {path}. Give a text of one tokenised sentence a line, or - for standard input."
            )
        elif not os.path.isfile(path):  # Such as <(…) in a shell.
            self._kept = list(self._read())

    def __iter__(self) -> Iterator[str]:
        if self._kept is not None:
            return iter(self._kept)
        return self._read()

    def _read(self) -> Iterator[str]:
        return (line.strip() for _, line in numbered_lines(self.path))


class Bar:
    """A bar of words done, with the time left; begins where a stopped run had come to."""

    def __enter__(self) -> "Bar":
        self._bar = None
        return self

    def __call__(self, progress: Progress) -> None:
        if self._bar is None:
            self._bar = Tqdm.tqdm(total=progress.num_tokens, initial=progress.num_done, unit="words", unit_scale=True)
        self._bar.update(progress.num_done - self._bar.n)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
