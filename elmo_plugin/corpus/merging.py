"""The types of all blocks merged: the vocabulary, the list of all types, and each block's types numbered by it."""

import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

import numpy as np
from numpy.lib.format import open_memmap

from elmo_plugin.corpus.block_files import BlockFiles
from elmo_plugin.corpus.settings import SPECIALS, UNKNOWN, WORD_MARKS, Settings
from elmo_plugin.corpus.word_lists import byte_lengths, from_lines, to_lines
from elmo_plugin.corpus.work import Progress

# Types are merged in as many parts, by their hashes, as keep the words held in memory at once below this.
TYPES_PER_PART = 1 << 21
_HASH_END = 1 << 32

# Sorts as vocabularies do: (-count, word, number).
Ranked = Tuple[int, str, int]


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
        ranked: List[Ranked] = []
        num_types = len(SPECIALS)
        progress.begin("merging", 2 * num_parts, "part")
        for part in range(num_parts):
            words, counts = self._merge_part(part, num_parts, num_types)
            ranked = self._rank(ranked, words, counts[0], num_types)
            num_types += len(words)
            progress.reach(part + 1)
        if not ranked:
            raise ValueError(
                f"min_count: none of the {num_types - len(SPECIALS)} words of the text occurs at least "
                f"{self.settings.min_count} times in the training sentences; lower it or give more text."
            )
        totals = self._number(ranked, num_parts, num_types)
        progress.reach(2 * num_parts)
        progress.end()
        return totals

    def _merge_part(self, part: int, num_parts: int, first: int) -> Tuple[List[str], np.ndarray]:
        """
        The words of one part in order of first occurrence, and their counts: (num_splits, words of the part). They are
        numbered from `first` for now; special tokens, should the text hold them, are numbered as such.
        """
        table: Dict[str, int] = defaultdict(None, {word: i for i, word in enumerate(SPECIALS)})
        table.default_factory = table.__len__
        bounds = np.array([part * _HASH_END // num_parts, (part + 1) * _HASH_END // num_parts])
        pieces: List[Tuple[np.ndarray, np.ndarray]] = []
        for block in self.blocks:
            begin, end = np.searchsorted(block.array("hashes").astype(np.int64), bounds)
            words = block.types()[begin:end]
            numbers = np.fromiter(map(table.__getitem__, words), np.int32, len(words))
            shifted = np.where(numbers < len(SPECIALS), numbers, numbers + np.int32(first - len(SPECIALS)))
            np.load(block.path("numbers.npy"), mmap_mode="r+")[begin:end] = shifted
            pieces.append((numbers, block.array("counts")[:, begin:end]))
        counts = np.zeros((self.num_splits, len(table)), np.int64)
        for numbers, of_block in pieces:
            counts[:, numbers] += of_block
        words, counts = list(table)[len(SPECIALS) :], counts[:, len(SPECIALS) :]
        self._words_path(part).write_bytes(to_lines(words))
        np.save(self._counts_path(part), counts)
        return words, counts

    def _rank(self, ranked: List[Ranked], words: List[str], counts: np.ndarray, first: int) -> List[Ranked]:
        """The words for the vocabulary among `ranked` and `words`, most frequent first, ties by code point."""
        frequent = np.flatnonzero(counts >= self.settings.min_count).tolist()
        ranked = ranked + _sort_keys(words, counts, frequent, first)
        ranked.sort()
        return ranked if self.settings.max_size is None else ranked[: self.settings.max_size - len(SPECIALS)]

    def _number(self, ranked: List[Ranked], num_parts: int, num_types: int) -> TypeTotals:
        """The second pass: final numbers, the files, and the totals."""
        vocabulary_size = len(SPECIALS) + len(ranked)
        literal = self._literal_specials()
        unknown = literal[:, SPECIALS.index(UNKNOWN)].copy()
        totals = TypeTotals(num_types, vocabulary_size, unknown, np.zeros(self.num_splits, np.int64))
        # Shape: (num_splits, num_types)
        counts_file = _new_array(self.output / "types.counts.npy", (self.num_splits, num_types))
        counts_file[:, : len(SPECIALS)] = literal
        # Shape: (num_types,), from the first pass's numbers to the final ones
        final = np.full(num_types, -1, np.int32)
        final[: len(SPECIALS)] = np.arange(len(SPECIALS))
        final[[number for _, _, number in ranked]] = np.arange(len(SPECIALS), vocabulary_size)
        begin, next_other = len(SPECIALS), vocabulary_size
        with (self.output / "types.txt").open("wb") as types_file:
            types_file.write(to_lines([*SPECIALS, *(word for _, word, _ in ranked)]))
            for part in range(num_parts):
                words, counts = from_lines(self._words_path(part).read_bytes()), np.load(self._counts_path(part))
                others = np.flatnonzero(final[begin : begin + len(words)] < 0)
                in_order = sorted(_sort_keys(words, counts[0], others.tolist(), begin))
                final[[number for _, _, number in in_order]] = np.arange(next_other, next_other + len(others))
                types_file.write(to_lines([word for _, word, _ in in_order]))
                counts_file[:, final[begin : begin + len(words)]] = counts
                begin, next_other = begin + len(words), next_other + len(others)
                totals.out_of_vocabulary += counts[:, others].sum(axis=1)
                self._add_lengths(totals, words, counts)
        for block in self.blocks:
            numbers = np.load(block.path("numbers.npy"), mmap_mode="r+")
            numbers[:] = final[numbers]
        self._write_vocabulary(ranked, totals)
        return totals

    def _literal_specials(self) -> np.ndarray:
        """Shape: (num_splits, number of specials). How often the text itself says `<S>`, `</S>` and `<UNK>`."""
        found = np.zeros((self.num_splits, len(SPECIALS)), np.int64)
        for block in self.blocks:
            numbers = block.array("numbers")
            (special,) = np.nonzero(numbers < len(SPECIALS))
            found[:, numbers[special]] += block.array("counts")[:, special]
        return found

    def _add_lengths(self, totals: TypeTotals, words: List[str], counts: np.ndarray) -> None:
        lengths = byte_lengths(words)
        totals.cut_tokens += counts[:, lengths > self.settings.max_characters - WORD_MARKS].sum(axis=1)
        totals.longest_token_bytes = max(totals.longest_token_bytes, int(lengths.max(initial=0)))

    def _write_vocabulary(self, ranked: List[Ranked], totals: TypeTotals) -> None:
        """Counts stand beside the words; for `<S>` and `</S>` they are sentences, for `<UNK>` tokens outside."""
        words = [*SPECIALS, *(word for _, word, _ in ranked)]
        counts = [self.num_sentences, self.num_sentences, int(totals.out_of_vocabulary[0])]
        counts += [-negative for negative, _, _ in ranked]
        (self.output / "vocabulary.txt").write_bytes(to_lines(words))
        pairs = (f"{word}\t{count}" for word, count in zip(words, counts))
        (self.output / "vocabulary.counts.tsv").write_bytes(to_lines(pairs))

    def _words_path(self, part: int) -> Path:
        return self.scratch / f"part-{part:04d}.words.txt"

    def _counts_path(self, part: int) -> Path:
        return self.scratch / f"part-{part:04d}.counts.npy"


def _sort_keys(words: List[str], counts: np.ndarray, chosen: List[int], first: int) -> List[Ranked]:
    """For each chosen position in `words` what it is sorted by, and its number when the first word's is `first`."""
    negative = (-counts[chosen]).tolist()
    return [(count, words[i], first + i) for count, i in zip(negative, chosen)]


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
