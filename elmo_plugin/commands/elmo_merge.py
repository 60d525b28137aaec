"""The subcommand `elmo-merge`: corpora that were prepared apart, put together."""

import argparse
from contextlib import closing
from pathlib import Path

from allennlp.commands.subcommand import Subcommand

from elmo_plugin.commands.corpus_commands import (
    ProgressBar,
    add_vocabulary_arguments,
    add_work_arguments,
    print_result,
    processes_of,
)
from elmo_plugin.commands.reporting import reported
from elmo_plugin.corpus.joining import merge_corpora
from elmo_plugin.corpus.settings import Settings
from elmo_plugin.corpus.work import Work


@Subcommand.register("elmo-merge")
class ElmoMerge(Subcommand):
    """
    Registered as a `Subcommand` with name "elmo-merge". It only parses: `corpus.joining.merge_corpora` does it.
    """

    requires_plugins: bool = False

    def add_subparser(self, parser: argparse._SubParsersAction) -> argparse.ArgumentParser:
        description = """Put corpora together that elmo-prepare made apart, on several machines say."""
        subparser = parser.add_parser(self.name, description=description, help=description)
        subparser.add_argument(
            "corpora", metavar="CORPUS", nargs="+", help="directories that elmo-prepare or elmo-merge wrote"
        )
        subparser.add_argument("output_dir", metavar="OUTDIR", help="directory to write the whole corpus to")
        add_vocabulary_arguments(subparser)
        add_work_arguments(subparser)
        subparser.set_defaults(func=merge_from_args)
        return subparser


def merge_from_args(args: argparse.Namespace) -> None:
    output = Path(args.output_dir)
    with reported(output, "Nothing is left of it; merge again."), closing(ProgressBar()) as progress:
        settings = Settings(min_count=args.min_count, max_size=args.max_size, max_characters=args.max_characters)
        work = Work(force=args.force, processes=processes_of(args), progress=progress)
        description = merge_corpora(args.corpora, output, settings, work)
    print_result(output, description)
