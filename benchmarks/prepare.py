"""
How fast `elmo-prepare` is on tokenised text, one sentence a line:

    python benchmarks/prepare.py TEXT [--processes 2]

- preparation: text to vocabulary, ids and shuffled shards, what `elmo-prepare --segmenter whitespace --presplit` does;
- counting: text to vocabulary and counts, what `--vocabulary-only` does beside these;
- `tr | sort | uniq -c` on the same text, in the C locale (bytes) and in that of the terminal.

Each is the best of some runs, by the clock, the starting of processes and the reading of the file included, Python's
own start not. Nothing else should run on the machine.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, Dict

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
# The preparation needs no AllenNLP; importing it would be most of a short run.
sys.modules["allennlp"] = None

from elmo_plugin.corpus.prepare import prepare_corpus, prepare_vocabulary  # noqa: E402
from elmo_plugin.corpus.processes import usable_cores  # noqa: E402
from elmo_plugin.corpus.settings import Settings  # noqa: E402
from elmo_plugin.corpus.work import Work  # noqa: E402


def best_seconds(action: Callable[[], object], runs: int) -> float:
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def shell_count(text: Path, output: Path, locale: Dict[str, str]) -> None:
    command = "tr -s ' \\t' '\\n\\n' < \"$0\" | sort | uniq -c > \"$1\""
    subprocess.run(["sh", "-c", command, str(text), str(output)], check=True, env={**os.environ, **locale})


def main() -> None:
    parser = argparse.ArgumentParser(description="How fast elmo-prepare is on tokenised text.")
    parser.add_argument("text", type=Path, metavar="TEXT", help="a plain file, one tokenised sentence a line")
    parser.add_argument("--processes", type=int, default=usable_cores())
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    settings = Settings(segmenter="whitespace", presplit=True)
    work = Work(force=True, processes=arguments.processes)
    inputs = [str(arguments.text)]
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "output"
        actions = {
            "preparation": lambda: prepare_corpus(inputs, output, settings, work),
            "counting": lambda: prepare_vocabulary(inputs, output, settings, work),
            "tr | sort | uniq -c, C": lambda: shell_count(arguments.text, output / "counts", {"LC_ALL": "C"}),
            "tr | sort | uniq -c": lambda: shell_count(arguments.text, output / "counts", {}),
        }
        num_tokens = prepare_vocabulary(inputs, output, settings, work)["tokens"]
        seconds = {name: best_seconds(action, arguments.runs) for name, action in actions.items()}
    print(f"{num_tokens:,} tokens, {arguments.processes} processes, best of {arguments.runs}")
    for name, spent in seconds.items():
        print(f"{name:24} {spent:7.2f} s {num_tokens / spent / 1e6:7.2f} M tokens/s, counting {spent / seconds['counting']:5.2f} x as fast")


if __name__ == "__main__":
    main()
