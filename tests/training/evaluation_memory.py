"""
Evaluates a text over a large vocabulary and prints how much memory that took, as JSON.

    python tests/training/evaluation_memory.py NUM_WORDS PROJECTION_DIM CELL_DIM BATCH_SIZE NUM_STEPS

One window of `BATCH_SIZE` streams is read, through the plugin's vocabulary, loader and language model, whose weights
are drawn at random. `weights` are those of the model, `beyond` is the peak of the process from the end of its imports
on, the vocabulary and the words' characters included, less the weights (all in bytes), `seconds` the evaluation's.
"""

import itertools
import json
import math
import random
import sys
import tempfile
import time
from pathlib import Path

import torch
from allennlp.common import Params
from allennlp.data import DataLoader, Vocabulary
from allennlp.models import Model
from allennlp.training.util import evaluate

from elmo_plugin.data.dataset_readers.sentences import ElmoSentencesReader

FILTERS = [[1, 32], [2, 32], [3, 64], [4, 128], [5, 256], [6, 512], [7, 1024]]


def memory(key: str) -> int:
    """`VmRSS`, or its peak `VmHWM`, in bytes."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return 1024 * int(line.split()[1])


def words_of(num_words: int) -> list:
    """Distinct ones of about eight letters."""
    syllables = ["".join(pair) for pair in itertools.product("bdfgklmnprstv", "aeiou")]
    distinct = itertools.product(syllables, repeat=4)
    return ["<S>", "</S>", "<UNK>", *map("".join, itertools.islice(distinct, num_words - 3))]


def write_text(path: Path, words: list, num_sentences: int, num_tokens: int) -> None:
    draw = random.Random(1)
    with path.open("w") as file:
        for _ in range(num_sentences):
            ids = (int(math.exp(draw.random() * math.log(len(words) - 3))) + 2 for _ in range(num_tokens))
            file.write(" ".join(words[number] for number in ids) + "\n")


def main() -> None:
    num_words, projection_dim, cell_dim, batch_size, num_steps = map(int, sys.argv[1:])
    torch.set_num_threads(1)
    lstm = {"dim": cell_dim, "projection_dim": projection_dim, "n_layers": 2, "cell_clip": 3, "proj_clip": 3}
    char_cnn = {"embedding": {"dim": 16}, "filters": FILTERS, "max_characters_per_token": 50, "n_highway": 1}
    options = {"lstm": {**lstm, "use_skip_connections": True}, "char_cnn": char_cnn}
    with tempfile.TemporaryDirectory() as folder:
        words = words_of(num_words)
        (Path(folder) / "vocabulary.txt").write_text("\n".join(words) + "\n")
        write_text(Path(folder) / "text.txt", words, batch_size, num_steps - 1)
        del words
        before = memory("VmRSS")
        vocab = Vocabulary.from_params(Params({"type": "elmo_word_file", "file": f"{folder}/vocabulary.txt"}))
        model = Model.from_params(Params({"type": "language_model", "options": options}), vocab=vocab)
        params = Params({"type": "elmo_stream", "batch_size": batch_size, "num_steps": num_steps})
        loader = DataLoader.from_params(params, reader=ElmoSentencesReader(), data_path=f"{folder}/text.txt")
        loader.index_with(vocab)
        start = time.perf_counter()
        metrics = evaluate(model, loader)
        seconds = time.perf_counter() - start
    weights = sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())
    beyond = memory("VmHWM") - before - weights
    print(json.dumps({"weights": weights, "beyond": beyond, "seconds": seconds, "tokens": metrics["tokens"]}))


if __name__ == "__main__":
    main()
