"""Corpora that tests prepare, and what is in them."""

from pathlib import Path
from typing import Dict, Iterator, Sequence

from elmo_plugin.corpus.opening import open_shards
from elmo_plugin.corpus.prepared import PreparedCorpus
from elmo_plugin.corpus.settings import Settings


def settings(**changes: object) -> Settings:
    """Of text that is one tokenised sentence a line."""
    return Settings(**{"segmenter": "whitespace", "presplit": True, "held_out": 0.1, "min_count": 2, **changes})


def write(path: Path, lines: Sequence[str]) -> str:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return str(path)


def sentences(corpus: PreparedCorpus, split: str) -> Iterator[str]:
    """Of all shards, which must be the same as ids and as text."""
    words = corpus.types()
    for shard in open_shards(corpus, split):
        from_ids = [" ".join(words[i] for i in shard.ids[b:e]) for b, e in zip(shard.offsets, shard.offsets[1:])]
        assert shard.text.read_text(encoding="utf-8").split("\n")[:-1] == from_ids
        yield from from_ids


def snapshot(directory: Path) -> Dict[Path, bytes]:
    """Every file below a directory."""
    return {path.relative_to(directory): path.read_bytes() for path in directory.rglob("*") if path.is_file()}
