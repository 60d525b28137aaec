"""`elmo_stream` over a corpus of `elmo-prepare`, held against the same sentences as text."""

import logging
import shutil
from collections import Counter

import numpy
import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import DataLoader, DatasetReader

from elmo_plugin.bilm import streams
from elmo_plugin.corpus.prepare import prepare_corpus
from elmo_plugin.corpus.settings import Settings
from elmo_plugin.data.data_loaders import stream
from elmo_plugin.data.vocabulary import ElmoVocabulary


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """300 sentences in five shards, of words that are more or less frequent, long, Chinese and unknown."""
    folder = tmp_path_factory.mktemp("prepared")
    rng = numpy.random.default_rng(0)
    words = [*"abcdefghijklmnop", "中文", "é" * 40, "<UNK>", "</S>", *(f"rare{number}" for number in range(80))]
    weights = 1 / numpy.arange(1, len(words) + 1)
    lines = [" ".join(rng.choice(words, rng.integers(1, 15), p=weights / weights.sum())) for _ in range(300)]
    (folder / "text.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    settings = Settings(segmenter="whitespace", presplit=True, held_out=0.1, shards=5, min_count=3)
    prepare_corpus([str(folder / "text.txt")], folder / "corpus", settings)
    return folder / "corpus"


@pytest.fixture(autouse=True)
def small_groups(monkeypatch):
    """Two or three shards are shuffled together."""
    monkeypatch.setattr(streams, "TOKENS_PER_GROUP", 700)


def loader_of(path, directory, reader=None, **arguments):
    reader = DatasetReader.from_params(Params({"type": "elmo_sentences", **({} if reader is None else reader)}))
    loader = DataLoader.from_params(Params({"type": "elmo_stream", **arguments}), reader=reader, data_path=str(path))
    loader.index_with(ElmoVocabulary.from_word_file(str(directory / "vocabulary.txt")))
    return loader


def assert_same_epochs(ours, expected, num_epochs=2):
    for _ in range(num_epochs):
        assert len(ours) == len(expected) > 2
        for one, other in zip(ours, expected, strict=True):
            assert one.keys() == other.keys()
            for name, value in one.items():
                if isinstance(value, torch.Tensor):
                    assert value.dtype == other[name].dtype and torch.equal(value, other[name]), name
                else:
                    assert value == other[name]


@pytest.mark.parametrize(
    "part, files", [("train", "train/*.txt"), ("heldout", "heldout/00000.txt"), ("", "train/*.txt")]
)
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("max_characters", [50, None])
def test_its_batches_are_those_of_its_sentences_as_text(prepared, part, files, shuffle, max_characters):
    arguments = {"batch_size": 4, "num_steps": 6, "shuffle": shuffle, "max_characters": max_characters}
    assert_same_epochs(
        loader_of(prepared / part, prepared, **arguments), loader_of(prepared / files, prepared, **arguments)
    )


def test_so_they_are_on_each_of_several_workers(prepared, monkeypatch):
    monkeypatch.setattr(stream, "is_distributed", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 3)
    for rank in range(3):
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        arguments = {"batch_size": 2, "num_steps": 6, "shuffle": True}
        assert_same_epochs(*(loader_of(prepared / path, prepared, **arguments) for path in ("train", "train/*.txt")))


def test_so_they_are_of_the_first_sentences_alone(prepared):
    arguments = {"reader": {"max_instances": 100}, "batch_size": 2, "num_steps": 6, "shuffle": True}
    assert_same_epochs(*(loader_of(prepared / path, prepared, **arguments) for path in ("train", "train/*.txt")))


def test_every_sentence_of_the_preparation_is_read_once_an_epoch(prepared):
    loader = loader_of(prepared / "train", prepared, batch_size=3, num_steps=7, shuffle=True, max_characters=None)
    words = (prepared / "vocabulary.txt").read_text(encoding="utf-8").split("\n")[:-1]
    known = {word: number for number, word in enumerate(words)}
    lines = [
        line for path in (prepared / "train").glob("*.txt") for line in path.read_text(encoding="utf-8").splitlines()
    ]
    expected = Counter(tuple(known.get(word, 2) for word in line.split()) for line in lines)
    rows = [[], [], []]
    for batch in loader:
        for number, row in enumerate(rows):
            length = batch["lengths"][number] if "lengths" in batch else 7
            inputs = batch["types"][batch["forward_inputs"][number, :length]] - 1
            row.extend(zip(inputs.tolist(), batch["forward_targets"][number, :length].tolist()))
    found, sentence = Counter(), []
    # A literal </S> is a target of 1 as the end is; then the next input is it too.
    for row in rows:
        for step, (_, target) in enumerate(row):
            is_end = target == 1 and (step + 1 == len(row) or row[step + 1][0] == 0)
            if is_end:
                found[tuple(sentence)] += 1
                sentence = []
            else:
                sentence.append(target)
    assert found == expected


def test_what_is_jumped_over_is_not_made_and_the_rest_is_the_same(prepared):
    arguments = {"batch_size": 3, "num_steps": 7, "shuffle": True}
    whole, resumed = (loader_of(prepared / "train", prepared, **arguments) for _ in range(2))
    resumed.jump_to(1, 5)
    epochs = [list(whole) for _ in range(3)]
    for epoch, batches in enumerate(epochs):
        found = list(resumed)
        num_empty = len(batches) if epoch == 0 else 5 if epoch == 1 else 0
        assert found[:num_empty] == [{}] * num_empty and len(found) == len(batches)
        for one, other in zip(found[num_empty:], batches[num_empty:], strict=True):
            assert all(torch.equal(torch.as_tensor(one[name]), torch.as_tensor(other[name])) for name in other)


def test_the_log_says_what_the_preparation_counted(prepared, caplog):
    with caplog.at_level(logging.INFO, "elmo_plugin"):
        for path in ("train", "train/*.txt"):
            loader_of(prepared / path, prepared)
    lines = [record.getMessage().split(": ", 1)[1] for record in caplog.records if "windows an epoch" in record.message]
    assert len(lines) == 2 and lines[0] == lines[1]
    assert caplog.text.count("1 distinct words are longer than 48 bytes") == 2


def test_the_tokens_are_mapped_and_not_read(prepared):
    loader = loader_of(prepared / "train", prepared)
    for shard in loader._text.shards:
        assert isinstance(shard.type_ids.base, numpy.memmap) and isinstance(shard.offsets.base, numpy.memmap)


def test_instances_are_those_of_the_text(prepared):
    instances, expected = (
        list(loader_of(prepared / path, prepared).iter_instances()) for path in ("heldout", "heldout/*.txt")
    )
    assert [str(i["source"].tokens) for i in instances] == [str(i["source"].tokens) for i in expected] != []


def test_another_vocabulary_is_an_error(prepared, tmp_path):
    words = (prepared / "vocabulary.txt").read_text(encoding="utf-8").replace("\nc\n", "\nother\n")
    (tmp_path / "vocabulary.txt").write_text(words, encoding="utf-8")
    with pytest.raises(
        ConfigurationError, match="was prepared with another vocabulary .* 'c' in the corpus and 'other' in"
    ):
        loader_of(prepared / "train", tmp_path)


@pytest.mark.parametrize("prefetch", [0, 4])
def test_a_number_that_is_no_type_is_an_error_before_anything_is_learned_from_it(prepared, tmp_path, prefetch):
    directory = shutil.copytree(prepared, tmp_path / "corpus")
    path = directory / "train" / "00003.ids.npy"
    ids = numpy.load(path)
    ids[5] = 10**6
    numpy.save(path, ids)
    loader = loader_of(directory / "train", directory, shuffle=True, prefetch=prefetch)
    with pytest.raises(
        ConfigurationError, match=r"00003.ids.npy holds the type 1000000, but there are types from 0 to"
    ):
        list(loader)


def test_a_folder_that_is_not_prepared_is_an_error(prepared, tmp_path):
    with pytest.raises(ConfigurationError, match="is a folder, but not of a prepared corpus"):
        loader_of(tmp_path, prepared)
