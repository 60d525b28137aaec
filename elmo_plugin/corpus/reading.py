"""The first pass over the input: every block encoded and written, by as many processes as there may be."""

import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Sequence, Tuple

from elmo_plugin.corpus.block_files import SHOWN_REPORTS, BlockFiles
from elmo_plugin.corpus.blocks import Block, BlockReader
from elmo_plugin.corpus.description import gather_facts, what_was_odd
from elmo_plugin.corpus.encoding import EncodedBlock
from elmo_plugin.corpus.engines import MapInOrder
from elmo_plugin.corpus.forms import read_id_vocabulary
from elmo_plugin.corpus.lines import SKIPPED_TEXT
from elmo_plugin.corpus.prepared import FORMAT_VERSION, SKIPPED
from elmo_plugin.corpus.settings import Settings
from elmo_plugin.corpus.software import software_of
from elmo_plugin.corpus.work import Work

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class BlockEncoder:
    """
    Encodes and writes single blocks; can be sent to another process.

    # Parameters

    method : `Callable[[Block, Settings, bool], EncodedBlock]`
        `encode` or `count`.
    settings : `Settings`
    strict : `bool`
    scratch : `Path`
        Where the blocks' files go.
    """

    method: Callable[[Block, Settings, bool], EncodedBlock]
    settings: Settings
    strict: bool
    scratch: Path

    def digest(self, block: Block) -> str:
        """Changes with whatever the block's files depend on."""
        settings: Dict[str, Any] = {**self.settings.of_blocks(), "strict": self.strict, "version": FORMAT_VERSION}
        settings.update(method=self.method.__name__, software=software_of(self.settings))
        if self.settings.id_vocabulary is not None:
            settings["id_vocabulary"] = read_id_vocabulary(self.settings.id_vocabulary)
        return _sha256([json.dumps(settings, sort_keys=True), block.digest()])

    def __call__(self, task: Tuple[Block, str]) -> Dict[str, Any]:
        block, digest = task
        return BlockFiles(self.scratch, block.index).write(self.method(block, self.settings, self.strict), digest)


def _sha256(parts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode("utf-8")).hexdigest()


def encode_blocks(
    reader: BlockReader, encoder: BlockEncoder, work: Work, map_in_order: MapInOrder
) -> Tuple[List[BlockFiles], str]:
    """
    The blocks' files, and what tells this input with these settings from any other.

    # Raises

    `ValueError` if there is no sentence in any of them.
    """
    blocks: List[BlockFiles] = []
    digests = [json.dumps(encoder.settings.to_dict(), sort_keys=True)]

    def new_blocks() -> Iterator[Tuple[Block, str]]:
        for block in reader:
            blocks.append(BlockFiles(encoder.scratch, block.index))
            digests.append(encoder.digest(block))
            if blocks[-1].facts_if(digests[-1]) is None:
                yield block, digests[-1]

    sizes = [source.size() for source in reader.sources]
    work.progress.begin("reading", None if None in sizes else sum(sizes), "B")
    num_skipped = 0
    for facts in map_in_order(encoder, new_blocks()):
        work.progress.reach(reader.position)
        for report in facts["reports"][: max(0, SHOWN_REPORTS - num_skipped)]:
            logger.warning("%s; skipped", report)
        num_skipped += sum(facts["oddities"][oddity] for oddity in SKIPPED_TEXT)
    work.progress.end()
    if num_skipped > SHOWN_REPORTS:
        logger.warning(
            "%d lines or files could not be used and are skipped; the first %d are named above, more in %s",
            num_skipped,
            SHOWN_REPORTS,
            SKIPPED,
        )
    facts = gather_facts(blocks)
    if facts["num_sentences"] == 0:
        names = ", ".join(source.name for source in reader.sources)
        raise ValueError(f"{names}: no sentence in it; {what_was_odd(facts['oddities'])}")
    return blocks, _sha256(digests)[:16]
