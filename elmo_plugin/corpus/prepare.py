"""The whole preparation: documents in, a prepared corpus out."""

import hashlib
import json
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from elmo_plugin.corpus.block_files import BlockFiles
from elmo_plugin.corpus.blocks import Block, BlockReader
from elmo_plugin.corpus.description import describe, gather_facts, what_was_odd
from elmo_plugin.corpus.directories import check_replaceable, whole_directory
from elmo_plugin.corpus.encoding import KEY_END, encode
from elmo_plugin.corpus.forms import read_id_vocabulary
from elmo_plugin.corpus.lines import MAX_REPORTS, SKIPPED_LINES
from elmo_plugin.corpus.merging import Split, TypeMerger
from elmo_plugin.corpus.prepared import FORMAT_VERSION, HELD_OUT, TRAIN, write_description
from elmo_plugin.corpus.processes import map_in_order
from elmo_plugin.corpus.progress import Progress
from elmo_plugin.corpus.segmenters import build_segmenter
from elmo_plugin.corpus.settings import Settings
from elmo_plugin.corpus.shards import TOKENS_PER_SHARD, Shard, ShardWriter, shards_of
from elmo_plugin.corpus.sources import JSON_ENDINGS, TEXT_ENDINGS, find_sources

logger = logging.getLogger(__name__)

# Fast segmenters get large blocks; slow ones small blocks, so that progress shows and work spreads.
_BLOCK_BYTES = {"whitespace": 1 << 22}
_SLOW_BLOCK_BYTES = 1 << 19


def prepare_corpus(
    inputs: Sequence[str],
    output: Path,
    settings: Settings,
    strict: bool = False,
    force: bool = False,
    processes: int = 1,
    progress: Progress = Progress(),
) -> Dict[str, Any]:
    """
    Reads `inputs`, writes the directory `output` (see `prepared.PreparedCorpus` for what it holds) and returns what
    its `corpus.json` says. Same inputs and settings give the same bytes, whatever the number of processes.

    Three passes: each block of the input is encoded with types of its own (`encode`), the types are merged
    (`TypeMerger`), the shards are gathered from the blocks (`ShardWriter`). Interrupted, the blocks and shards that
    are done stay in a hidden directory beside `output`, and the same call goes on from there.

    # Parameters

    inputs : `Sequence[str]`
        Files, directories, globs, `-`: see `sources.find_sources`.
    output : `Path`
        Appears when everything is written, never before.
    settings : `Settings`
    strict : `bool`
        Stop at the first line that cannot be used, instead of counting and skipping it.
    force : `bool`
        Replace `output` if it exists.
    processes : `int`
    progress : `Progress`

    # Raises

    `ValueError` for input that is missing, unreadable or without any sentence, and if `output` exists.
    """
    if processes < 1:
        raise ValueError(f"processes: expected at least 1; got {processes}.")
    check_replaceable(output, force)
    reader = _reader(inputs, settings)
    build_segmenter(settings)
    with whole_directory(output, force) as unfinished:
        scratch = unfinished / "scratch"
        scratch.mkdir(exist_ok=True)
        blocks, fingerprint = _encode_blocks(reader, BlockEncoder(settings, strict, scratch), processes, progress)
        facts = gather_facts(blocks)
        if facts["num_sentences"] == 0:
            raise ValueError(f"{', '.join(inputs)}: no sentence in it; {what_was_odd(facts['oddities'])}")
        splits = _splits(settings.held_out, blocks, facts["num_sentences"])
        totals = TypeMerger(blocks, splits, settings, scratch, unfinished).merge()
        writer = ShardWriter(scratch, len(blocks), unfinished, fingerprint)
        written = _write_splits(splits, settings.shards, facts["num_tokens"], writer, processes, progress)
        corpus = describe(settings, reader.files, facts, totals, splits, written)
        shutil.rmtree(scratch)
        write_description(unfinished, corpus)
    return corpus


def _reader(inputs: Sequence[str], settings: Settings) -> BlockReader:
    sources = find_sources(inputs, TEXT_ENDINGS if settings.json_field is None else JSON_ENDINGS)
    keep_paragraphs = settings.paragraphs == "blank" and not settings.presplit and settings.json_field is None
    return BlockReader(sources, _BLOCK_BYTES.get(settings.segmenter, _SLOW_BLOCK_BYTES), keep_paragraphs)


