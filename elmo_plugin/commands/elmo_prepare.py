"""The subcommand `elmo-prepare`: documents to a corpus that the biLM trains on."""

import argparse
import json
import logging
import shlex
from contextlib import closing
from pathlib import Path
from typing import Any, Dict, Optional

import tqdm
from allennlp.commands.subcommand import Subcommand
from allennlp.common.tqdm import Tqdm
from allennlp.common.util import SigTermReceived

from elmo_plugin.commands.reporting import reported
from elmo_plugin.corpus.directories import unfinished_directory
from elmo_plugin.corpus.prepare import prepare_corpus, prepare_vocabulary
from elmo_plugin.corpus.prepared import HELD_OUT, TRAIN, has_shards
from elmo_plugin.corpus.processes import usable_cores
from elmo_plugin.corpus.settings import NORMAL_FORMS, PARAGRAPHS, SEGMENTERS, Settings, default_segmenter
from elmo_plugin.corpus.work import ENGINES, Progress, Work

logger = logging.getLogger(__name__)

DEFAULTS = Settings()

# The configurations in training_configs, and the numbers of tokens that they are not too large for.
SIZES = ((3e6, "tiny"), (1e8, "small"), (4e8, "medium"), (float("inf"), "original"))
# The most words that one of them draws for its sampled softmax; a smaller vocabulary takes the full one.
MAX_SAMPLES = 8192
# Where they say how wide a word is.
CHARACTER_WIDTHS = (
    "model.options.char_cnn.max_characters_per_token",
    "data_loader.max_characters",
    "validation_data_loader.max_characters",
)


@Subcommand.register("elmo-prepare")
class ElmoPrepare(Subcommand):
    """
    Registered as a `Subcommand` with name "elmo-prepare". It only parses: `corpus.prepare.prepare_corpus` does it.
    """

    requires_plugins: bool = False

    def add_subparser(self, parser: argparse._SubParsersAction) -> argparse.ArgumentParser:
        description = """Prepare documents for training a biLM: sentences, tokens, shards, vocabulary and ids."""
        subparser = parser.add_parser(self.name, description=description, help=description)
        subparser.add_argument(
            "inputs",
            metavar="INPUT",
            nargs="+",
            help="files of UTF-8 text (.gz, .xz and .zst too), directories of them, globs, or - for standard input",
        )
        subparser.add_argument("output_dir", metavar="OUTDIR", help="directory to write the prepared corpus to")
        _add_text_arguments(subparser)
        _add_corpus_arguments(subparser)
        subparser.set_defaults(func=prepare_from_args)
        return subparser


def _add_text_arguments(subparser: argparse.ArgumentParser) -> None:
    subparser.add_argument("--language", default=DEFAULTS.language, help="language of the text, a spaCy code")
    subparser.add_argument(
        "--segmenter",
        choices=SEGMENTERS,
        help="what finds the words: spaCy's blank pipeline, a dictionary of Chinese, one token per ideograph, or white "
        "space where the text is already tokenised (default = jieba for Chinese, else spacy)",
    )
    subparser.add_argument("--presplit", action="store_true", help="each line already is one sentence")
    subparser.add_argument(
        "--paragraphs",
        choices=PARAGRAPHS,
        default=DEFAULTS.paragraphs,
        help="what separates paragraphs, which no sentence crosses: blank lines (wrapped text) or the end of every "
        "line; no effect with --presplit",
    )
    form = subparser.add_mutually_exclusive_group()
    form.add_argument(
        "--json-field",
        metavar="NAME",
        help="the input is JSON lines (.jsonl, .ndjson, .json); the text is in this field",
    )
    form.add_argument(
        "--id-vocabulary",
        metavar="FILE",
        help="the input is lines of ids, `token_ids;...`; the file's line numbers are the ids. The words are taken as "
        "they are, --segmenter and --presplit do not matter",
    )
    subparser.add_argument(
        "--normal-form",
        choices=NORMAL_FORMS,
        help="bring text into this Unicode normal form instead of keeping it as it is",
    )
    subparser.add_argument(
        "--strict", action="store_true", help="stop at the first line that cannot be used, instead of skipping it"
    )


def _add_corpus_arguments(subparser: argparse.ArgumentParser) -> None:
    subparser.add_argument(
        "--held-out",
        type=float,
        metavar="FRACTION",
        default=DEFAULTS.held_out,
        help="fraction of the sentences kept out of training",
    )
    subparser.add_argument(
        "--vocabulary-only",
        action="store_true",
        help="count the words of the whole text and write the vocabulary, no sentences",
    )
    subparser.add_argument(
        "--shards", type=int, metavar="N", help="number of training shards; without it, one for each 5M tokens"
    )
    add_vocabulary_arguments(subparser)
    subparser.add_argument(
        "--seed", type=int, metavar="N", default=DEFAULTS.seed, help="decides split and order"
    )
    subparser.add_argument(
        "--processes",
        type=int,
        metavar="N",
        help="processes to use (default = one for each core); no effect on the result",
    )
    subparser.add_argument(
        "--engine",
        choices=ENGINES,
        default="processes",
        help="what works: processes of this machine, or a Ray cluster; no effect on the result",
    )
    subparser.add_argument(
        "--ray-address",
        metavar="HOST:PORT",
        help="of a running Ray cluster, auto for that of this machine (default = a new one of --processes processors)",
    )
    subparser.add_argument("-f", "--force", action="store_true", help="overwrite OUTDIR if it exists")


