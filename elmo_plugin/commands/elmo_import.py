"""The subcommand `elmo-import`: a biLM of another system as one of this."""

import argparse
import json
import shlex
from pathlib import Path
from typing import Any, Dict, List

from allennlp.commands.subcommand import Subcommand

from elmo_plugin.bilm.importing.imported import ImportedBilm
from elmo_plugin.bilm.importing.sources import SourceSettings, import_bilm
from elmo_plugin.bilm.sidecar import Sidecar
from elmo_plugin.commands.reporting import reported
from elmo_plugin.corpus.directories import check_replaceable
from elmo_plugin.models.archive_writing import write_archive
from elmo_plugin.models.exported_files import usage, write_files

ARCHIVE_SUFFIX = ".tar.gz"
# Characters of a word in training_configs.
DEFAULT_WIDTH = 50


@Subcommand.register("elmo-import")
class ElmoImport(Subcommand):
    """
    Registered as a `Subcommand` with name "elmo-import". It only parses: `bilm.importing.sources.import_bilm` does it.
    """

    requires_plugins: bool = False

    def add_subparser(self, parser: argparse._SubParsersAction) -> argparse.ArgumentParser:
        description = """Import a biLM: HDF5 files, a TensorFlow checkpoint of bilm-tf, a model of ELMoForManyLangs, or
            a zip of one. TensorFlow is not needed."""
        subparser = parser.add_parser(self.name, description=description, help="Import a biLM of another system.")
        subparser.add_argument(
            "source",
            metavar="SOURCE",
            help="folder or HDF5 file with options.json beside it; folder or any file of a TensorFlow checkpoint; "
            "folder of ELMoForManyLangs; zip of any of these, as vectors.nlpl.eu has them",
        )
        subparser.add_argument(
            "output",
            metavar="OUTPUT",
            help="a name that ends with .tar.gz for an archive of a language model, to evaluate and to train on; any "
            "other for a folder of the files that elmo-export writes, to embed with",
        )
        subparser.add_argument("--options-file", metavar="F", help="options.json, if not beside the weights")
        subparser.add_argument(
            "--vocabulary-file",
            metavar="F",
            help="words of the softmax, if not vocabulary.txt or vocab.txt beside the weights",
        )
        subparser.add_argument("--without-softmax", action="store_true", help="leave the softmax out")
        subparser.add_argument("-f", "--force", action="store_true", help="overwrite OUTPUT if it exists")
        subparser.set_defaults(func=import_from_args)
        return subparser


def import_from_args(args: argparse.Namespace) -> None:
    source, output = Path(args.source), Path(args.output)
    files = [None if name is None else Path(name) for name in (args.options_file, args.vocabulary_file)]
    with reported(output, "Nothing is left of it; make room, or choose another place, and import again."):
        check_output(source, output, args.force)
        # Where the result will be there is room for what a zip holds.
        output.absolute().parent.mkdir(parents=True, exist_ok=True)
        settings = SourceSettings(*files, with_softmax=not args.without_softmax)
        imported = import_bilm(source, settings, scratch=output.absolute().parent)
        if is_archive(output):
            write_archive(output, imported.bilm, imported.vocabulary, imported.softmax)
        else:
            sidecar = Sidecar(imported.softmax, imported.steady_state)
            write_files(output, imported.bilm, imported.vocabulary, sidecar, args.force)
    print("\n".join(report(imported, output)))


def is_archive(output: Path) -> bool:
    return output.name.endswith(ARCHIVE_SUFFIX)


def check_output(source: Path, output: Path, force: bool) -> None:
    """
    # Raises

    `ValueError` where the output is in the way, or would replace the source.
    """
    if source.exists() and (output.resolve() == source.resolve() or output.resolve() in source.resolve().parents):
        raise ValueError(f"{output} is the source or holds it, and would be replaced. Give the output another name.")
    if not is_archive(output):
        check_replaceable(output, force)
    elif output.is_dir():
        raise ValueError(f"{output}: expected an archive to write to, found a folder; give another name.")
    elif output.exists() and not force:
        raise ValueError(f"{output}: already exists. Use --force to overwrite it, or give another name.")


def report(imported: ImportedBilm, output: Path) -> List[str]:
    """What was imported, what was not, and what can be done with it."""
    lstm = imported.bilm.options.lstm
    sizes = f"{lstm.num_layers} layers, memory {lstm.cell_dim}, projection {lstm.projection_dim}"
    lines = [f"Read {imported.kind}: {sizes}."]
    lines += [f"Left out: {text}." for text in imported.left_out]
    if imported.softmax is not None:
        lines.append(f"Its softmax over {imported.softmax.num_words:,} words came along.")
    if not is_archive(output):
        if imported.softmax is None:
            lines.append("It has no softmax, so it embeds words but does not predict them.")
        return [*lines, f"Success! Imported biLM saved to {output}. {usage(output, imported.bilm.options)}"]
    if imported.steady_state is not None:
        lines.append(
            "Left out: its steady state, which archives of language models have no place for; elmo-export computes "
            "one anew."
        )
    if imported.softmax is None:
        num_words = "3 (no vocabulary was found)" if imported.vocabulary is None else f"{len(imported.vocabulary):,}"
        lines.append(
            f"It has no softmax. The archive holds a blank one over {num_words} words: `evaluate` gives their number "
            "as perplexity, whatever the text. training_configs/bilm_finetune.jsonnet builds a true one and trains it."
        )
    state = "" if imported.bilm.options.char_cnn is not None else " --state zero"
    return [
        *lines,
        f"Success! Imported biLM saved to {output}. Go on with any of:",
        *([f"  allennlp-elmo evaluate {shlex.quote(str(output))} TEXT"] if imported.softmax is not None else []),
        f"  allennlp-elmo elmo TEXT OUTPUT --all --archive {shlex.quote(str(output))}{state}",
        f"  allennlp-elmo elmo-export {shlex.quote(str(output))} DIR",
        f"  allennlp-elmo {shlex.join(finetuning(imported, output))}",
        "  (`allennlp-elmo elmo-prepare DOCUMENTS CORPUS --held-out 0.02` makes what it reads, of any text)",
    ]


def finetuning(imported: ImportedBilm, archive: Path) -> List[str]:
    """The command that goes on training an archive, on a corpus that `elmo-prepare` makes."""
    overrides: Dict[str, Any] = {
        "train_data_path": "CORPUS/train",
        "validation_data_path": "CORPUS/heldout",
        "vocabulary.file": "CORPUS/vocabulary.txt",
        "model.initializer": {"archive_file": str(archive)},
    }
    width = imported.bilm.options.max_characters
    if width != DEFAULT_WIDTH:
        overrides.update({f"{loader}.max_characters": width for loader in ("data_loader", "validation_data_loader")})
    return ["train", "training_configs/bilm_finetune.jsonnet", "-s", "DIR", "-o", json.dumps(overrides)]