@dataclass(frozen=True)
class BlockEncoder:
    """
    Encodes and writes single blocks; can be sent to another process.

    # Parameters

    settings : `Settings`
    strict : `bool`
    scratch : `Path`
        Where the blocks' files go.
    """

    settings: Settings
    strict: bool
    scratch: Path

    def digest(self, block: Block) -> str:
        """Changes with whatever the block's files depend on."""
        settings: Dict[str, Any] = {**self.settings.of_blocks(), "strict": self.strict, "version": FORMAT_VERSION}
        if self.settings.id_vocabulary is not None:
            settings["id_vocabulary"] = read_id_vocabulary(self.settings.id_vocabulary)
        return _sha256([json.dumps(settings, sort_keys=True), block.digest()])

    def __call__(self, task: Tuple[Block, str]) -> Dict[str, Any]:
        block, digest = task
        return BlockFiles(self.scratch, block.index).write(encode(block, self.settings, self.strict), digest)


def _sha256(parts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode("utf-8")).hexdigest()


def _encode_blocks(
    reader: BlockReader, encoder: BlockEncoder, processes: int, progress: Progress
) -> Tuple[List[BlockFiles], str]:
    """The blocks' files, and what tells this input with these settings from any other."""
    blocks: List[BlockFiles] = []
    digests = [json.dumps(encoder.settings.to_dict(), sort_keys=True)]

    def new_blocks() -> Iterator[Tuple[Block, str]]:
        for block in reader:
            blocks.append(BlockFiles(encoder.scratch, block.index))
            digests.append(encoder.digest(block))
            if blocks[-1].facts_if(digests[-1]) is None:
                yield block, digests[-1]

    sizes = [source.size() for source in reader.sources]
    progress.begin("reading", None if None in sizes else sum(sizes), "B")
    num_skipped = 0
    for facts in map_in_order(encoder, new_blocks(), processes):
        progress.reach(reader.position)
        for report in facts["reports"][: max(0, MAX_REPORTS - num_skipped)]:
            logger.warning("%s; the line is skipped", report)
        num_skipped += sum(facts["oddities"][oddity] for oddity in SKIPPED_LINES)
    progress.end()
    if num_skipped > MAX_REPORTS:
        logger.warning("%d lines could not be used and are skipped; the first are named above", num_skipped)
    return blocks, _sha256(digests)[:16]


def _splits(held_out: float, blocks: Sequence[BlockFiles], num_sentences: int) -> List[Split]:
    """Training first. The held-out sentences are those with the smallest keys; at least one if any are asked for."""
    if held_out == 0.0:
        return [Split(TRAIN, 0, KEY_END)]
    if num_sentences < 2:
        raise ValueError("held_out: the text has a single sentence, nothing can be held out; give more text or 0.")
    keys = [block.array("keys") for block in blocks if block.facts()["num_sentences"] > 0]
    end = max(int(held_out * KEY_END), int(min(of_block[0] for of_block in keys)) + 1)
    if all(of_block[-1] < end for of_block in keys):
        raise ValueError(f"held_out: {held_out} of {num_sentences} sentences leaves none to train on; lower it.")
    return [Split(TRAIN, end, KEY_END), Split(HELD_OUT, 0, end)]


def _write_splits(
    splits: Sequence[Split],
    num_shards: Optional[int],
    num_tokens: int,
    writer: ShardWriter,
    processes: int,
    progress: Progress,
) -> Dict[str, Dict[str, Any]]:
    """Writes each split's directory; returns its counts."""
    writer.clear_others((TRAIN, HELD_OUT))
    shards: List[Shard] = []
    written: Dict[str, Dict[str, Any]] = {}
    for split in splits:
        expected = num_tokens * (split.end - split.begin) / KEY_END
        number = max(1, round(expected / TOKENS_PER_SHARD))
        if split.name == TRAIN and num_shards is not None:
            number = num_shards
        shards += shards_of(split, number)
        written[split.name] = {"shards": number, "sentences": 0, "tokens": 0}
        (writer.output / split.name).mkdir(exist_ok=True)
    progress.begin("writing", len(shards), "shard")
    for done, counts in enumerate(map_in_order(writer, shards, processes), start=1):
        progress.reach(done)
        for name in ("sentences", "tokens"):
            written[counts["split"]][name] += counts[name]
    progress.end()
    return written
