import errno
import json
import os
import shutil
import subprocess
import sys
from collections import namedtuple

import h5py
import numpy
import pytest
import torch

from elmo_plugin.bilm import dump_writers
from elmo_plugin.bilm.batches import Batching
from elmo_plugin.bilm.dump import DumpSettings, Progress, parts_folder, write_dump
from elmo_plugin.bilm.embedding import SentenceReader, embed_block, steady_state_of
from elmo_plugin.bilm.weights import load_bilm
from tests.closeness import assert_close
from tests.conftest import PROJECT_ROOT

FIXTURE = PROJECT_ROOT / "fixtures" / "bilm"
LINES = (PROJECT_ROOT / "fixtures/corpus/heldout.txt").read_text().splitlines()[:20]
LINES[5:5] = ["", "either / or", LINES[0], "50 % of it", ".", ""]
# About two sentences.
SMALL_PARTS = 3 * 32 * 4 * 15


def reader(policy="steady"):
    bilm = load_bilm(FIXTURE / "options.json", FIXTURE / "weights.hdf5")
    return SentenceReader(bilm, policy, steady_state_of(bilm, FIXTURE / "weights.hdf5"))


def contents(path):
    with h5py.File(path) as file:
        return {key: item[()] for key, item in file.items()}


def expected(policy="steady", **named):
    return embed_block(reader(policy), [line.split() for line in LINES], Batching(4), **named)[0]


def assert_vectors(found, arrays):
    for array, other in zip(found, arrays):
        assert array.shape == other.shape and array.dtype == other.dtype
        assert_close(array, other, 1e-5 if array.dtype == "float32" else 2e-3)


@pytest.mark.parametrize("policy", ["zero", "steady", "stateful"])
@pytest.mark.parametrize("part_bytes", [SMALL_PARTS, 2**27])
def test_every_line_has_its_vectors_under_its_number(tmp_path, policy, part_bytes):
    settings = DumpSettings(batching=Batching(4), part_bytes=part_bytes)
    text = write_dump(reader(policy), LINES, tmp_path / "v.hdf5", settings)
    found = contents(tmp_path / "v.hdf5")
    assert (text.num_sentences, text.num_tokens) == (len(LINES), sum(len(line.split()) for line in LINES))
    assert set(found) == {"sentence_to_index", *map(str, range(len(LINES)))}
    assert_vectors([found[str(number)] for number in range(len(LINES))], expected(policy))
    assert [path.name for path in tmp_path.iterdir()] == ["v.hdf5"]


def test_the_index_is_json_in_a_string_and_names_the_last_of_lines_alike(tmp_path):
    write_dump(reader(), LINES, tmp_path / "v.hdf5", DumpSettings())
    with h5py.File(tmp_path / "v.hdf5") as file:
        index = file["sentence_to_index"]
        assert index.shape == (1,) and h5py.check_string_dtype(index.dtype).length is None
        assert json.loads(index[0]) == {line: str(number) for number, line in enumerate(LINES)}


@pytest.mark.parametrize("form, shape", [("all", (3, 2, 32)), ("top", (2, 32)), ("average", (2, 32))])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_forms_and_dtypes(tmp_path, form, shape, dtype):
    lines = ["two words", "", "and three words"]
    settings = DumpSettings(form, dtype, forget_sentences=True, part_bytes=1)
    write_dump(reader(), lines, tmp_path / "v.hdf5", settings)
    found = contents(tmp_path / "v.hdf5")
    assert set(found) == {"0", "1", "2"}
    assert found["0"].shape == shape
    wanted, _ = embed_block(reader(), [line.split() for line in lines], Batching(), form=form, dtype=dtype)
    assert_vectors([found[key] for key in "012"], wanted)


def test_with_sentences_as_keys_there_are_still_as_many_vectors_as_lines(tmp_path):
    settings = DumpSettings(batching=Batching(4), use_sentence_keys=True)
    write_dump(reader("stateful"), LINES, tmp_path / "v.hdf5", settings)
    found, wanted = contents(tmp_path / "v.hdf5"), expected("stateful")
    assert len(found) == len(LINES)
    keys = {
        0: LINES[0],
        5: "%",
        6: "either %2F or",
        7: f"{LINES[0]}%#2",
        8: "50 % of it",
        9: "%2E",
        10: "%%#2",
        11: LINES[11],
    }
    assert_vectors([found[key] for key in keys.values()], [wanted[number] for number in keys])


class Stop(Exception):
    pass


def stopping_after(num_batches):
    calls = []

    def on_progress(progress):
        calls.append(progress)
        if len(calls) > num_batches:
            raise Stop

    return on_progress


