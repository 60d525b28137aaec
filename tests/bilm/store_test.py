import json
import os
import shutil

import numpy
import pytest
import torch

from elmo_plugin.bilm.batches import Batching
from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.characters import words_to_characters
from elmo_plugin.bilm.dump import DumpSettings, write_dump
from elmo_plugin.bilm.dump_writers import describe_store
from elmo_plugin.bilm.embedding import SentenceReader, embed_block, steady_state_of
from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.store import StoreWriter, VectorStore
from elmo_plugin.bilm.stored_layers import StoredLayers, readable
from elmo_plugin.bilm.vocabulary import WordVocabulary
from elmo_plugin.bilm.weights import load_bilm
from tests.bilm.small_models import small_bilm
from tests.closeness import assert_close
from tests.conftest import PROJECT_ROOT

FIXTURE = PROJECT_ROOT / "fixtures" / "bilm"
LINES = (PROJECT_ROOT / "fixtures/corpus/heldout.txt").read_text().splitlines()[:8]
LINES += ["", LINES[2], f"{'č' * 60} ends", "one"]


def reader_of(policy="steady"):
    bilm = load_bilm(FIXTURE / "options.json", FIXTURE / "weights.hdf5")
    return SentenceReader(bilm, policy, steady_state_of(bilm, FIXTURE / "weights.hdf5") if policy == "steady" else None)


def write(reader, folder, lines=LINES, dtype="float32", force=False, **named):
    description = describe_store(reader, dtype)
    settings = DumpSettings(dtype=dtype, batching=Batching(4), **named)
    write_dump(reader, lines, folder, settings, force, None, lambda path: StoreWriter(path, description, reader.steady))
    return VectorStore(folder)


def ids(words):
    return words_to_characters(words, 50)


def batch_of(lines):
    sentences = [line.split() for line in lines]
    result = torch.zeros(len(lines), max(map(len, sentences)), 50, dtype=torch.int64)
    for row, sentence in zip(result, sentences):
        row[: len(sentence)] = torch.from_numpy(ids(sentence))
    return result


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write(reader_of(), tmp_path_factory.mktemp("store") / "s", part_bytes=3 * 32 * 4 * 30)


def test_every_sentence_is_found_with_all_its_layers(store):
    expected, _ = embed_block(reader_of(), [line.split() for line in LINES], Batching(4))
    for line, layers in zip(LINES, expected):
        found = store.find(ids(line.split()))
        assert_close(found, layers.transpose(1, 0, 2))
    assert len(store) == len(set(LINES)) and store.find(ids(["never", "met"])) is None
    names = ["keys.npy", "starts.npy", "steady.npz", "store.json", "vectors.npy"]
    assert sorted(path.name for path in store.folder.iterdir()) == names
    assert [path.name for path in store.folder.parent.iterdir()] == ["s"]


def test_vectors_are_a_mapped_array_of_numpy_and_sentences_alike_are_there_once(store):
    array = numpy.load(store.folder / "vectors.npy", mmap_mode="r")
    assert array.shape == (sum(len(line.split()) for line in set(LINES)), 3, 32)
    assert numpy.shares_memory(store.find(ids(["one"])), store._vectors) and isinstance(store._vectors, numpy.memmap)


def test_words_cut_to_the_same_beginning_are_the_same(store):
    assert store.find(ids(["č" * 99, "ends"])) is not None


def test_half_precision_takes_half_the_room(tmp_path, store):
    half = write(reader_of(), tmp_path / "s", dtype="float16")
    assert_close(half.find(ids(["one"])), store.find(ids(["one"])), 2e-3)
    sizes = [(one.folder / "vectors.npy").stat().st_size - 128 for one in (half, store)]
    assert 2 * sizes[0] == sizes[1]


def test_the_steady_state_is_kept_where_it_is_the_policy(tmp_path, store):
    assert torch.equal(store.steady.backward_.memory, reader_of().steady.backward_.memory)
    assert write(reader_of("zero"), tmp_path / "s").steady is None


def test_layers_are_looked_up_and_what_is_missing_is_computed_if_there_is_a_bilm(store):
    batch = batch_of([LINES[0], "never met", "", LINES[2]])
    reader = reader_of()
    with torch.no_grad():
        expected, _ = reader.bilm.represent(batch, reader.steady.repeat_rows(4))
    layers = StoredLayers(store.description, store, reader)
    found, mask = layers(batch)
    assert torch.equal(mask, (batch != 0).any(dim=2))
    assert (layers.num_found, layers.num_computed) == (3, 1)
    for layer, wanted in zip(found, expected.layers):
        assert_close(layer, expected.without_boundaries(wanted))
    without, _ = StoredLayers(store.description, None, reader)(batch)
    assert_close(without[2], found[2])


def test_a_missing_sentence_without_a_bilm_is_named_with_the_remedy(store):
    message = "no vectors of the sentence 'never mét', .* Give `options_file` and `weight_file` of"
    with pytest.raises(ValueError, match=message):
        StoredLayers(store.description, store, None)(batch_of(["one", "never mét"]))
    assert readable(ids(["<S>", "a", "č" * 60])).startswith(" a čč")


