"""What `elmo-prepare` and `elmo-merge` share: flags, a bar for each stage, and what they say in the end."""

import argparse
import json
import shlex
from pathlib import Path
from typing import Any, Dict, Optional

import tqdm
from allennlp.common.tqdm import Tqdm

from elmo_plugin.corpus.prepared import HELD_OUT, TRAIN, has_shards
from elmo_plugin.corpus.processes import usable_cores
from elmo_plugin.corpus.settings import Settings
from elmo_plugin.corpus.work import Progress
from elmo_plugin.counted import counted

DEFAULTS = Settings()

# Where the project has its configurations; the sizes there are, and the numbers of tokens they are not too large for.
CONFIGURATIONS = "training_configs"
SIZES = ((3e6, "tiny"), (1e8, "small"), (4e8, "medium"), (float("inf"), "original"))
# The most words that one of them draws for its sampled softmax; a smaller vocabulary takes the full one.
MAX_SAMPLES = 8192
# Where they say how wide a word is.
CHARACTER_WIDTHS = (
    "model.options.char_cnn.max_characters_per_token",
    "data_loader.max_characters",
    "validation_data_loader.max_characters",
)


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


def add_work_arguments(subparser: argparse.ArgumentParser) -> None:
    """How it is done."""
    subparser.add_argument(
        "--processes",
        type=int,
        metavar="N",
        help="processes to use (default = one for each core); no effect on the result",
    )
    subparser.add_argument("-f", "--force", action="store_true", help="overwrite OUTDIR if it exists")


def processes_of(args: argparse.Namespace) -> int:
    return usable_cores() if args.processes is None else args.processes


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


def print_result(output: Path, description: Dict[str, Any]) -> None:
    """The counts, and what to do next."""
    print(summary(description))
    if not Path(CONFIGURATIONS).is_dir():
        # This is not the project's root, from where the path would lead to something else.
        output = output.absolute()
    if has_shards(description):
        print(f"Success! Prepared corpus saved to {output}. In the project's root, train on it with:")
        print(train_command(output, description))
    else:
        print(f"Success! Vocabulary saved to {output}. Set the `vocabulary` entry of your configuration to:")
        print(json.dumps({"type": "elmo_word_file", "file": str(output / "vocabulary.txt")}))


def summary(description: Dict[str, Any]) -> str:
    """The counts of `corpus.json` that one wants to see at once."""
    lines = [
        f"{counted(description['sentences'], 'sentence')}, {counted(description['tokens'], 'token')}, "
        f"{counted(description['types'], 'type')}; vocabulary of {description['vocabulary_size']:,}"
    ]
    for name, split in description["splits"].items():
        shards = f" in {counted(split['shards'], 'shard')}" if split["shards"] > 0 else ""
        lines.append(
            f"{name}: {counted(split['sentences'], 'sentence')}, {counted(split['tokens'], 'token')}{shards}; "
            f"{split['out_of_vocabulary_rate']:.2%} out of vocabulary, "
            f"{counted(split['tokens_cut_at_character_width'], 'token')} longer than the character width"
        )
    met = {name: count for name, count in description["oddities"].items() if count > 0}
    if met:
        lines.append("met on the way: " + ", ".join(f"{name.replace('_', ' ')}: {n:,}" for name, n in met.items()))
    return "\n".join(lines)


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
    config = f"{CONFIGURATIONS}/bilm_{size}.jsonnet"
    return shlex.join(["allennlp-elmo", "train", config, "-s", f"{output}-bilm", "-o", json.dumps(overrides)])