@pytest.mark.parametrize("policy", ["zero", "steady", "stateful"])
def test_a_stopped_run_goes_on_where_it_was_and_the_file_is_the_same(tmp_path, policy, monkeypatch):
    settings = DumpSettings(batching=Batching(4), part_bytes=SMALL_PARTS)
    write_dump(reader(policy), LINES, tmp_path / "whole.hdf5", settings)
    with pytest.raises(Stop):
        write_dump(reader(policy), LINES, tmp_path / "v.hdf5", settings, on_progress=stopping_after(3))
    assert not (tmp_path / "v.hdf5").exists()
    num_parts = len(list(parts_folder(tmp_path / "v.hdf5").glob("*.hdf5")))
    assert num_parts >= 2
    this, read, progress = reader(policy), [], []
    original = SentenceReader.read
    monkeypatch.setattr(SentenceReader, "read", lambda self, s, c=None: read.extend(s) or original(self, s, c))
    write_dump(this, LINES, tmp_path / "v.hdf5", settings, on_progress=progress.append)
    assert 0 < len(read) < len(LINES) - num_parts
    num_tokens = sum(len(line.split()) for line in LINES)
    assert progress[0] == Progress(num_tokens, num_tokens - sum(map(len, read)))
    assert progress[-1] == Progress(num_tokens, num_tokens)
    one, other = contents(tmp_path / "whole.hdf5"), contents(tmp_path / "v.hdf5")
    assert set(one) == set(other)
    keys = [key for key in one if key != "sentence_to_index"]
    assert_vectors([one[key] for key in keys], [other[key] for key in keys])
    assert not parts_folder(tmp_path / "v.hdf5").exists()


def test_a_stop_while_the_file_is_put_together_loses_nothing(tmp_path, monkeypatch):
    settings = DumpSettings(part_bytes=SMALL_PARTS)
    with monkeypatch.context() as patch:
        patch.setattr(dump_writers.SentenceKeys, "__call__", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            write_dump(reader(), LINES, tmp_path / "v.hdf5", settings._replace(use_sentence_keys=True))
    assert [path.name for path in tmp_path.iterdir()] == ["v.hdf5.parts"]
    monkeypatch.setattr(SentenceReader, "read", lambda *_: 1 / 0)
    write_dump(reader(), LINES, tmp_path / "v.hdf5", settings)
    assert len(contents(tmp_path / "v.hdf5")) == len(LINES) + 1


def test_after_running_out_of_memory_smaller_batches_go_on_from_the_same_parts(tmp_path):
    settings = DumpSettings(part_bytes=SMALL_PARTS)
    with pytest.raises(Stop):
        write_dump(reader(), LINES, tmp_path / "v.hdf5", settings, on_progress=stopping_after(3))
    write_dump(reader(), LINES, tmp_path / "v.hdf5", settings._replace(batching=Batching(1, 10)))
    assert_vectors([contents(tmp_path / "v.hdf5")["20"]], [expected()[20]])


@pytest.mark.parametrize(
    "policy, lines, settings, what",
    [
        ("steady", LINES[:-1], DumpSettings(), "text"),
        ("zero", LINES, DumpSettings(), "state, steady state"),
        ("steady", LINES, DumpSettings(form="top"), "layers"),
        ("steady", LINES, DumpSettings(dtype="float16"), "dtype"),
    ],
)
def test_parts_of_another_run_are_refused_unless_forced(tmp_path, policy, lines, settings, what):
    settings = settings._replace(part_bytes=SMALL_PARTS)
    started = DumpSettings(part_bytes=SMALL_PARTS)
    with pytest.raises(Stop):
        write_dump(reader(), LINES, tmp_path / "v.hdf5", started, on_progress=stopping_after(3))
    with pytest.raises(ValueError, match=f"v.hdf5.parts holds .* it had other {what}\\. Repeat that run"):
        write_dump(reader(policy), lines, tmp_path / "v.hdf5", settings)
    write_dump(reader(policy), lines, tmp_path / "v.hdf5", settings, force=True)
    assert len(contents(tmp_path / "v.hdf5")) == len(lines) + 1


def test_another_batch_size_is_another_run_where_the_state_is_carried(tmp_path):
    settings = DumpSettings(batching=Batching(4), part_bytes=SMALL_PARTS)
    with pytest.raises(Stop):
        write_dump(reader("stateful"), LINES, tmp_path / "v.hdf5", settings, on_progress=stopping_after(2))
    with pytest.raises(ValueError, match="it had other batch size"):
        write_dump(reader("stateful"), LINES, tmp_path / "v.hdf5", settings._replace(batching=Batching(5)))


def test_an_existing_file_is_replaced_only_with_force_and_only_when_the_new_one_is_whole(tmp_path):
    output = tmp_path / "v.hdf5"
    write_dump(reader(), ["old"], output, DumpSettings())
    with pytest.raises(ValueError, match="v.hdf5: already exists. Use --force to overwrite it, or give another name"):
        write_dump(reader(), LINES, output, DumpSettings())
    with pytest.raises(Stop):
        write_dump(reader(), LINES, output, DumpSettings(), force=True, on_progress=stopping_after(0))
    assert list(json.loads(contents(output)["sentence_to_index"][0])) == ["old"]
    write_dump(reader(), LINES, output, DumpSettings(), force=True)
    assert len(contents(output)) == len(LINES) + 1


@pytest.mark.parametrize(
    "output, lines, settings, message",
    [
        ("", LINES, DumpSettings(), "is a folder; give the name of the HDF5 file to write"),
        ("no/v.hdf5", LINES, DumpSettings(), "There is no folder .*no to write v.hdf5 in"),
        ("v.hdf5", [], DumpSettings(), "There is no line to embed"),
        ("v.hdf5", LINES, DumpSettings("best"), "`output_format` must be one of all, top, average, but it is 'best'"),
        ("v.hdf5", LINES, DumpSettings(batching=Batching(0)), "`batch_size` .* must be at least 1"),
    ],
)
def test_what_can_not_be_written_is_refused_before_anything_is_computed(tmp_path, output, lines, settings, message):
    with pytest.raises(ValueError, match=message):
        write_dump(reader(), lines, tmp_path / output, settings)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_with_too_little_room_is_refused_before_anything_is_computed(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 10**4))
    monkeypatch.setattr(SentenceReader, "read", lambda *_: 1 / 0)
    message = r"v.hdf5 will hold [\d,]+ bytes and needs as much again .* only 10,000 bytes are free"
    with pytest.raises(ValueError, match=message):
        write_dump(reader(), LINES, tmp_path / "v.hdf5", DumpSettings())


