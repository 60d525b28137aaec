"""
How fast `elmo_stream` feeds a model:

    python benchmarks/stream.py [--tokens 20000000] [--words 800000]

It makes a corpus in the form that `elmo-prepare` writes, whose words are as frequent as Zipf's law says and as long as
words are, half as many again as the vocabulary has; opens it; and takes all batches of an epoch, shuffled, at the shape
of the original model, 128 rows of 20 steps, and at 512 rows. Then the first shard once more as text. Tokens are words;
the boundaries between sentences, one more in 25, are not counted. Nothing else should run on the machine.
"""

import argparse
import json
import logging
import sys
import tempfile
import time
from pathlib import Path

import numpy

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from elmo_plugin.corpus.prepared import DESCRIPTION, FORMAT_VERSION, TRAIN  # noqa: E402
from elmo_plugin.corpus.shards import TOKENS_PER_SHARD, TypeWords, texts  # noqa: E402
from elmo_plugin.corpus.word_lists import to_lines  # noqa: E402
from elmo_plugin.data.data_loaders.stream import ElmoStreamLoader  # noqa: E402
from elmo_plugin.data.dataset_readers.sentences import ElmoSentencesReader  # noqa: E402
from elmo_plugin.data.vocabulary import ElmoVocabulary  # noqa: E402

SHAPES = ((128, 20), (512, 20))
TYPES_PER_WORD = 1.5
MEAN_SENTENCE = 25


def write_words(directory: Path, num_types: int, num_words: int) -> None:
    """Words of up to 20 letters, the rarer the longer."""
    generator = numpy.random.default_rng(1)
    extra = generator.poisson(0.3 * numpy.log(numpy.arange(1, num_types - 2)))
    letters = "".join(map(chr, generator.integers(97, 123, 1 << 20)))
    begins = generator.integers(0, len(letters) - 20, num_types - 3)
    words = [f"{number}{letters[begin : begin + n]}" for number, (begin, n) in enumerate(zip(begins, extra))]
    lines = ["<S>", "</S>", "<UNK>", *words]
    (directory / "types.txt").write_bytes(to_lines(lines))
    (directory / "vocabulary.txt").write_bytes(to_lines(lines[:num_words]))


def write_corpus(directory: Path, num_tokens: int, num_words: int) -> None:
    num_types = int(num_words * TYPES_PER_WORD)
    write_words(directory, num_types, num_words)
    probabilities = numpy.cumsum(1 / (numpy.arange(num_types - 3) + 2.7))
    num_shards = max(1, round(num_tokens / TOKENS_PER_SHARD))
    (directory / TRAIN).mkdir()
    sizes = {"sentences": 0, "tokens": 0, "shards": num_shards, "out_of_vocabulary_tokens": 0}
    for number in range(num_shards):
        generator = numpy.random.default_rng([2, number])
        lengths = generator.negative_binomial(3, 3 / (MEAN_SENTENCE + 2), num_tokens // num_shards // MEAN_SENTENCE) + 1
        offsets = numpy.concatenate([[0], numpy.cumsum(lengths)])
        ids = (
            numpy.searchsorted(probabilities, generator.random(offsets[-1]) * probabilities[-1]).astype(numpy.int32) + 3
        )
        numpy.save(directory / TRAIN / f"{number:05d}.ids.npy", ids)
        numpy.save(directory / TRAIN / f"{number:05d}.offsets.npy", offsets)
        sizes["sentences"] += len(lengths)
        sizes["tokens"] += len(ids)
        sizes["out_of_vocabulary_tokens"] += int((ids >= num_words).sum())
        if number == 0:
            with (directory / TRAIN / "00000.txt").open("w", encoding="utf-8") as file:
                file.writelines(texts(ids, offsets, TypeWords(directory / "types.txt")))
    facts = {"types": num_types, "vocabulary_size": num_words, "splits": {TRAIN: sizes}}
    (directory / DESCRIPTION).write_text(json.dumps({"format_version": FORMAT_VERSION, **facts}))


def measure(name: str, path: Path, vocabulary: ElmoVocabulary, shape: tuple, **arguments) -> None:
    start = time.perf_counter()
    num_rows, num_steps = shape
    loader = ElmoStreamLoader(
        ElmoSentencesReader(), str(path), batch_size=num_rows, num_steps=num_steps, shuffle=True, **arguments
    )
    loader.index_with(vocabulary)
    num_batches, batches = len(loader), iter(loader)
    num_types = len(next(batches)["types"])
    ready = time.perf_counter()
    for batch in batches:
        num_types += len(batch["types"])
    seconds, num_tokens = time.perf_counter() - ready, loader._text.num_tokens
    print(
        f"{name}, {num_rows} x {num_steps}: {num_tokens / seconds / 1e6:6.2f} M tokens/s; first batch after "
        f"{ready - start:.2f} s; {num_batches:,} batches of {num_types / num_batches:,.0f} types"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="How fast elmo_stream feeds a model.")
    parser.add_argument("--tokens", type=int, default=20_000_000)
    parser.add_argument("--words", type=int, default=800_000, help="in the vocabulary")
    parser.add_argument("--corpus", type=Path, help="keep the corpus in this folder, or take the one that is there")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) if arguments.corpus is None else arguments.corpus
        if not (directory / DESCRIPTION).is_file():
            directory.mkdir(parents=True, exist_ok=True)
            write_corpus(directory, arguments.tokens, arguments.words)
        vocabulary = ElmoVocabulary.from_word_file(str(directory / "vocabulary.txt"))
        for shape in SHAPES:
            measure("prepared", directory / TRAIN, vocabulary, shape)
            measure("prepared, prefetched", directory / TRAIN, vocabulary, shape, prefetch=16)
        measure("text, one shard", directory / TRAIN / "00000.txt", vocabulary, SHAPES[0])


if __name__ == "__main__":
    main()
