"""One block of text to the ids of its own word types: the step that every process does by itself."""

from collections import Counter
from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Sequence, Tuple, TypeVar

import numpy as np

from elmo_plugin.corpus.blocks import Block
from elmo_plugin.corpus.forms import id_texts, json_texts, read_id_vocabulary
from elmo_plugin.corpus.lines import MARKS, Lines, clean, decode
from elmo_plugin.corpus.segmenters import build_segmenter
from elmo_plugin.corpus.settings import SPECIALS, Settings
from elmo_plugin.corpus.word_lists import count_lines, hash_order, line_hashes, lines_in_order, numbers_of
from elmo_plugin.corpus.words import CountedWords, NumberedWords
from elmo_plugin.corpus.words import count_sentences, count_text, number_sentences, number_text

# Sentence keys are uniform in [0, KEY_END): a slice of that range is a random sample of sentences, in random order.
KEY_BITS = 62
KEY_END = 1 << KEY_BITS

_SPECIALS = [word.encode("utf-8") for word in SPECIALS]
Words = TypeVar("Words", NumberedWords, CountedWords)


@dataclass
class EncodedBlock:
    """
    What is known of a block of text by itself.

    # Parameters

    arrays : `Dict[str, np.ndarray]`
        `hashes`, shape `(num_types,)`, uint32, ascending: `line_hashes` of the types. Of `encode` also, with the
        sentences in the order of their keys,
        `ids`, shape `(num_tokens,)`, int32: index into `types`;
        `offsets`, shape `(num_sentences + 1,)`, int64: where each sentence begins in `ids`;
        `keys`, shape `(num_sentences,)`, int64, ascending.
        Of `count` instead `counts`, shape `(1, num_types)`.
    types : `bytes`
        The distinct words, one a line, ordered by `hashes`, then by first occurrence.
    num_sentences, num_tokens, longest_sentence : `int`
    oddities : `Counter`
    reports : `List[str]`
    """

    arrays: Dict[str, np.ndarray]
    types: bytes
    num_sentences: int
    num_tokens: int
    longest_sentence: int
    oddities: Counter
    reports: List[str]


def encode(block: Block, settings: Settings, strict: bool) -> EncodedBlock:
    """Decodes, splits and segments the block, numbers its words and gives each sentence its place."""
    words, lines = _read(block, settings, strict, number_text, number_sentences)
    encoded, order = _encoded(words, lines)
    numbers = np.empty(len(order), np.int32)
    numbers[order] = np.arange(len(order), dtype=np.int32)
    keys = sentence_keys(settings.seed, block.index, len(words.lengths))
    by_key = np.argsort(keys, kind="stable")
    ids, offsets = reorder(numbers[words.ids], offsets_of(words.lengths), by_key)
    encoded.arrays.update(ids=ids, offsets=offsets, keys=keys[by_key])
    return encoded


def count(block: Block, settings: Settings, strict: bool) -> EncodedBlock:
    """Decodes, splits and segments the block and counts its words."""
    words, lines = _read(block, settings, strict, count_text, count_sentences)
    encoded, order = _encoded(words, lines)
    encoded.arrays["counts"] = words.counts[np.newaxis, order]
    return encoded


def _encoded(words: Words, lines: Lines) -> Tuple[EncodedBlock, np.ndarray]:
    """What `encode` and `count` have in common; and the order of the types by their hashes."""
    hashes = line_hashes(words.type_lines)
    order = hash_order(hashes)
    specials = numbers_of(_SPECIALS, words.type_lines)
    lines.oddities["literal_special_tokens"] = sum(map(words.count_of, specials))
    by_hash = lines_in_order(words.type_lines, order)
    sizes = (len(words.lengths), int(words.lengths.sum()), int(words.lengths.max(initial=0)))
    return EncodedBlock({"hashes": hashes[order]}, by_hash, *sizes, lines.oddities, lines.reports), order


def _read(
    block: Block,
    settings: Settings,
    strict: bool,
    of_text: Callable[[bytes], Optional[Words]],
    of_sentences: Callable[[Sequence[List[str]]], Words],
) -> Tuple[Words, Lines]:
    """By `of_text` what is tokenised and split and has nothing odd about it, all else by `of_sentences`."""
    if _is_tokenised(settings):
        data = _plain_text(block)
        words = None if data is None else of_text(data)
        if words is not None:
            return words, Lines([], _oddities(block, data, len(words.lengths)))
    lines = _read_lines(block, settings, strict)
    return of_sentences(list(build_segmenter(settings)(lines.texts))), lines


def _read_lines(block: Block, settings: Settings, strict: bool) -> Lines:
    """Any input, piece by piece; a blank line keeps the sentences of one from going on in the next."""
    together = Lines([])
    for piece in block.pieces:
        lines = decode(piece, strict)
        if settings.json_field is not None:
            json_texts(lines, piece, settings.json_field)
        elif settings.id_vocabulary is not None:
            id_texts(lines, piece, read_id_vocabulary(settings.id_vocabulary))
        clean(lines, settings.normal_form)
        together.texts += [*lines.texts, ""]
        together.oddities.update(lines.oddities)
        together.reports += lines.reports
    return together


def _is_tokenised(settings: Settings) -> bool:
    """Whether each line of the input is a sentence of words with white space between them, and nothing else."""
    forms = (settings.json_field, settings.id_vocabulary, settings.normal_form)
    return settings.segmenter == "whitespace" and settings.presplit and all(form is None for form in forms)


def _plain_text(block: Block) -> Optional[bytes]:
    """The lines of a block, unless it has what `decode` or `clean` would change."""
    parts = [piece.data if piece.data.endswith(b"\n") else piece.data + b"\n" for piece in block.pieces]
    data = parts[0] if len(parts) == 1 else b"".join(parts)
    has_marks = any(piece.offset == 0 and piece.data.startswith(MARKS) for piece in block.pieces)
    return None if has_marks or b"\0" in data else data


def _oddities(block: Block, data: bytes, num_sentences: int) -> Counter:
    """What `decode` and `clean` would count of a block's plain text."""
    return Counter(
        # To look for one byte is ten times as fast as for two.
        carriage_returns=data.count(b"\r\n") if b"\r" in data else 0,
        blank_lines=count_lines(data) - num_sentences,
        overlong_lines_cut=sum(piece.line_is_cut for piece in block.pieces),
    )


def sentence_keys(seed: int, block_index: int, num_sentences: int) -> np.ndarray:
    """
    A random key for each sentence of a block. NumPy promises the raw stream of its bit generators for ever, which it
    does not for the distributions on top of them.
    """
    raw = np.random.Philox(key=np.array([seed, block_index], dtype=np.uint64)).random_raw(num_sentences)
    return (np.asarray(raw, dtype=np.uint64) >> np.uint64(64 - KEY_BITS)).astype(np.int64)


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
