"""The subcommand `elmo-results`: rows of the table of tasks, with ELMo and without."""

import argparse
import json
import os
from pathlib import Path
from typing import List, Optional

from allennlp.commands.subcommand import Subcommand
from allennlp.common.checks import ConfigurationError
from allennlp.common.tqdm import Tqdm

from elmo_plugin.results.page import draw, section, set_into
from elmo_plugin.results.row import Row, folder_name, read_row
from elmo_plugin.results.summary import as_json, summarise
from elmo_plugin.results.trainings import allennlp_program, checked_record, outcome_of, run, trainings_of


@Subcommand.register("elmo-results")
class ElmoResults(Subcommand):
    """
    Registered as a `Subcommand` with name "elmo-results". Trains every arm of a row with every seed, and sums up.

    A row is a Jsonnet file; see `elmo_plugin.results.row.read_row`.
    """

    requires_plugins: bool = False

    def add_subparser(self, parser: argparse._SubParsersAction) -> argparse.ArgumentParser:
        description = """Train tasks with ELMo and without, over several seeds, and write the table."""
        subparser = parser.add_parser(self.name, description=description, help=description)
        subparser.add_argument("rows", metavar="ROW", nargs="+", help="Jsonnet files; training_configs/results has some")
        subparser.add_argument(
            "--runs", metavar="DIR", required=True, help="where the trainings are kept; given again, finished ones stay"
        )
        subparser.add_argument(
            "--page", metavar="FILE", help="a Markdown page to set the tables into, and pictures beside it"
        )
        subparser.add_argument(
            "--summarise-only", action="store_true", help="train nothing; sum up the seeds that are done in all arms"
        )
        subparser.set_defaults(func=results_from_args)
        return subparser


def results_from_args(args: argparse.Namespace) -> None:
    try:
        rows = [read_row(path) for path in args.rows]
        page = None if args.page is None else Path(args.page)
        if not args.summarise_only:
            train_rows(rows, Path(args.runs))
        for row in rows:
            write_row(row, Path(args.runs), page)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error


def train_rows(rows: List[Row], runs: Path) -> None:
    """Every training that is not done yet, with a bar that tells the time left."""
    trainings = [training for row in rows for training in trainings_of(row, runs)]
    for training in trainings:
        checked_record(training)
    todo = [training for training in trainings if not training.is_done()]
    print(f"{len(trainings)} trainings, {len(trainings) - len(todo)} of them done.")
    bar = Tqdm.tqdm(todo, unit="training")
    for training in bar:
        run(training, allennlp_program(), bar.write)


def write_row(row: Row, runs: Path, page: Optional[Path]) -> None:
    """`RUNS/ROW/summary.json` and `summary.md`, and the page where there is one."""
    done = [training for training in trainings_of(row, runs) if training.is_done()]
    outcomes = {(training.arm.name, training.seed): outcome_of(training) for training in done}
    summaries = summarise(row, outcomes)
    machine = next(iter(outcomes.values())).machine
    folder = runs / folder_name(row.name)
    content = {"task": row.task, "data": row.data, "machine": machine, "arms": as_json(summaries)}
    (folder / "summary.json").write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    picture = folder / "summary.png" if page is None else page.parent / "pictures" / f"{folder_name(row.name)}.png"
    try:
        draw(picture, row, summaries)
    except ImportError:
        print("No picture: matplotlib is not installed (pip install matplotlib).")
        picture = None
    if picture is not None:
        picture = Path(os.path.relpath(picture, folder if page is None else page.parent))
    text = section(row, summaries, machine, picture)
    (folder / "summary.md").write_text(text, encoding="utf-8")
    print(text)
    if page is not None:
        set_into(page, row, text)
    print(f"Success! Summary saved to {folder / 'summary.json'}" + ("" if page is None else f" and {page}"))
