"""The whole preparation: documents in, a prepared corpus out."""

import logging
import shutil
from collections import Counter
from pathlib import Path
from typing import Any, Dict, List, Sequence

from elmo_plugin.corpus.blocks import BlockReader
from elmo_plugin.corpus.directories import check_replaceable, whole_directory
from elmo_plugin.corpus.encoding import KEY_END, BlockFiles, encode
from elmo_plugin.corpus.lines import ODDITIES
from elmo_plugin.corpus.prepared import FORMAT_VERSION, HELD_OUT, TRAIN, write_description
from elmo_plugin.corpus.segmenters import build_segmenter
from elmo_plugin.corpus.settings import Settings
from elmo_plugin.corpus.shards import TOKENS_PER_SHARD, TypeWords, shard_splits, write_shard
from elmo_plugin.corpus.sources import find_sources
from elmo_plugin.corpus.types import Split, TypeMerger, TypeTotals

logger = logging.getLogger(__name__)

MAX_REPORTS = 20

# Fast segmenters get large blocks; slow ones small blocks, so that progress shows and work spreads.
_BLOCK_BYTES = {"whitespace": 1 << 22}
_SLOW_BLOCK_BYTES = 1 << 19

def prepare_corpus(
    inputs: Sequence[str], output: Path, settings: Settings, strict: bool = False, force: bool = False
) -> Dict[str, Any]:
    """
    Reads `inputs`, writes the directory `output` (see `prepared.PreparedCorpus` for what it holds) and returns what
    its `corpus.json` says. Same inputs and settings give the same bytes.

    # Parameters

    inputs : `Sequence[str]`
        Files, directories, globs, `-`: see `sources.find_sources`.
    output : `Path`
        Appears when everything is written, never before.
    settings : `Settings`
    strict : `bool`
        Stop at the first line that is not UTF-8, instead of counting and skipping it.
    force : `bool`
        Replace `output` if it exists.

    # Raises

    `ValueError` for input that is missing, unreadable or without any sentence, and if `output` exists.
    """
    check_replaceable(output, force)
    sources = find_sources(inputs)
    block_bytes = _BLOCK_BYTES.get(settings.segmenter, _SLOW_BLOCK_BYTES)
    keep_paragraphs = settings.paragraphs == "blank" and not settings.presplit
    reader = BlockReader(sources, block_bytes, keep_paragraphs)
    with whole_directory(output, force) as unfinished:
        scratch = unfinished / "scratch"
        scratch.mkdir()
        blocks = _encode_blocks(reader, settings, strict, scratch)
        facts = _gather_facts(blocks)
        if facts["num_sentences"] == 0:
            raise ValueError(f"{', '.join(inputs)}: no sentence in it; {_what_was_odd(facts['oddities'])}")
        splits = _splits(settings.held_out, blocks, facts["num_sentences"])
        totals = TypeMerger(blocks, splits, settings, scratch, unfinished).merge()
        written = _write_splits(splits, settings, blocks, facts["num_tokens"], unfinished)
        shutil.rmtree(scratch)
        corpus = _describe(settings, reader.files, facts, totals, splits, written)
        write_description(unfinished, corpus)
    return corpus


def _encode_blocks(reader: BlockReader, settings: Settings, strict: bool, scratch: Path) -> List[BlockFiles]:
    segment = build_segmenter(settings)
    blocks: List[BlockFiles] = []
    num_skipped = 0
    for block in reader:
        encoded = encode(block, segment, settings.seed, strict)
        for report in encoded.reports[: max(0, MAX_REPORTS - num_skipped)]:
            logger.warning("%s; the line is skipped", report)
        num_skipped += encoded.oddities["undecodable_lines"]
        blocks.append(BlockFiles(scratch, block.index))
        blocks[-1].write(encoded)
        if block.index % 20 == 0:
            logger.info("%s: read up to byte %d", block.source, block.offset + len(block.data))
    if num_skipped > MAX_REPORTS:
        logger.warning("%d lines were not UTF-8 and are skipped; the first are named above", num_skipped)
    return blocks


