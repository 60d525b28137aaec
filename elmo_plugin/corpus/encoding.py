"""One block of text to the ids of its own word types: the step that every process does by itself."""

import json
import zlib
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Dict, List, Tuple

import numpy as np

from elmo_plugin.corpus.blocks import Block
from elmo_plugin.corpus.lines import ODDITIES, Lines, decode
from elmo_plugin.corpus.segmenters import Segmenter, Words
from elmo_plugin.corpus.settings import SPECIALS

# Sentence keys are uniform in [0, KEY_END): a slice of that range is a random sample of sentences, in random order.
KEY_BITS = 62
KEY_END = 1 << KEY_BITS


@dataclass
class EncodedBlock:
    """
    The sentences of a block in the order of their keys, as ids of the block's own types.

    # Parameters

    ids : `np.ndarray`
        Shape `(num_tokens,)`, int32: index into `types`.
    offsets : `np.ndarray`
        Shape `(num_sentences + 1,)`, int64: where each sentence begins in `ids`.
    keys : `np.ndarray`
        Shape `(num_sentences,)`, int64, ascending.
    types : `List[str]`
        The distinct words, ordered by `hashes`, then by first occurrence.
    hashes : `np.ndarray`
        Shape `(num_types,)`, uint32, ascending: `word_hashes(types)`.
    oddities : `Counter`
    reports : `List[str]`
    """

    ids: np.ndarray
    offsets: np.ndarray
    keys: np.ndarray
    types: List[str]
    hashes: np.ndarray
    oddities: Counter
    reports: List[str]


def encode(block: Block, segment: Segmenter, seed: int, strict: bool) -> EncodedBlock:
    """Decodes, splits and segments the block, and numbers its words."""
    lines = decode(block, strict)
    sentences = list(segment(lines.texts))
    lengths = np.fromiter(map(len, sentences), np.int64, len(sentences))
    ids, types, hashes = _number_words(sentences, int(lengths.sum()))
    keys = sentence_keys(seed, block.index, len(sentences))
    order = np.argsort(keys, kind="stable")
    ids, offsets = reorder(ids, offsets_of(lengths), order)
    _count_literal_specials(lines, types, ids)
    return EncodedBlock(ids, offsets, keys[order], types, hashes, lines.oddities, lines.reports)


def sentence_keys(seed: int, block_index: int, num_sentences: int) -> np.ndarray:
    """
    A random key for each sentence of a block. NumPy promises the raw stream of its bit generators for ever, which it
    does not for the distributions on top of them.
    """
    raw = np.random.Philox(key=np.array([seed, block_index], dtype=np.uint64)).random_raw(num_sentences)
    return (np.asarray(raw, dtype=np.uint64) >> np.uint64(64 - KEY_BITS)).astype(np.int64)


def word_hashes(words: List[str]) -> np.ndarray:
    """CRC-32 of each word in UTF-8: the same on every machine and in every process, unlike `hash`."""
    return np.fromiter((zlib.crc32(word.encode("utf-8")) for word in words), np.uint32, len(words))


def offsets_of(lengths: np.ndarray) -> np.ndarray:
    """`offsets[i] = lengths[0] + … + lengths[i - 1]`; one longer than `lengths`."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def reorder(ids: np.ndarray, offsets: np.ndarray, order: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """The sentences `order[0], order[1], …` one after the other, and their offsets."""
    lengths = np.diff(offsets)[order]
    new_offsets = offsets_of(lengths)
    source = np.arange(new_offsets[-1]) + np.repeat(offsets[order] - new_offsets[:-1], lengths)
    return ids[source], new_offsets


def _number_words(sentences: List[Words], num_tokens: int) -> Tuple[np.ndarray, List[str], np.ndarray]:
    table: Dict[str, int] = {}
    number = table.setdefault
    ids = np.fromiter((number(word, len(table)) for word in chain.from_iterable(sentences)), np.int32, num_tokens)
    types = list(table)
    hashes = word_hashes(types)
    order = np.argsort(hashes, kind="stable")
    new_ids = np.empty(len(types), np.int32)
    new_ids[order] = np.arange(len(types), dtype=np.int32)
    return new_ids[ids], [types[i] for i in order], hashes[order]


def _count_literal_specials(lines: Lines, types: List[str], ids: np.ndarray) -> None:
    positions = [i for i, word in enumerate(types) if word in SPECIALS]
    lines.oddities["literal_special_tokens"] = int(np.isin(ids, positions).sum()) if positions else 0


@dataclass(frozen=True)
class BlockFiles:
    """Where one encoded block lies between the passes; arrays are memory-mapped when read."""

    directory: Path
    index: int

    def path(self, part: str) -> Path:
        return self.directory / f"{self.index:06d}.{part}"

    def write(self, block: EncodedBlock) -> None:
        for part in ("ids", "offsets", "keys", "hashes"):
            np.save(self.path(f"{part}.npy"), getattr(block, part))
        self.path("types.txt").write_bytes("".join(word + "\n" for word in block.types).encode("utf-8"))
        facts = {
            "num_sentences": len(block.keys),
            "num_tokens": len(block.ids),
            "num_types": len(block.types),
            "longest_sentence": int(np.diff(block.offsets).max(initial=0)),
            "oddities": {name: block.oddities[name] for name in ODDITIES},
            "reports": block.reports,
        }
        self.path("json").write_text(json.dumps(facts), encoding="utf-8")

    def array(self, part: str) -> np.ndarray:
        """An array of `EncodedBlock`, or `numbers`: for each of the block's types its number in the corpus."""
        return np.load(self.path(f"{part}.npy"), mmap_mode="r")

    def types(self) -> List[str]:
        return self.path("types.txt").read_bytes().decode("utf-8").split("\n")[:-1]

    def facts(self) -> Dict[str, Any]:
        return json.loads(self.path("json").read_text(encoding="utf-8"))
