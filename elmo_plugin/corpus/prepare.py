"""The whole preparation: documents in, a prepared corpus out."""

import shutil
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, Sequence

from elmo_plugin.corpus.block_files import BlockFiles, write_skipped
from elmo_plugin.corpus.blocks import Block, BlockReader
from elmo_plugin.corpus.description import describe, gather_facts
from elmo_plugin.corpus.directories import whole_directory
from elmo_plugin.corpus.encoding import EncodedBlock, count, encode
from elmo_plugin.corpus.engines import MapInOrder, started_engine
from elmo_plugin.corpus.merging import TypeMerger
from elmo_plugin.corpus.prepared import HELD_OUT, SKIPPED, TRAIN, check_output, write_description
from elmo_plugin.corpus.reading import BlockEncoder, encode_blocks
from elmo_plugin.corpus.segmenters import build_segmenter
from elmo_plugin.corpus.settings import Settings
from elmo_plugin.corpus.shards import TOKENS_PER_SHARD, Shard, ShardWriter, shards_of
from elmo_plugin.corpus.software import software_of
from elmo_plugin.corpus.sources import JSON_ENDINGS, TEXT_ENDINGS, find_sources
from elmo_plugin.corpus.splits import Split, SplitCounter, choose_splits
from elmo_plugin.corpus.work import Work

# Fast segmenters get large blocks; slow ones small blocks, so that progress shows and work spreads.
_BLOCK_BYTES = {"whitespace": 1 << 24}
_SLOW_BLOCK_BYTES = 1 << 19


def prepare_corpus(inputs: Sequence[str], output: Path, settings: Settings, work: Work = Work()) -> Dict[str, Any]:
    """
    Reads `inputs`, writes the directory `output` (see `prepared.PreparedCorpus` for what it holds) and returns what
    its `corpus.json` says. Same inputs and settings give the same bytes, whatever the number of processes.

    Each block of the input is encoded with types of its own (`encode`), the types are merged (`TypeMerger`), the
    shards are gathered from the blocks (`ShardWriter`). Interrupted, the blocks and shards that are done stay in a
    hidden directory beside `output`, and the same call goes on from there.

    # Parameters

    inputs : `Sequence[str]`
        Files, directories, globs, `-`: see `sources.find_sources`.
    output : `Path`
        Appears when everything is written, never before.
    settings : `Settings`
    work : `Work`

    # Raises

    `ValueError` for input that is missing, unreadable or without any sentence, and if `output` exists.
    """
    with _begin(inputs, output, settings, work) as room:
        blocks, fingerprint = encode_blocks(room.reader, room.encoder(encode), work, room.map_in_order)
        splits = choose_splits(settings.held_out, blocks)
        sizes = _add_up(chain.from_iterable(room.map_in_order(SplitCounter(splits), blocks)))
        merger = TypeMerger(blocks, len(splits), sizes[TRAIN]["sentences"], settings, room.scratch, room.unfinished)
        totals = merger.merge(work.progress)
        shards = {split.name: shards_of(split, _num_shards(split, sizes, settings)) for split in splits}
        writer = ShardWriter(room.scratch, len(blocks), room.unfinished, fingerprint)
        _write_shards(shards, writer, work, room.map_in_order)
        for name in sizes:
            sizes[name]["shards"] = len(shards[name])
        corpus = describe(settings.to_dict(), room.reader.files, gather_facts(blocks), totals, sizes)
        room.finish(blocks, corpus)
    return corpus


def prepare_vocabulary(inputs: Sequence[str], output: Path, settings: Settings, work: Work = Work()) -> Dict[str, Any]:
    """
    As `prepare_corpus`, but writes the vocabulary, the counts of all types and `corpus.json` alone. Every sentence
    counts, whatever `settings.held_out` says.
    """
    with _begin(inputs, output, settings, work) as room:
        blocks, _ = encode_blocks(room.reader, room.encoder(count), work, room.map_in_order)
        facts = gather_facts(blocks)
        merger = TypeMerger(blocks, 1, facts["num_sentences"], settings, room.scratch, room.unfinished)
        totals = merger.merge(work.progress)
        sizes = {TRAIN: {"sentences": facts["num_sentences"], "tokens": facts["num_tokens"], "shards": 0}}
        corpus = describe(replace(settings, held_out=0.0).to_dict(), room.reader.files, facts, totals, sizes)
        room.finish(blocks, corpus)
    return corpus


