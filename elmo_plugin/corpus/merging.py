"""The types of all blocks merged: the vocabulary, the list of all types, and each block's types numbered by it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import List, Sequence, Tuple

import numpy as np
from numpy.lib.format import open_memmap

from elmo_plugin.corpus.block_files import BlockFiles
from elmo_plugin.corpus.ranking import RankedWords
from elmo_plugin.corpus.settings import SPECIALS, UNKNOWN, WORD_MARKS, Settings
from elmo_plugin.corpus.word_lists import (
    count_lines,
    encoded_words,
    line_offsets,
    lines_in_order,
    number_words,
    to_lines,
)
from elmo_plugin.corpus.work import Progress

# Types are merged in as many parts, by their hashes, as keep the words held in memory at once below this.
TYPES_PER_PART = 1 << 21
_HASH_END = 1 << 32


@dataclass
class TypeTotals:
    """
    What is counted while types are numbered.

    # Parameters

    num_types, vocabulary_size : `int`
        The three special tokens included.
    out_of_vocabulary, cut_tokens : `np.ndarray`
        Shape `(num_splits,)`: tokens that are not in the vocabulary, and that are longer than the character width.
    longest_token_bytes : `int`
    """

    num_types: int
    vocabulary_size: int
    out_of_vocabulary: np.ndarray
    cut_tokens: np.ndarray
    longest_token_bytes: int = 0


class TypeMerger:
    """
    Merges in two passes: the first sums the counts part by part and leaves each part on disk; the second, once the
    vocabulary is known, numbers every word. Memory holds one part, the vocabulary and 4 bytes for each type.

    # Parameters

    blocks : `Sequence[BlockFiles]`
        Their `counts` are written already.
    num_splits : `int`
        The vocabulary is made from the words of the first.
    num_sentences : `int`
        In the first split.
    settings : `Settings`
    scratch, output : `Path`
        Directories for intermediate and for final files.
    """

    def __init__(
        self,
        blocks: Sequence[BlockFiles],
        num_splits: int,
        num_sentences: int,
        settings: Settings,
        scratch: Path,
        output: Path,
    ) -> None:
        self.blocks = blocks
        self.num_splits = num_splits
        self.num_sentences = num_sentences
        self.settings = settings
        self.scratch = scratch
        self.output = output

    def merge(self, progress: Progress) -> TypeTotals:
        """
        Writes `vocabulary.txt`, `vocabulary.counts.tsv`, `types.txt`, `types.counts.npy` and the blocks' `numbers`.

        # Raises

        `ValueError` if no word is frequent enough for the vocabulary.
        """
        for block in self.blocks:
            np.save(block.path("numbers.npy"), np.zeros(len(block.array("hashes")), np.int32))
        local_types = sum(len(block.array("hashes")) for block in self.blocks)
        num_parts = max(1, -(-local_types // TYPES_PER_PART))
        max_words = None if self.settings.max_size is None else self.settings.max_size - len(SPECIALS)
        vocabulary = RankedWords.none()
        literal = np.zeros((self.num_splits, len(SPECIALS)), np.int64)
        num_types = len(SPECIALS)
        progress.begin("merging", 2 * num_parts, "part")
        for part in range(num_parts):
            lines, counts = self._merge_part(part, num_parts, num_types, literal)
            frequent = np.flatnonzero(counts[0] >= self.settings.min_count)
            chosen = lines_in_order(lines, frequent)
            vocabulary = vocabulary.and_others(chosen, counts[0, frequent], num_types + frequent, max_words)
            num_types += counts.shape[1]
            progress.reach(part + 1)
        if not vocabulary.lines:
            raise ValueError(
                f"min_count: none of the {num_types - len(SPECIALS)} words of the text occurs at least "
                f"{self.settings.min_count} times in the training sentences; lower it or give more text."
            )
        totals = self._number(vocabulary, num_parts, num_types, literal)
        progress.reach(2 * num_parts)
        progress.end()
        return totals

    def _merge_part(self, part: int, num_parts: int, first: int, literal: np.ndarray) -> Tuple[bytes, np.ndarray]:
        """
        The words of one part, one a line, in order of first occurrence, and their counts: (num_splits, words of the
        part). They are numbered from `first` for now; special tokens, should the text hold them, are numbered as such,
        and their counts added to `literal`, (num_splits, special tokens).
        """
        bounds = np.array([part * _HASH_END // num_parts, (part + 1) * _HASH_END // num_parts])
        ranges = [np.searchsorted(block.array("hashes").astype(np.int64), bounds) for block in self.blocks]
        lists = [block.types(begin, end) for block, (begin, end) in zip(self.blocks, ranges)]
        (_, *numbers), lines = number_words([to_lines(SPECIALS), *lists])
        counts = np.zeros((self.num_splits, count_lines(lines)), np.int64)
        for block, (begin, end), of_block in zip(self.blocks, ranges, numbers):
            counts[:, of_block] += block.array("counts")[:, begin:end]
            shifted = np.where(of_block < len(SPECIALS), of_block, of_block + np.int32(first - len(SPECIALS)))
            np.load(block.path("numbers.npy"), mmap_mode="r+")[begin:end] = shifted
        literal += counts[:, : len(SPECIALS)]
        lines, counts = lines[len(to_lines(SPECIALS)) :], counts[:, len(SPECIALS) :]
        self._words_path(part).write_bytes(lines)
        np.save(self._counts_path(part), counts)
        return lines, counts

    def _number(self, vocabulary: RankedWords, num_parts: int, num_types: int, literal: np.ndarray) -> TypeTotals:
        """The second pass: final numbers, the files, and the totals."""
        vocabulary_size = len(SPECIALS) + len(vocabulary.numbers)
        unknown = literal[:, SPECIALS.index(UNKNOWN)].copy()
        totals = TypeTotals(num_types, vocabulary_size, unknown, np.zeros(self.num_splits, np.int64))
        # Shape: (num_splits, num_types)
        counts_file = _new_array(self.output / "types.counts.npy", (self.num_splits, num_types))
        counts_file[:, : len(SPECIALS)] = literal
        # Shape: (num_types,), from the first pass's numbers to the final ones
        final = np.full(num_types, -1, np.int32)
        final[: len(SPECIALS)] = np.arange(len(SPECIALS))
        final[vocabulary.numbers] = np.arange(len(SPECIALS), vocabulary_size)
        begin, next_other = len(SPECIALS), vocabulary_size
        vocabulary_lines = to_lines(SPECIALS) + vocabulary.lines
        (self.output / "vocabulary.txt").write_bytes(vocabulary_lines)
        with (self.output / "types.txt").open("wb") as types_file:
            types_file.write(vocabulary_lines)
            for part in range(num_parts):
                lines, counts = self._words_path(part).read_bytes(), np.load(self._counts_path(part))
                others = np.flatnonzero(final[begin : begin + counts.shape[1]] < 0)
                ranked = RankedWords.of(lines_in_order(lines, others), counts[0, others], begin + others)
                final[ranked.numbers] = np.arange(next_other, next_other + len(others))
                types_file.write(ranked.lines)
                counts_file[:, final[begin : begin + counts.shape[1]]] = counts
                begin, next_other = begin + counts.shape[1], next_other + len(others)
                totals.out_of_vocabulary += counts[:, others].sum(axis=1)
                self._add_lengths(totals, lines, counts)
        for block in self.blocks:
            numbers = np.load(block.path("numbers.npy"), mmap_mode="r+")
            numbers[:] = final[numbers]
        self._write_vocabulary_counts(vocabulary, totals)
        return totals

    def _add_lengths(self, totals: TypeTotals, lines: bytes, counts: np.ndarray) -> None:
        lengths = np.diff(line_offsets(lines)) - 1
        totals.cut_tokens += counts[:, lengths > self.settings.max_characters - WORD_MARKS].sum(axis=1)
        totals.longest_token_bytes = max(totals.longest_token_bytes, int(lengths.max(initial=0)))

    def _write_vocabulary_counts(self, vocabulary: RankedWords, totals: TypeTotals) -> None:
        """Counts stand beside the words; for `<S>` and `</S>` they are sentences, for `<UNK>` tokens outside."""
        words = encoded_words(to_lines(SPECIALS) + vocabulary.lines)
        counts = [self.num_sentences, self.num_sentences, int(totals.out_of_vocabulary[0])]
        counts += vocabulary.counts.tolist()
        pairs = map(b"%b\t%d\n".__mod__, zip(words, counts))
        (self.output / "vocabulary.counts.tsv").write_bytes(b"".join(pairs))

    def _words_path(self, part: int) -> Path:
        return self.scratch / f"part-{part:04d}.words.txt"

    def _counts_path(self, part: int) -> Path:
        return self.scratch / f"part-{part:04d}.counts.npy"


def _new_array(path: Path, shape: Tuple[int, int]) -> np.ndarray:
    """
    A mapped array of zeros, int64, with its place on the disk (where the system can say so; macOS can't): to map what
    has none ends with a signal.
    """
    array = open_memmap(path, "w+", np.int64, shape=shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array
