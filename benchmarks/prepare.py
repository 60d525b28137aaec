"""
How fast `elmo-prepare` is on tokenised text, one sentence a line:

    python benchmarks/prepare.py TEXT --processes 2
    python benchmarks/prepare.py --tokens 10000000 --processes 2     # of random words, if there is no TEXT

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
from typing import Callable, Dict, Optional

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
# The preparation needs no AllenNLP; importing it would be most of a short run.
sys.modules["allennlp"] = None

from elmo_plugin.corpus.compiled_words import why_not  # noqa: E402
from elmo_plugin.corpus.prepare import prepare_corpus, prepare_vocabulary  # noqa: E402
from elmo_plugin.corpus.processes import usable_cores  # noqa: E402
from elmo_plugin.corpus.settings import Settings  # noqa: E402
from elmo_plugin.corpus.work import Progress, Work  # noqa: E402


# Words of the generated text: how often one comes falls with its rank as in a language, and there are as many as in ten
# million words of English books.
NUM_TYPES = 150_000
SENTENCE_LENGTH = 22
SYLLABLES = [consonant + vowel for consonant in "bcdfghjklmnprstvwz" for vowel in "aeiou"]


def write_random_text(path: Path, num_tokens: int) -> None:
    """Rank `r` is drawn with probability `log((r + 2) / (r + 1)) / log(NUM_TYPES + 1)`; frequent words are short."""
    random = np.random.default_rng(13)
    words = []
    for rank in range(NUM_TYPES):
        word = ""
        while rank > 0 or word == "":
            rank, syllable = divmod(rank, len(SYLLABLES))
            word += SYLLABLES[syllable]
        words.append(word)
    with path.open("w", encoding="ascii") as file:
        for begin in range(0, num_tokens, 1_000_000):
            size = min(1_000_000, num_tokens - begin)
            ranks = np.minimum(np.exp(random.random(size) * np.log(NUM_TYPES + 1)).astype(int) - 1, NUM_TYPES - 1)
            chosen = [words[rank] for rank in ranks.tolist()]
            for start in range(0, size, SENTENCE_LENGTH):
                file.write(" ".join(chosen[start : start + SENTENCE_LENGTH]) + "\n")


class StageTimes(Progress):
    """How long each stage took."""

    def __init__(self) -> None:
        self.seconds: Dict[str, float] = {}

    def begin(self, title: str, total: Optional[int], unit: str) -> None:
        self._title, self._begun = title, time.perf_counter()

    def end(self) -> None:
        self.seconds[self._title] = time.perf_counter() - self._begun


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
    parser.add_argument("text", nargs="?", metavar="TEXT", help="a plain file, one tokenised sentence a line")
    parser.add_argument("--tokens", type=int, default=10_000_000, help="of the text that is generated without TEXT")
    parser.add_argument("--processes", type=int, default=usable_cores())
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    settings = Settings(segmenter="whitespace", presplit=True)
    work = Work(force=True, processes=arguments.processes)
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "output"
        text = Path(folder) / "text.txt" if arguments.text is None else Path(arguments.text)
        if arguments.text is None:
            write_random_text(text, arguments.tokens)
        inputs = [str(text)]
        actions = {
            "preparation": lambda: prepare_corpus(inputs, output, settings, work),
            "counting": lambda: prepare_vocabulary(inputs, output, settings, work),
            "tr | sort | uniq -c, C": lambda: shell_count(text, output / "counts", {"LC_ALL": "C"}),
            "tr | sort | uniq -c": lambda: shell_count(text, output / "counts", {}),
        }
        for name, method in (("preparation", prepare_corpus), ("counting", prepare_vocabulary)):
            stages = StageTimes()
            of_stages = Work(force=True, processes=arguments.processes, progress=stages)
            num_tokens = method(inputs, output, settings, of_stages)["tokens"]
            print(f"{name}: " + ", ".join(f"{title} {spent:.2f} s" for title, spent in stages.seconds.items()))
        seconds = {name: best_seconds(action, arguments.runs) for name, action in actions.items()}
    how = "words in C" if why_not() is None else f"words in Python: {why_not()}"
    print(f"{num_tokens:,} tokens, {arguments.processes} processes, best of {arguments.runs}, {how}")
    for name, spent in seconds.items():
        speed, times = num_tokens / spent / 1e6, spent / seconds["counting"]
        print(f"{name:24} {spent:7.2f} s {speed:7.2f} M tokens/s, counting is {times:5.2f} times as fast")


if __name__ == "__main__":
    main()
