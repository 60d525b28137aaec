"""The subcommand `elmo-prepare`: documents to a corpus that the biLM trains on."""

import argparse
import logging
from contextlib import closing
from pathlib import Path

from allennlp.commands.subcommand import Subcommand
from allennlp.common.util import SigTermReceived

from elmo_plugin.commands.corpus_commands import (
    DEFAULTS,
    ProgressBar,
    add_vocabulary_arguments,
    add_work_arguments,
    print_result,
    processes_of,
)
from elmo_plugin.commands.reporting import reported
from elmo_plugin.corpus.directories import unfinished_directory
from elmo_plugin.corpus.prepare import prepare_corpus, prepare_vocabulary
from elmo_plugin.corpus.settings import NORMAL_FORMS, PARAGRAPHS, SEGMENTERS, Settings, default_segmenter
from elmo_plugin.corpus.work import ENGINES, Progress, Work

logger = logging.getLogger(__name__)


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
    add_work_arguments(subparser)


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


def work_from_args(args: argparse.Namespace, progress: Progress) -> Work:
    if args.ray_address is not None and args.processes is not None:
        raise ValueError("processes: a running Ray cluster has its own number of processors; leave --processes out.")
    return Work(
        strict=args.strict,
        force=args.force,
        processes=processes_of(args),
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