def _gather_facts(blocks: Sequence[BlockFiles]) -> Dict[str, Any]:
    facts: Dict[str, Any] = {"num_sentences": 0, "num_tokens": 0, "longest_sentence": 0, "oddities": Counter()}
    for block in blocks:
        of_block = block.facts()
        facts["num_sentences"] += of_block["num_sentences"]
        facts["num_tokens"] += of_block["num_tokens"]
        facts["longest_sentence"] = max(facts["longest_sentence"], of_block["longest_sentence"])
        facts["oddities"].update(of_block["oddities"])
    return facts


def _what_was_odd(oddities: Counter) -> str:
    met = ", ".join(f"{name}: {oddities[name]}" for name in ODDITIES if oddities[name] > 0)
    return f"met {met}." if met else "it is empty."


def _splits(held_out: float, blocks: Sequence[BlockFiles], num_sentences: int) -> List[Split]:
    """Training first. The held-out sentences are those with the smallest keys; at least one if any are asked for."""
    if held_out == 0.0:
        return [Split(TRAIN, 0, KEY_END)]
    if num_sentences < 2:
        raise ValueError("held_out: the text has a single sentence, nothing can be held out; give more text or 0.")
    smallest = [block.array("keys")[0] for block in blocks if len(block.array("keys")) > 0]
    end = max(int(held_out * KEY_END), int(min(smallest)) + 1)
    if all(block.array("keys")[-1] < end for block in blocks if len(block.array("keys")) > 0):
        raise ValueError(f"held_out: {held_out} of {num_sentences} sentences leaves none to train on; lower it.")
    return [Split(TRAIN, end, KEY_END), Split(HELD_OUT, 0, end)]


def _write_splits(
    splits: Sequence[Split], settings: Settings, blocks: Sequence[BlockFiles], num_tokens: int, output: Path
) -> Dict[str, Dict[str, Any]]:
    """Writes each split's directory; returns its counts."""
    words = TypeWords(output / "types.txt")
    written = {}
    for split in splits:
        expected = num_tokens * (split.end - split.begin) / KEY_END
        num_shards = max(1, round(expected / TOKENS_PER_SHARD))
        if split.name == TRAIN and settings.shards is not None:
            num_shards = settings.shards
        directory = output / split.name
        directory.mkdir()
        counts = [
            write_shard(directory, i, shard, blocks, words) for i, shard in enumerate(shard_splits(split, num_shards))
        ]
        sentences, tokens = (sum(column) for column in zip(*counts))
        written[split.name] = {"shards": num_shards, "sentences": sentences, "tokens": tokens}
    return written


def _describe(
    settings: Settings,
    files: List[Dict[str, Any]],
    facts: Dict[str, Any],
    totals: TypeTotals,
    splits: Sequence[Split],
    written: Dict[str, Dict[str, Any]],
) -> Dict[str, Any]:
    """What `corpus.json` says, but for the hashes of the files beside it."""
    for i, split in enumerate(splits):
        of_split, tokens = written[split.name], written[split.name]["tokens"]
        of_split["out_of_vocabulary_tokens"] = int(totals.out_of_vocabulary[i])
        of_split["out_of_vocabulary_rate"] = float(totals.out_of_vocabulary[i]) / max(tokens, 1)
        of_split["tokens_cut_at_character_width"] = int(totals.cut_tokens[i])
    return {
        "format_version": FORMAT_VERSION,
        "settings": settings.to_dict(),
        "inputs": files,
        "sentences": facts["num_sentences"],
        "tokens": facts["num_tokens"],
        "types": totals.num_types,
        "vocabulary_size": totals.vocabulary_size,
        "longest_sentence": facts["longest_sentence"],
        "longest_token_bytes": totals.longest_token_bytes,
        "oddities": {name: facts["oddities"][name] for name in ODDITIES},
        "splits": written,
    }
