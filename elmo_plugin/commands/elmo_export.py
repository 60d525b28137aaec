"""The subcommand `elmo-export`: a trained language model as the files that every ELMo system reads."""

import argparse
import json
import os
from pathlib import Path
from typing import Dict, Optional

from allennlp.commands.subcommand import Subcommand
from allennlp.common.checks import ConfigurationError
from allennlp.models.archival import load_archive

from elmo_plugin.bilm.sidecar import FILE_NAME, Sidecar, save_sidecar
from elmo_plugin.bilm.weights import save_weights
from elmo_plugin.corpus.directories import check_replaceable, whole_directory
from elmo_plugin.data.vocabulary import word_vocabulary
from elmo_plugin.models.archived_bilm import steady_state_from_text
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
            help="tokenised text, a sentence a line, of which the steady state is computed; without it, the held-out text "
            "that the model was trained with, where that is still there",
        )
        subparser.add_argument("-f", "--force", action="store_true", help="overwrite DIR if it exists")
        subparser.set_defaults(func=export_from_args)
        return subparser


def export_from_args(args: argparse.Namespace) -> None:
    output = Path(args.output_dir)
    try:
        check_replaceable(output, args.force)
        state_source = export(args.archive, output, text=args.text, force=args.force)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    print(f"The steady state was computed from {state_source}.")
    print(f"Success! Exported biLM saved to {output}. Use it as an embedder with:")
    print(json.dumps(embedder_config(output), indent=2))
    print('and the indexer {"type": "elmo_character_ids"}; training_configs/ner_with_elmo.jsonnet is a whole example.')


def export(archive_file: str, output: Path, text: Optional[str] = None, force: bool = False) -> str:
    """
    Writes the files of a trained language model, all of them or none.

    # Parameters

    archive_file : `str`
    output : `Path`
    text : `str`, optional
        What to compute the steady state from; see the flag.
    force : `bool`
        Whether `output` may be replaced.

    # Returns

    What the steady state was computed from.

    # Raises

    `ConfigurationError` where the archive holds another model, `ValueError` where `output` is in the way.
    """
    archive = load_archive(archive_file)
    model = archive.model
    if not isinstance(model, BidirectionalLanguageModel):
        raise ConfigurationError(
            f"{archive_file} holds a {type(model).__name__}; expected a language model, as "
            f"training_configs/bilm.jsonnet trains it."
        )
    bilm = model.language_model.bilm
    state, source = steady_state_from_text(archive, bilm, text)
    with whole_directory(output, force) as directory:
        options = json.dumps(bilm.options.to_dict(), indent=2) + "\n"
        (directory / "options.json").write_text(options, encoding="utf-8")
        save_weights(bilm, directory / "weights.hdf5")
        word_vocabulary(model.vocab).to_file(directory / "vocabulary.txt")
        save_sidecar(directory / FILE_NAME, Sidecar(model.language_model.softmax, state))
    return source


def embedder_config(directory: Path) -> Dict[str, str]:
    """What stands in a configuration's `token_embedders`."""
    return {
        "type": "elmo",
        "options_file": os.path.join(directory, "options.json"),
        "weight_file": os.path.join(directory, "weights.hdf5"),
    }
