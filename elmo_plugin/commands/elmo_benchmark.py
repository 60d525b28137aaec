"""The subcommand `elmo-benchmark`: how fast the biLM is here, beside AllenNLP's."""

import argparse
import json
import logging
from typing import Callable, Dict, Iterator, List

import torch
from allennlp.commands.subcommand import Subcommand
from allennlp.common.checks import ConfigurationError

from elmo_plugin.benchmark import inference, training
from elmo_plugin.benchmark.contest import contest
from elmo_plugin.benchmark.machine import measure_machine
from elmo_plugin.benchmark.report import Case, rows, table
from elmo_plugin.benchmark.shapes import SIZES, encoder_operations, lstm_operations, options_of_size
from elmo_plugin.benchmark.text import generate_sentences
from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.whole_file import write_whole

logger = logging.getLogger(__name__)

# Words of the vocabulary, and of the sample, in the training cases.
NUM_WORDS = 33_000
NUM_SAMPLES = {"small": 1024, "medium": 4096, "original": 8192}
CASES = ("inference", "single", "bulk", "training")


@Subcommand.register("elmo-benchmark")
class ElmoBenchmark(Subcommand):
    """
    Registered as a `Subcommand` with name "elmo-benchmark". Contenders work on the same generated text, in turns.
    """

    requires_plugins: bool = False

    def add_subparser(self, parser: argparse._SubParsersAction) -> argparse.ArgumentParser:
        description = """Measure the biLM on this machine, beside AllenNLP's parts and the machine's own limits."""
        subparser = parser.add_parser(self.name, description=description, help=description)
        subparser.add_argument("--sizes", nargs="+", choices=SIZES, default=["small"], help="of the model")
        subparser.add_argument(
            "--cases",
            nargs="+",
            choices=CASES,
            default=["inference", "single", "training"],
            help="inference: a batch of sentences, with no word known and with all known; single: sentences one at a "
            "time; bulk: a large batch sorted by length; training: a step of 20 words for each row",
        )
        subparser.add_argument("--batch-size", type=int, default=32, metavar="N", help="sentences, or rows in training")
        subparser.add_argument("--bulk-size", type=int, default=256, metavar="N", help="sentences of the case bulk")
        subparser.add_argument(
            "--alone",
            action="store_true",
            help="leave AllenNLP out, which takes most of the time; then no ratio is to it",
        )
        subparser.add_argument(
            "--rounds", type=int, default=5, metavar="N", help="how often each contender takes its turn"
        )
        subparser.add_argument("--threads", type=int, metavar="N", help="of torch (default = what torch takes)")
        subparser.add_argument("--cuda-device", type=int, default=-1, metavar="N", help="a GPU; -1 for the CPU")
        subparser.add_argument("--json", metavar="FILE", help="write the numbers there too")
        subparser.set_defaults(func=benchmark_from_args)
        return subparser


def benchmark_from_args(args: argparse.Namespace) -> None:
    for name in ("batch_size", "bulk_size", "rounds", "threads"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise ConfigurationError(f"--{name.replace('_', '-')} must be 1 or more, but it is {value}.")
    if args.cuda_device >= 0 and not torch.cuda.is_available():
        raise ConfigurationError(f"--cuda-device is {args.cuda_device}, but torch finds no GPU here; -1 takes the CPU.")
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    device = torch.device("cpu" if args.cuda_device < 0 else f"cuda:{args.cuda_device}")
    machine = measure_machine(device)
    cases: List[Case] = []
    for size in args.sizes:
        for case in _cases(size, args, device):
            cases.append(case)
            logger.info("%s: done", case.title)
    print(table(cases, machine))
    if args.json is not None:
        all_rows = [row for case in cases for row in rows(case, machine)]
        content = {"machine": machine._asdict(), "torch": torch.__version__, "rows": all_rows}
        write_whole(args.json, json.dumps(content, indent=2) + "\n")


def _cases(size: str, args: argparse.Namespace, device: torch.device) -> Iterator[Case]:
    options = options_of_size(size, NUM_WORDS)
    if set(args.cases) & {"inference", "single", "bulk"}:
        yield from _inference_cases(size, options, args, device)
    if "training" in args.cases:
        yield _training_case(size, options, args, device)


def _inference_cases(size: str, options: BilmOptions, args: argparse.Namespace, device: torch.device) -> Iterator[Case]:
    shapes = {
        "inference": ("{} sentences", args.batch_size),
        "single": ("one sentence at a time", 1),
        "bulk": ("{} sentences by length", args.bulk_size),
    }
    largest = max(shapes[name][1] for name in args.cases if name in shapes)
    sentences = generate_sentences(args.rounds * largest)
    contenders = inference.readers(options, device, sentences)
    errors = inference.errors(contenders, sentences[:8])
    baseline = _baseline(contenders, inference.OURS, inference.THEIRS, args.alone)
    for name, (title, number) in shapes.items():
        if name not in args.cases:
            continue
        batches = [sentences[begin : begin + number] for begin in range(0, args.rounds * number, number)]
        if name == "bulk":
            batches = _by_length(sentences, number)
        times = contest(contenders, batches, device, with_peaks=name == "bulk")
        tokens = [sum(map(len, batch)) for batch in batches]
        words = [len({word for sentence in batch for word in sentence}) for batch in batches]
        operations = {
            contender: _operations(options, tokens, words, knows=contender == inference.CACHED) for contender in times
        }
        yield Case(f"{size}, {title.format(number)}", tokens, operations, times, baseline, errors)


def _operations(options: BilmOptions, tokens: List[int], words: List[int], knows: bool) -> List[float]:
    """Of the products that batches of so many tokens and distinct words need; `knows`: the words, all of them."""
    of_word = 0 if knows else encoder_operations(options)
    return [lstm_operations(options) * num_tokens + of_word * num for num_tokens, num in zip(tokens, words)]


def _baseline(contenders: Dict[str, Callable], ours: str, theirs: str, alone: bool) -> str:
    """What the others are compared with. Takes AllenNLP out of the contenders where they are to be alone."""
    if not alone:
        return theirs
    del contenders[theirs]
    return ours


def _by_length(sentences: List[List[str]], number: int) -> List[List[List[str]]]:
    """Batches as bulk work has them, of every length."""
    ordered = sorted(sentences, key=len)
    return [ordered[begin : begin + number] for begin in range(0, len(ordered), number)]


def _training_case(size: str, options: BilmOptions, args: argparse.Namespace, device: torch.device) -> Case:
    num_steps = 20
    windows = training.steps(options, args.batch_size, num_steps, args.rounds, device)
    contenders: Dict[str, Callable] = training.trainers(options, NUM_SAMPLES[size], device)
    baseline = _baseline(contenders, training.OURS, training.THEIRS, args.alone)
    if args.alone:
        contenders.pop(training.THEIRS_KEPT, None)
    times = contest(contenders, windows, device, settings=training.settings(device))
    title = f"{size}, training, {args.batch_size} x {num_steps}, {NUM_WORDS:,} words, {NUM_SAMPLES[size]:,} samples"
    tokens = [args.batch_size * num_steps] * args.rounds
    words = [len(window.types) for window in windows]
    operations = [3 * number for number in _operations(options, tokens, words, knows=False)]
    return Case(title, tokens, {name: operations for name in times}, times, baseline)