@dataclass(frozen=True)
class _Room:
    """
    Where a preparation works, and what with.

    # Parameters

    settings : `Settings`
    work : `Work`
    reader : `BlockReader`
    map_in_order : `MapInOrder`
    unfinished, scratch : `Path`
        The directory to write, and one in it for what is between the passes.
    """

    settings: Settings
    work: Work
    reader: BlockReader
    map_in_order: MapInOrder
    unfinished: Path
    scratch: Path

    def encoder(self, method: Callable[[Block, Settings, bool], EncodedBlock]) -> BlockEncoder:
        """It may be sent to a process that is in another folder."""
        path = self.settings.id_vocabulary
        settings = self.settings if path is None else replace(self.settings, id_vocabulary=str(Path(path).absolute()))
        return BlockEncoder(method, settings, self.work.strict, self.scratch)

    def finish(self, blocks: Sequence[BlockFiles], description: Dict[str, Any]) -> None:
        """Everything but the shards."""
        write_skipped(blocks, self.unfinished / SKIPPED)
        description["software"] = software_of(self.settings)
        shutil.rmtree(self.scratch)
        write_description(self.unfinished, description, self.work.progress)


@contextmanager
def _begin(inputs: Sequence[str], output: Path, settings: Settings, work: Work) -> Iterator[_Room]:
    """Checks what can be checked at once, before anything is written."""
    check_output(output, work.force)
    sources = find_sources(inputs, TEXT_ENDINGS if settings.json_field is None else JSON_ENDINGS)
    inside = [s.name for s in sources if s.path is not None and output.resolve() in s.path.resolve().parents]
    if inside:
        raise ValueError(f"{inside[0]}: an input lies in {output}, which is to be replaced; name another output.")
    keep_paragraphs = settings.paragraphs == "blank" and not settings.presplit and settings.json_field is None
    reader = BlockReader(sources, _BLOCK_BYTES.get(settings.segmenter, _SLOW_BLOCK_BYTES), keep_paragraphs)
    # Raises what there is to raise; and processes that are forked then have what is imported here.
    build_segmenter(settings)
    with started_engine(work, output.resolve().parent, software_of(settings)) as map_in_order:
        with whole_directory(output, work.force, keep_unfinished=True) as unfinished:
            scratch = unfinished / "scratch"
            scratch.mkdir(exist_ok=True)
            yield _Room(settings, work, reader, map_in_order, unfinished, scratch)


def _add_up(sizes: Iterable[Dict[str, Any]]) -> Dict[str, Dict[str, int]]:
    """The sizes of each split, from those of its parts."""
    added: Dict[str, Dict[str, int]] = {}
    for size in sizes:
        of_split = added.setdefault(size["split"], {"sentences": 0, "tokens": 0})
        for name in of_split:
            of_split[name] += size[name]
    return added


def _num_shards(split: Split, sizes: Dict[str, Dict[str, int]], settings: Settings) -> int:
    if split.name == TRAIN and settings.shards is not None:
        return settings.shards
    return max(1, round(sizes[split.name]["tokens"] / TOKENS_PER_SHARD))


def _write_shards(
    shards: Dict[str, List[Shard]], writer: ShardWriter, work: Work, map_in_order: MapInOrder
) -> None:
    writer.clear_others((TRAIN, HELD_OUT))
    for name in shards:
        (writer.output / name).mkdir(exist_ok=True)
    every_shard = list(chain.from_iterable(shards.values()))
    work.progress.follow("writing", len(every_shard), "shard", map_in_order(writer, every_shard))
