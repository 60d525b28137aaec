"""The subcommand `elmo-text`: the sentences that a training would read."""

import argparse
import json
from pathlib import Path
from typing import Any, Iterator, List, Tuple

from allennlp.commands.subcommand import Subcommand
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader, Instance
from allennlp.data.fields import TextField

from elmo_plugin.bilm.whole_file import whole_file

_PATHS = ("train_data_path", "validation_data_path", "test_data_path")


@Subcommand.register("elmo-text")
class ElmoText(Subcommand):
    """
    Registered as a `Subcommand` with name "elmo-text". Writes what the dataset readers of a configuration make of its
    files, without the labels, a sentence a line: a text to fine-tune a biLM on, or to write a store of vectors for.
    """

    def add_subparser(self, parser: argparse._SubParsersAction) -> argparse.ArgumentParser:
        description = """Write the sentences that a training would read, without labels, each distinct one once."""
        subparser = parser.add_parser(self.name, description=description, help=description)
        subparser.add_argument("config", metavar="CONFIG", help="configuration file of a training")
        subparser.add_argument("output", metavar="FILE", help="tokens with a space between them, a sentence a line")
        subparser.add_argument(
            "-o", "--overrides", metavar="JSON", default="", help="of the configuration, as in `allennlp train`"
        )
        subparser.add_argument(
            "--only-train", action="store_true", help="leave out what the training is measured on: to fine-tune a biLM"
        )
        subparser.add_argument("-f", "--force", action="store_true", help="overwrite FILE if it exists")
        subparser.set_defaults(func=text_from_args)
        return subparser


def text_from_args(args: argparse.Namespace) -> None:
    output = Path(args.output)
    if output.exists() and not args.force:
        raise ConfigurationError(f"{output}: already exists. Use --force to overwrite it, or give another name.")
    params = Params.from_file(args.config, args.overrides)
    num_sentences = num_tokens = 0
    with whole_file(output) as partial, open(partial, "w", encoding="utf-8", newline="\n") as file:
        for sentence in distinct_sentences(params, _PATHS[:1] if args.only_train else _PATHS):
            file.write(" ".join(sentence) + "\n")
            num_sentences += 1
            num_tokens += len(sentence)
    print(f"Success! {num_sentences:,} distinct sentences of {num_tokens:,} tokens saved to {output}.")


def distinct_sentences(params: Params, paths: Tuple[str, ...] = _PATHS) -> Iterator[List[str]]:
    """
    The token texts of all text fields of all instances, each distinct one once, in the order in which they come.

    # Parameters

    params : `Params`
        Of a training. Those of its readers are used up.
    paths : `Tuple[str, ...]`
        Which of its files.

    # Raises

    `ConfigurationError` where the configuration names no file, and for a token with white space in it, which a line of
    tokens can't show.
    """
    seen = set()
    for path, instance in _instances(params, paths):
        for field in instance.fields.values():
            if not isinstance(field, TextField):
                continue
            sentence = tuple(token.text for token in field.tokens)
            if sentence and sentence not in seen:
                seen.add(sentence)
                yield _checked(path, sentence)


def _instances(params: Params, paths: Tuple[str, ...]) -> Iterator[Tuple[Any, Instance]]:
    given = [name for name in paths if params.get(name) is not None]
    if not given:
        raise ConfigurationError(f"The configuration has none of {', '.join(paths)}. Give at least one of them.")
    reader_params = params.pop("dataset_reader")
    reader = DatasetReader.from_params(reader_params.duplicate())
    evaluation_params = params.pop("validation_dataset_reader", None)
    evaluation_reader = reader if evaluation_params is None else DatasetReader.from_params(evaluation_params)
    for name in given:
        path = params[name]
        for instance in (reader if name == _PATHS[0] else evaluation_reader).read(path):
            yield path, instance


def _checked(path: Any, sentence: Tuple[str, ...]) -> List[str]:
    for token in sentence:
        if token.split() != [token]:
            raise ConfigurationError(
                f"{path}: the token {json.dumps(token, ensure_ascii=False)} is empty or has white space in it, so it can't "
                f"stand in a line of tokens. It begins its sentence so: {json.dumps(' '.join(sentence[:8]), ensure_ascii=False)}. "
                "Use a tokenizer that makes none, such as elmo_spacy."
            )
    return list(sentence)
