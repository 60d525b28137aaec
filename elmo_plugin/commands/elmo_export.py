"""The subcommand `elmo-export`: a trained language model as the files that every ELMo system reads."""

import argparse
from pathlib import Path
from typing import NamedTuple, Optional

from allennlp.commands.subcommand import Subcommand
from allennlp.common.checks import ConfigurationError

from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.sidecar import Sidecar
from elmo_plugin.commands.reporting import reported
from elmo_plugin.corpus.directories import check_replaceable
from elmo_plugin.data.vocabulary import word_vocabulary
from elmo_plugin.models.archived_bilm import open_archive, steady_state_from_text
from elmo_plugin.models.exported_files import usage, write_files
from elmo_plugin.models.language_model import BidirectionalLanguageModel


@Subcommand.register("elmo-export")
class ElmoExport(Subcommand):
    """Registered as a `Subcommand` with name "elmo-export"."""

    requires_plugins: bool = False

    def add_subparser(self, parser: argparse._SubParsersAction) -> argparse.ArgumentParser:
        description = """Export a trained biLM: options.json, weights.hdf5, vocabulary.txt and sidecar.hdf5."""
        subparser = parser.add_parser(self.name, description=description, help=description)
        subparser.add_argument("archive", metavar="ARCHIVE", help="model.tar.gz of a language model, or its directory")
        subparser.add_argument("output_dir", metavar="DIR", help="directory to write the files to")
        subparser.add_argument(
            "--text",
            metavar="FILE",
            help="tokenised text, a sentence a line, of which the steady state is computed; without it, the held-out "
            "text that the model was trained with, where that is still there",
        )
        subparser.add_argument("-f", "--force", action="store_true", help="overwrite DIR if it exists")
        subparser.set_defaults(func=export_from_args)
        return subparser


def export_from_args(args: argparse.Namespace) -> None:
    output = Path(args.output_dir)
    with reported(output, "Nothing is left of it; make room, or choose another place, and export again."):
        check_replaceable(output, args.force)
        exported = export(args.archive, output, text=args.text, force=args.force)
    if exported.has_softmax:
        softmax = ""
    else:
        softmax = "It has no softmax: the archive was imported without one and not trained since.\n"
    print(f"{exported.state}\n{softmax}Success! Exported biLM saved to {output}. {usage(output, exported.options)}")


class Exported(NamedTuple):
    """
    options : of the model.
    state : a sentence on its steady state.
    has_softmax : whether the sidecar holds a softmax.
    """

    options: BilmOptions
    state: str
    has_softmax: bool


def export(archive_file: str, output: Path, text: Optional[str] = None, force: bool = False) -> Exported:
    """
    Writes the files of a trained language model, all of them or none.

    # Parameters

    archive_file : `str`
    output : `Path`
    text : `str`, optional
        What to compute the steady state from; see the flag.
    force : `bool`
        Whether `output` may be replaced.

    # Raises

    `ConfigurationError` where the archive holds another model, `ValueError` where `output` is in the way.
    """
    archive = open_archive(archive_file)
    model = archive.model
    if not isinstance(model, BidirectionalLanguageModel):
        raise ConfigurationError(
            f"{archive_file} holds a {type(model).__name__}; expected a language model, as "
            f"training_configs/bilm.jsonnet trains it."
        )
    bilm, softmax = model.language_model.bilm, model.language_model.softmax
    state, source = steady_state_from_text(archive, bilm, text)
    sidecar = Sidecar(None if softmax.is_blank() else softmax, state)
    write_files(output, bilm, word_vocabulary(model.vocab), sidecar, force)
    if state is None:
        sentence = "It has no steady state, which is computed for biLMs that read characters only."
    else:
        sentence = f"The steady state was computed from {source}."
    return Exported(bilm.options, sentence, sidecar.softmax is not None)