def add_vocabulary_arguments(subparser: argparse.ArgumentParser) -> None:
    """What is decided once all types are counted."""
    subparser.add_argument(
        "--min-count",
        type=int,
        metavar="N",
        default=DEFAULTS.min_count,
        help="leave words seen less often out of the vocabulary",
    )
    subparser.add_argument(
        "--max-size", type=int, metavar="N", help="largest size of the vocabulary, special tokens included"
    )
    subparser.add_argument(
        "--max-characters",
        type=int,
        metavar="N",
        default=DEFAULTS.max_characters,
        help="character width of the model, to count the tokens it will cut",
    )


def prepare_from_args(args: argparse.Namespace) -> None:
    output = Path(args.output_dir)
    prepare = prepare_vocabulary if args.vocabulary_only else prepare_corpus
    try:
        with reported(output, _how_to_go_on(output)), closing(ProgressBar()) as progress:
            description = prepare(args.inputs, output, settings_from_args(args), work_from_args(args, progress))
    except (KeyboardInterrupt, SigTermReceived):
        logger.error("Interrupted. %s", _how_to_go_on(output))
        raise
    print_result(output, description)


def _how_to_go_on(output: Path) -> str:
    return f"The same command goes on from here; to start anew, remove {unfinished_directory(output)} first."


def print_result(output: Path, description: Dict[str, Any]) -> None:
    """The counts, and what to do next."""
    print(summary(description))
    if has_shards(description):
        print(f"Success! Prepared corpus saved to {output}. In the project's root, train on it with:")
        print(train_command(output, description))
    else:
        print(f"Success! Vocabulary saved to {output}. Set the `vocabulary` entry of your configuration to:")
        print(json.dumps({"type": "elmo_word_file", "file": str(output / "vocabulary.txt")}))


def work_from_args(args: argparse.Namespace, progress: Progress) -> Work:
    if args.ray_address is not None and args.processes is not None:
        raise ValueError("processes: a running Ray cluster has its own number of processors; leave --processes out.")
    return Work(
        strict=args.strict,
        force=args.force,
        processes=usable_cores() if args.processes is None else args.processes,
        engine=args.engine,
        ray_address=args.ray_address,
        progress=progress,
    )


def settings_from_args(args: argparse.Namespace) -> Settings:
    is_ids = args.id_vocabulary is not None
    segmenter = default_segmenter(args.language) if args.segmenter is None else args.segmenter
    return Settings(
        language=args.language,
        segmenter="whitespace" if is_ids else segmenter,
        presplit=is_ids or args.presplit,
        paragraphs=args.paragraphs,
        json_field=args.json_field,
        id_vocabulary=args.id_vocabulary,
        normal_form=args.normal_form,
        held_out=args.held_out,
        shards=args.shards,
        min_count=args.min_count,
        max_size=args.max_size,
        max_characters=args.max_characters,
        seed=args.seed,
    )


class ProgressBar(Progress):
    """A bar on the terminal for each stage, with speed and time left."""

    def __init__(self) -> None:
        self._bar: Optional[tqdm.tqdm] = None

    def begin(self, title: str, total: Optional[int], unit: str) -> None:
        self._bar = Tqdm.tqdm(total=total, desc=title, unit=unit, unit_scale=unit == "B")

    def reach(self, done: int) -> None:
        self._bar.update(done - self._bar.n)

    def end(self) -> None:
        self._bar.close()

    def close(self) -> None:
        """Ends the line of a bar that an error has stopped; closing it twice does nothing."""
        if self._bar is not None:
            self._bar.close()


def summary(description: Dict[str, Any]) -> str:
    """The counts of `corpus.json` that one wants to see at once."""
    lines = [
        f"{numbered(description['sentences'], 'sentence')}, {numbered(description['tokens'], 'token')}, "
        f"{numbered(description['types'], 'type')}; vocabulary of {description['vocabulary_size']:,}"
    ]
    for name, split in description["splits"].items():
        shards = f" in {numbered(split['shards'], 'shard')}" if split["shards"] > 0 else ""
        lines.append(
            f"{name}: {numbered(split['sentences'], 'sentence')}, {numbered(split['tokens'], 'token')}{shards}; "
            f"{split['out_of_vocabulary_rate']:.2%} out of vocabulary, "
            f"{numbered(split['tokens_cut_at_character_width'], 'token')} longer than the character width"
        )
    met = {name: count for name, count in description["oddities"].items() if count > 0}
    if met:
        lines.append("met on the way: " + ", ".join(f"{name.replace('_', ' ')}: {n:,}" for name, n in met.items()))
    return "\n".join(lines)


def numbered(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def train_command(output: Path, description: Dict[str, Any]) -> str:
    """The command that trains a biLM on the prepared corpus, as one would type it in the project's root."""
    overrides: Dict[str, Any] = {
        "train_data_path": str(output / TRAIN),
        "vocabulary.file": str(output / "vocabulary.txt"),
    }
    # Without text held out there is no validation; the configuration's own text would be of another vocabulary.
    overrides["validation_data_path"] = str(output / HELD_OUT) if HELD_OUT in description["splits"] else None
    if description["vocabulary_size"] <= MAX_SAMPLES:
        overrides["model.num_samples"] = None
    max_characters = description["settings"]["max_characters"]
    if max_characters != DEFAULTS.max_characters:
        overrides.update(dict.fromkeys(CHARACTER_WIDTHS, max_characters))
    size = next(size for num_tokens, size in SIZES if description["tokens"] <= num_tokens)
    config = f"training_configs/bilm_{size}.jsonnet"
    return shlex.join(["allennlp-elmo", "train", config, "-s", f"{output}-bilm", "-o", json.dumps(overrides)])
