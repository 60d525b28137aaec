"""Training and held-out text: which sentences belong to which."""

from dataclasses import dataclass
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

from elmo_plugin.corpus.block_files import BlockFiles
from elmo_plugin.corpus.encoding import KEY_END
from elmo_plugin.corpus.prepared import HELD_OUT, TRAIN


@dataclass(frozen=True)
class Split:
    """The sentences whose keys lie in `[begin, end)`."""

    name: str
    begin: int
    end: int

    def range_in(self, block: BlockFiles) -> Tuple[int, int]:
        """First and last + 1 of its sentences in a block."""
        begin, end = np.searchsorted(block.array("keys"), np.array([self.begin, self.end]))
        return int(begin), int(end)


def choose_splits(held_out: float, blocks: Sequence[BlockFiles]) -> List[Split]:
    """
    Training first. The held-out sentences are those with the smallest keys: a `held_out` fraction of them, at least one
    if any are asked for.

    # Raises

    `ValueError` if one of the splits would be empty.
    """
    if held_out == 0.0:
        return [Split(TRAIN, 0, KEY_END)]
    num_sentences = [block.facts()["num_sentences"] for block in blocks]
    if sum(num_sentences) < 2:
        raise ValueError("held_out: the text has a single sentence, nothing can be held out; give more text or 0.")
    keys = [block.array("keys") for block, number in zip(blocks, num_sentences) if number > 0]
    end = max(int(held_out * KEY_END), int(min(of_block[0] for of_block in keys)) + 1)
    if all(of_block[-1] < end for of_block in keys):
        raise ValueError(f"held_out: {held_out} of {sum(num_sentences)} sentences leaves none to train on; lower it.")
    return [Split(TRAIN, end, KEY_END), Split(HELD_OUT, 0, end)]


@dataclass(frozen=True)
class SplitCounter:
    """
    Counts single blocks; can be sent to another process.

    # Parameters

    splits : `Sequence[Split]`
    """

    splits: Sequence[Split]

    def __call__(self, block: BlockFiles) -> List[Dict[str, Any]]:
        """Writes the `counts` of the block's types in each split; returns each split's `sentences` and `tokens`."""
        ids, offsets, num_types = block.array("ids"), block.array("offsets"), len(block.array("hashes"))
        counts, sizes = [], []
        for split in self.splits:
            begin, end = split.range_in(block)
            counts.append(np.bincount(ids[offsets[begin] : offsets[end]], minlength=num_types))
            sizes.append({"split": split.name, "sentences": end - begin, "tokens": int(offsets[end] - offsets[begin])})
        np.save(block.path("counts.npy"), np.stack(counts))
        return sizes
