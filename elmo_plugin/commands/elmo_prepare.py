"""The subcommand `elmo-prepare`: documents to a corpus that the biLM trains on."""

import argparse
import json
import shlex
from pathlib import Path
from typing import Any, Dict

from allennlp.commands.subcommand import Subcommand
from allennlp.common.checks import ConfigurationError

from elmo_plugin.corpus.prepare import prepare_corpus
from elmo_plugin.corpus.prepared import HELD_OUT, TRAIN
from elmo_plugin.corpus.settings import PARAGRAPHS, SEGMENTERS, Settings

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
            help="files of UTF-8 text (.gz and .xz too), directories of .txt files, globs, or - for standard input",
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
        default=DEFAULTS.segmenter,
        help="what finds the words: spaCy's blank pipeline, one token per ideograph, or white space where the text is "
        "already tokenised",
    )
    subparser.add_argument("--presplit", action="store_true", help="each line already is one sentence")
    subparser.add_argument(
        "--paragraphs",
        choices=PARAGRAPHS,
        default=DEFAULTS.paragraphs,
        help="what separates paragraphs, which no sentence crosses: blank lines (wrapped text) or the end of every "
        "line; no effect with --presplit",
    )
    subparser.add_argument("--strict", action="store_true", help="stop at the first line that is not UTF-8")


def _add_corpus_arguments(subparser: argparse.ArgumentParser) -> None:
    subparser.add_argument(
        "--held-out",
        type=float,
        metavar="FRACTION",
        default=DEFAULTS.held_out,
        help="fraction of the sentences kept out of training",
    )
    subparser.add_argument(
        "--shards", type=int, metavar="N", help="number of training shards; without it, one for each 5M tokens"
    )
    subparser.add_argument(
        "--min-count",
        type=int,
        metavar="N",
        default=DEFAULTS.min_count,
        help="leave words seen less often out of the vocabulary",
    )
    subparser.add_argument("--max-size", type=int, metavar="N", help="largest size of the vocabulary, special tokens included")
    subparser.add_argument(
        "--max-characters",
        type=int,
        metavar="N",
        default=DEFAULTS.max_characters,
        help="character width of the model, to count the tokens it will cut",
    )
    subparser.add_argument(
        "--seed", type=int, metavar="N", default=DEFAULTS.seed, help="decides split and order"
    )
    subparser.add_argument("-f", "--force", action="store_true", help="overwrite OUTDIR if it exists")


def prepare_from_args(args: argparse.Namespace) -> None:
    output = Path(args.output_dir)
    try:
        settings = Settings(
            language=args.language,
            segmenter=args.segmenter,
            presplit=args.presplit,
            paragraphs=args.paragraphs,
            held_out=args.held_out,
            shards=args.shards,
            min_count=args.min_count,
            max_size=args.max_size,
            max_characters=args.max_characters,
            seed=args.seed,
        )
        description = prepare_corpus(args.inputs, output, settings, strict=args.strict, force=args.force)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    print(summary(description))
    print(f"Success! Prepared corpus saved to {output}. Train on it with:")
    print(train_command(output, description))


def summary(description: Dict[str, Any]) -> str:
    """The counts of `corpus.json` that one wants to see at once."""
    lines = [f"{description['sentences']:,} sentences, {description['tokens']:,} tokens, {description['types']:,} types; "
             f"vocabulary of {description['vocabulary_size']:,}"]
    for name, split in description["splits"].items():
        lines.append(
            f"{name}: {split['sentences']:,} sentences, {split['tokens']:,} tokens in {split['shards']} shard(s); "
            f"{split['out_of_vocabulary_rate']:.2%} out of vocabulary, "
            f"{split['tokens_cut_at_character_width']:,} tokens longer than the character width"
        )
    met = {name: count for name, count in description["oddities"].items() if count > 0}
    if met:
        lines.append("met on the way: " + ", ".join(f"{name.replace('_', ' ')}: {n:,}" for name, n in met.items()))
    return "\n".join(lines)


def train_command(output: Path, description: Dict[str, Any]) -> str:
    """The command that trains a biLM on the prepared corpus, as one would type it in the project's root."""
    overrides: Dict[str, Any] = {
        "train_data_path": str(output / TRAIN / "*.txt"),
        "vocabulary.file": str(output / "vocabulary.txt"),
    }
    if HELD_OUT in description["splits"]:
        overrides["validation_data_path"] = str(output / HELD_OUT / "*.txt")
    if description["vocabulary_size"] <= MAX_SAMPLES:
        overrides["model.num_samples"] = None
    max_characters = description["settings"]["max_characters"]
    if max_characters != DEFAULTS.max_characters:
        overrides.update(dict.fromkeys(CHARACTER_WIDTHS, max_characters))
    size = next(size for num_tokens, size in SIZES if description["tokens"] <= num_tokens)
    config = f"training_configs/bilm_{size}.jsonnet"
    return shlex.join(["allennlp", "train", config, "-s", f"{output}-bilm", "-o", json.dumps(overrides)])
