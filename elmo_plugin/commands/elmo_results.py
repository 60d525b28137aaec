"""The subcommand `elmo-results`: rows of the table of tasks, with ELMo and without."""

import argparse
import json
import os
from pathlib import Path
from typing import List, Optional

from allennlp.commands.subcommand import Subcommand
from allennlp.common.checks import ConfigurationError
from allennlp.common.tqdm import Tqdm

from elmo_plugin.bilm.whole_file import write_whole
from elmo_plugin.commands.reporting import reported
from elmo_plugin.results.machines import gathered
from elmo_plugin.results.page import draw, section, set_into
from elmo_plugin.results.row import Row, folder_name, read_row
from elmo_plugin.results.running import allennlp_program, run
from elmo_plugin.results.summary import as_json, summarise
from elmo_plugin.results.trainings import outcome_of, trainings_of


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
        subparser.add_argument("rows", metavar="ROW", nargs="+", help="Jsonnet file; training_configs/results has some")
        subparser.add_argument(
            "--runs", metavar="DIR", required=True, help="where the trainings are kept; given again, finished ones stay"
        )
        subparser.add_argument(
            "--processes", type=int, metavar="N", default=1, help="trainings side by side, which share the cores (1)"
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
    if args.processes < 1:
        raise ConfigurationError(f"--processes must be 1 or more, but it is {args.processes}.")
    runs, page = Path(args.runs), None if args.page is None else Path(args.page)
    with reported(runs, "Trainings that are done stay done; give the same command again."):
        rows = [read_row(path) for path in args.rows]
        if not args.summarise_only:
            train_rows(rows, runs, args.processes)
        for row in rows:
            write_row(row, runs, page)


def train_rows(rows: List[Row], runs: Path, at_once: int) -> None:
    """Every training that is not done yet, with a bar that tells the time left."""
    trainings = [training for row in rows for training in trainings_of(row, runs)]
    num_done = sum(training.is_done() for training in trainings)
    print(f"{len(trainings)} trainings, {num_done} of them done. Stopped at any time, the same command goes on.")
    with Tqdm.tqdm(total=len(trainings) - num_done, unit="training") as bar:
        run(trainings, allennlp_program(), bar.write, at_once, lambda training: bar.update())


def write_row(row: Row, runs: Path, page: Optional[Path]) -> None:
    """`RUNS/ROW/summary.json` and `summary.md`, and the page where there is one."""
    done = [training for training in trainings_of(row, runs) if training.is_done()]
    outcomes = {(training.arm.name, training.seed): outcome_of(training) for training in done}
    summaries = summarise(row, outcomes)
    summed = [outcome for (_, seed), outcome in outcomes.items() if seed in summaries[0].seeds]
    machines = gathered([outcome.machine for outcome in summed])
    folder = runs / folder_name(row.name)
    content = {"task": row.task, "data": row.data, "machines": machines, "arms": as_json(summaries)}
    write_whole(folder / "summary.json", json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    picture = folder / "summary.png" if page is None else page.parent / "pictures" / f"{folder_name(row.name)}.png"
    try:
        draw(picture, row, summaries)
    except ImportError:
        print("No picture: matplotlib is not installed (pip install matplotlib).")
        picture = None
    if picture is not None:
        picture = Path(os.path.relpath(picture, folder if page is None else page.parent))
    text = section(row, summaries, machines, picture)
    write_whole(folder / "summary.md", text)
    print(text)
    if page is not None:
        set_into(page, row, text)
    print(f"Success! Summary saved to {folder / 'summary.json'}" + ("" if page is None else f" and {page}"))