def test_another_width_of_words_is_refused(store):
    message = r"shape \(batch_size, num_tokens, 50\).* is \(1, 2, 30\). Give the token indexer"
    with pytest.raises(ValueError, match=message):
        StoredLayers(store.description, store, None)(torch.ones(1, 2, 30, dtype=torch.int64))


def test_a_store_of_other_weights_is_refused(store):
    reader = reader_of()
    with torch.no_grad():
        reader.bilm.forward_lstm.layers[0].bias[0] += 1
    message = "computed with a biLM of fingerprint .{16}…, but the given options and weights have"
    with pytest.raises(ValueError, match=message):
        StoredLayers(store.description, store, reader)


def test_carried_states_and_word_ids_can_not_be_stored():
    with pytest.raises(ValueError, match="a sentence has other vectors in another place, so they can't be stored"):
        describe_store(SentenceReader(small_bilm(), "stateful"), "float32")
    model = Bilm(BilmOptions.from_dict({"lstm": {"dim": 4, "projection_dim": 3, "n_layers": 1}, "n_tokens_vocab": 4}))
    words = SentenceReader(model, "zero", vocabulary=WordVocabulary(["<S>", "</S>", "<UNK>", "a"]))
    with pytest.raises(ValueError, match="keyed by the characters of words, but this biLM reads word ids"):
        describe_store(words, "float32")


def damage(folder, name, change):
    content = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps({**content, **change}))


@pytest.mark.parametrize(
    "break_it, message",
    [
        (lambda f: shutil.rmtree(f), "s is no store of vectors: there is no store.json in it. Give the folder that"),
        (lambda f: (f / "store.json").write_text("{"), "store.json does not describe a store"),
        (lambda f: damage(f, "store.json", {"version": 9}), "its version is 9, but only 1 can be read"),
        (lambda f: damage(f, "store.json", {"more": 9}), "store.json does not describe a store"),
        (lambda f: (f / "keys.npy").unlink(), "is not a whole store of vectors .*keys.npy"),
        (lambda f: (f / "steady.npz").unlink(), "is not a whole store of vectors .*steady.npz"),
        (lambda f: (f / "vectors.npy").write_bytes(b"x"), "is not a whole store of vectors"),
        (lambda f: (f / "starts.npy").write_bytes(b""), "is not a whole store of vectors"),
        (lambda f: (f / "steady.npz").write_bytes(b""), "is not a whole store of vectors"),
        (lambda f: os.truncate(f / "steady.npz", 99), "is not a whole store of vectors"),
        (lambda f: numpy.save(f / "starts.npy", numpy.arange(3)), r"vectors.npy should have the shape \(2, 3, 32\)"),
    ],
)
def test_a_folder_that_is_no_whole_store_is_refused(tmp_path, store, break_it, message):
    shutil.copytree(store.folder, tmp_path / "s")
    break_it(tmp_path / "s")
    with pytest.raises(ValueError, match=message):
        VectorStore(tmp_path / "s")


def test_a_failure_leaves_nothing_half_written(tmp_path):
    writer = StoreWriter(tmp_path / "s", describe_store(reader_of(), "float32"), None)
    with pytest.raises(ZeroDivisionError), writer as file:
        file.add("a b", numpy.zeros((3, 2, 32), dtype="float32"))
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_store_is_replaced_with_force_and_any_other_folder_never(tmp_path):
    reader = reader_of("zero")
    write(reader, tmp_path / "s", lines=["old"])
    with pytest.raises(ValueError, match="s: already exists. Use --force"):
        write(reader, tmp_path / "s", lines=["new"])
    assert write(reader, tmp_path / "s", lines=["new"], force=True).find(ids(["new"])) is not None
    (tmp_path / "mine").mkdir()
    with pytest.raises(ValueError, match="mine is a folder; give the name of the HDF5 file to write, or of a store"):
        write(reader, tmp_path / "mine", lines=["new"], force=True)


def test_a_store_and_a_file_in_each_others_place_are_refused_before_anything_is_computed(tmp_path, monkeypatch):
    reader = reader_of("zero")
    write(reader, tmp_path / "s", lines=["old"])
    (tmp_path / "v.hdf5").write_text("old")
    monkeypatch.setattr(SentenceReader, "read", lambda *_: 1 / 0)
    for force in (True, False):
        with pytest.raises(ValueError, match="s is a folder; give the name of the HDF5 file to write"):
            write_dump(reader, ["new"], tmp_path / "s", DumpSettings(), force)
        with pytest.raises(ValueError, match="v.hdf5 is a file, but a store is a folder. Give another name"):
            write(reader, tmp_path / "v.hdf5", lines=["new"], force=force)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s", "v.hdf5"]
    assert VectorStore(tmp_path / "s").find(ids(["old"])) is not None


def test_the_store_among_the_fixtures_is_of_the_bilm_among_them():
    fixture = VectorStore(PROJECT_ROOT / "fixtures" / "store")
    layers = StoredLayers(fixture.description, fixture, reader_of())
    live = StoredLayers(fixture.description, None, reader_of())
    for stored, computed in zip(layers(batch_of(LINES[:8]))[0], live(batch_of(LINES[:8]))[0]):
        assert_close(stored, computed, 2e-3)
    assert (layers.num_found, layers.num_computed) == (8, 0)