def test_a_place_without_permission_is_a_clear_error(tmp_path):
    (tmp_path / "v.hdf5.parts").write_text("a file where a folder should be")
    message = "v.hdf5 could not be written .*File exists.* Nothing is kept. Mend the cause – make room"
    with pytest.raises(ValueError, match=message):
        write_dump(reader(), LINES, tmp_path / "v.hdf5", DumpSettings())


# No file may grow beyond a limit, which is how a full disk looks from within.
FULL_DISK = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.bilm.dump_test import LINES, SMALL_PARTS, reader
from elmo_plugin.bilm.dump import DumpSettings, write_dump
this = reader()
for limit in sys.argv[2:]:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.RLIM_INFINITY))
    try:
        write_dump(this, LINES, Path(limit), DumpSettings(part_bytes=SMALL_PARTS))
    except ValueError as error:
        print(error)
"""
# Too little for a part; enough for every part, but not for the file.
LIMITS = {"1000": False, "30000": True}


def test_a_disk_that_fills_up_leaves_what_was_computed_and_nothing_half_written(tmp_path):
    command = [sys.executable, "-c", FULL_DISK, str(PROJECT_ROOT), *LIMITS]
    answer = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    messages = answer.stdout.splitlines()
    assert len(messages) == 2, answer.stderr
    for (limit, has_parts), message in zip(LIMITS.items(), messages):
        assert message.startswith(f"{limit} could not be written ({os.strerror(errno.EFBIG)}). What was")
        assert f"What was computed is kept in {limit}.parts. Mend the cause – make room" in message
        names = sorted(path.name for path in parts_folder(tmp_path / limit).iterdir())
        assert names == [f"{index:06d}.hdf5" for index in range(len(names) - 1)] + ["run.json"]
        assert (len(names) > 1) == has_parts
        write_dump(reader(), LINES, tmp_path / limit, DumpSettings(part_bytes=SMALL_PARTS))
        assert_vectors([contents(tmp_path / limit)["20"]], [expected()[20]])
    assert sorted(path.name for path in tmp_path.iterdir()) == list(LIMITS)


def test_the_same_run_gives_the_very_same_file_contents(tmp_path):
    for name in ("a", "b"):
        write_dump(reader(), LINES, tmp_path / name, DumpSettings(part_bytes=SMALL_PARTS))
    one, other = contents(tmp_path / "a"), contents(tmp_path / "b")
    assert all(numpy.array_equal(one[key], other[key]) for key in one)


def test_the_published_dump_of_bilm_tf_comes_out_of_one_sentence_batches_with_the_state_carried(tmp_path, shared_data):
    folder = shared_data / "elmo" / "allennlp_fixture"
    lines = json.loads((folder / "sentences.json").read_text())[0]
    bilm = load_bilm(folder / "options.json", folder / "lm_weights.hdf5")
    settings = DumpSettings(batching=Batching(1), forget_sentences=True)
    write_dump(SentenceReader(bilm, "stateful"), lines, tmp_path / "v.hdf5", settings)
    found, published = contents(tmp_path / "v.hdf5"), contents(folder / "lm_embeddings_0.hdf5")
    assert set(found) == {str(number) for number in range(len(lines))}
    for key, layers in found.items():
        top = torch.cat(list(torch.from_numpy(published[key])), dim=1)
        assert_close(layers[-1], top)
