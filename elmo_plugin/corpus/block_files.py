"""Where encoded blocks lie between the passes over them."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Optional, Sequence

import numpy as np

from elmo_plugin.corpus.encoding import EncodedBlock
from elmo_plugin.corpus.lines import ODDITIES
from elmo_plugin.corpus.word_lists import line_offsets

# Reports of skipped lines that are shown as examples; all of them go to a file.
SHOWN_REPORTS = 3


@dataclass(frozen=True)
class BlockFiles:
    """
    The files of one block. Arrays are memory-mapped when read.

    # Parameters

    directory : `Path`
    index : `int`
        The block's position in the corpus.
    """

    directory: Path
    index: int

    def path(self, part: str) -> Path:
        return self.directory / f"{self.index:06d}.{part}"

    def write(self, block: EncodedBlock, digest: str) -> Dict[str, Any]:
        """Writes everything, and last of all its facts, which it returns: a block that has them is complete."""
        for part, array in block.arrays.items():
            np.save(self.path(f"{part}.npy"), array)
        self.path("types.txt").write_bytes(block.types)
        reports = "".join(f"{report}\n" for report in block.reports)
        self.path("skipped.txt").write_bytes(reports.encode("utf-8", "backslashreplace"))
        facts = {
            "digest": digest,
            "num_sentences": block.num_sentences,
            "num_tokens": block.num_tokens,
            "longest_sentence": block.longest_sentence,
            "oddities": {name: block.oddities[name] for name in ODDITIES},
            "reports": block.reports[:SHOWN_REPORTS],
        }
        unfinished = self.path("json.unfinished")
        unfinished.write_text(json.dumps(facts), encoding="utf-8")
        os.replace(unfinished, self.path("json"))
        return facts

    def facts(self) -> Dict[str, Any]:
        return json.loads(self.path("json").read_text(encoding="utf-8"))

    def facts_if(self, digest: str) -> Optional[Dict[str, Any]]:
        """The facts if an earlier, interrupted preparation has written the block with this digest; else `None`."""
        if not self.path("json").exists():
            return None
        facts = self.facts()
        return facts if facts["digest"] == digest else None

    def array(self, part: str) -> np.ndarray:
        """
        An array of `EncodedBlock`, or what later passes add: `counts`, shape (num_splits, num_types), and `numbers`,
        for each of the block's types its number in the corpus.
        """
        return np.load(self.path(f"{part}.npy"), mmap_mode="r")

    def types(self, begin: int, end: int) -> bytes:
        """The block's types from one number to another, one a line."""
        lines = self.path("types.txt").read_bytes()
        offsets = line_offsets(lines)
        return lines[offsets[begin] : offsets[end]]


def write_skipped(blocks: Sequence[BlockFiles], path: Path) -> None:
    """All reports of skipped lines in one file, if there are any."""
    if any(block.facts()["reports"] for block in blocks):
        path.write_bytes(b"".join(block.path("skipped.txt").read_bytes() for block in blocks))
