"""The subcommand `elmo-text`: the sentences that a training would read."""

import argparse
import json
from pathlib import Path
from typing import Any, Iterable, Iterator, List, Tuple

from allennlp.commands.subcommand import Subcommand
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.tqdm import Tqdm
from allennlp.data import DatasetReader, Field, Instance
from allennlp.data.fields import ListField, TextField

from elmo_plugin.bilm.whole_file import check_place, whole_file
from elmo_plugin.commands.reporting import reported
from elmo_plugin.quiet import quiet

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
    output, paths = Path(args.output), _PATHS[:1] if args.only_train else _PATHS
    # The readers' settings say nothing to someone who asked for their sentences; what they warn of does.
    with reported(output, "Nothing is left of it; write it again."), quiet("allennlp"):
        check_output(output, args.force)
        params = Params.from_file(args.config, args.overrides)
        if output.resolve() in [Path(str(params.get(name))).resolve() for name in paths]:
            raise ValueError(f"{output} is a file that the training reads, and would be replaced. Give another name.")
        num_sentences, num_tokens = write_sentences(params, output, paths)
    print(f"Success! {num_sentences:,} distinct sentences of {num_tokens:,} tokens saved to {output}.")


def check_output(output: Path, force: bool) -> None:
    """
    # Raises

    `ValueError` where the output can't be written, or is there already.
    """
    if output.is_dir():
        raise ValueError(f"{output} is a folder; give the name of the file to write.")
    check_place(output, force)


def write_sentences(params: Params, output: Path, paths: Tuple[str, ...] = _PATHS) -> Tuple[int, int]:
    """
    Writes `distinct_sentences`, and returns how many sentences and tokens they are.

    # Raises

    `ConfigurationError`, besides those of `distinct_sentences`, where there are none.
    """
    num_sentences = num_tokens = 0
    with whole_file(output) as partial, open(partial, "w", encoding="utf-8", newline="\n") as file:
        for sentence in distinct_sentences(params, paths):
            file.write(" ".join(sentence) + "\n")
            num_sentences += 1
            num_tokens += len(sentence)
        if num_sentences == 0:
            raise ConfigurationError(
                f"There is no sentence in what the dataset reader makes of {', '.join(paths)}: no instance, or none "
                "with a text field. Look for what else the configuration reads."
            )
    return num_sentences, num_tokens


def distinct_sentences(params: Params, paths: Tuple[str, ...] = _PATHS) -> Iterator[List[str]]:
    """
    The token texts of all text fields of all instances, also of those in lists, each distinct one once, in the order in
    which they come.

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
        for field in _text_fields(instance.fields.values()):
            sentence = tuple(token.text for token in field.tokens)
            if sentence and sentence not in seen:
                seen.add(sentence)
                yield _checked(path, sentence)


def _text_fields(fields: Iterable[Field]) -> Iterator[TextField]:
    for field in fields:
        if isinstance(field, TextField):
            yield field
        elif isinstance(field, ListField):
            yield from _text_fields(field.field_list)


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
        instances = (reader if name == _PATHS[0] else evaluation_reader).read(path)
        for instance in Tqdm.tqdm(instances, desc=name, unit=" instances"):
            yield path, instance


def _checked(path: Any, sentence: Tuple[str, ...]) -> List[str]:
    for token in sentence:
        if token.split() != [token]:
            shown, beginning = (json.dumps(text, ensure_ascii=False) for text in (token, " ".join(sentence[:8])))
            raise ConfigurationError(
                f"{path}: the token {shown} is empty or has white space in it, so it can't stand in a line of tokens. "
                f"Its sentence begins so: {beginning}. Use a tokenizer that makes none, such as elmo_spacy."
            )
    return list(sentence)
