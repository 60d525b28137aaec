"""Checkpoints of TensorFlow are read as they were written, and what is wrong with them is named."""

import struct

import numpy
import pytest

from elmo_plugin.bilm.importing.checkpoint import Checkpoint, checkpoint_prefix
from elmo_plugin.bilm.importing.sstable import read_table
from tests.checkpoint_files import (
    block,
    crc32c,
    entry_message,
    header_message,
    integer_field,
    masked,
    message_field,
    table,
    write_checkpoint,
)

# Every table has one, for which nobody has a use.
EMPTY_BLOCK = block([], 1)


@pytest.fixture
def arrays():
    rng = numpy.random.default_rng(0)
    shapes = {f"lm/RNN_0/rnn/cell_{i}/kernel": (3, i + 1) for i in range(12)}
    floats = {name: rng.normal(size=shape).astype(numpy.float32) for name, shape in shapes.items()}
    others = {
        "double": rng.normal(size=5),
        "half": rng.normal(size=(2, 3)).astype(numpy.float16),
        "long": rng.integers(-9, 9, size=(2, 2)),
        "number": numpy.array(7, dtype=numpy.int32),
        "nothing": numpy.zeros((0, 4), numpy.float32),
    }
    return {**floats, **others}


@pytest.mark.parametrize("num_shards, big_endian", [(1, False), (3, False), (2, True)])
@pytest.mark.parametrize("blocks", [dict(entries_per_block=1), dict(entries_per_block=4), dict(entries_per_block=100)])
def test_every_tensor_comes_out_as_it_went_in(arrays, num_shards, big_endian, blocks, tmp_path):
    checkpoint = Checkpoint(write_checkpoint(tmp_path / "model.ckpt-7", arrays, num_shards, big_endian, **blocks))
    assert set(checkpoint.entries) == set(arrays)
    for name, array in arrays.items():
        assert checkpoint.shape(name) == array.shape
        found = checkpoint.read(name)
        assert found.dtype.newbyteorder("=") == array.dtype
        numpy.testing.assert_array_equal(found, array)


def test_keys_that_share_beginnings_and_long_values_come_out_of_a_table(tmp_path):
    entries = {b"a" * i: bytes([i]) * (i * 40) for i in range(40)}
    (tmp_path / "table").write_bytes(table(entries, entries_per_block=7, restart_interval=4))
    assert read_table(tmp_path / "table") == entries


@pytest.mark.parametrize("kept", [0, 20, 47, 48, 300, -1])
def test_an_index_that_is_cut_short_is_named(arrays, kept, tmp_path):
    write_checkpoint(tmp_path / "m", arrays)
    index = tmp_path / "m.index"
    index.write_bytes(index.read_bytes()[:kept])
    message = "m.index: expected the index of a TensorFlow checkpoint, which ends with .*cut short"
    with pytest.raises(ValueError, match=message):
        Checkpoint(tmp_path / "m")


def test_an_index_that_lost_its_middle_is_named(arrays, tmp_path):
    write_checkpoint(tmp_path / "m", arrays)
    index = tmp_path / "m.index"
    content = index.read_bytes()
    index.write_bytes(content[:100] + content[200:])
    with pytest.raises(ValueError, match="m.index: the index of this checkpoint is damaged: .*Get the file again"):
        Checkpoint(tmp_path / "m")


def test_no_single_changed_byte_of_an_index_goes_unseen(arrays, tmp_path):
    expected = {name: array.shape for name, array in arrays.items()}
    write_checkpoint(tmp_path / "m", {name: arrays[name] for name in list(arrays)[:4]})
    index = tmp_path / "m.index"
    content = index.read_bytes()
    unused = content.index(EMPTY_BLOCK)
    for place in range(0, len(content), 5):
        changed = bytearray(content)
        changed[place] ^= 0x15
        index.write_bytes(changed)
        try:
            found = Checkpoint(tmp_path / "m")
        except ValueError as error:
            assert "m.index" in str(error)
        else:  # A block of no use, its handle, and the zeros that fill the footer.
            assert unused <= place < unused + 13 or place >= len(content) - 48
            assert all(found.shape(name) == expected[name] for name in found.entries)


def test_a_compressed_block_is_refused(arrays, tmp_path):
    write_checkpoint(tmp_path / "m", {}, entries_per_block=1)
    index = tmp_path / "m.index"
    content = bytearray(index.read_bytes())
    size = content.index(EMPTY_BLOCK) + len(EMPTY_BLOCK)  # A block of one restart ends as an empty one.
    content[size] = 1
    content[size + 1 : size + 5] = masked(crc32c(bytes(content[: size + 1])))
    index.write_bytes(content)
    with pytest.raises(ValueError, match=r"is compressed \(kind 1\), which no index of TensorFlow's format V2 is"):
        Checkpoint(tmp_path / "m")


def test_a_table_without_a_header_is_none_of_a_checkpoint(tmp_path):
    (tmp_path / "m.index").write_bytes(table({b"a": b"b"}))
    with pytest.raises(ValueError, match="the index has no header, so it is none of a checkpoint"):
        Checkpoint(tmp_path / "m")


def test_an_entry_that_is_no_message_is_named(arrays, tmp_path):
    write_checkpoint(tmp_path / "m", arrays, entries={"bad": b"\x0b\x01"})
    with pytest.raises(ValueError, match="m.index: an entry is damaged: a field of the unknown kind 3"):
        Checkpoint(tmp_path / "m")
    write_checkpoint(tmp_path / "m", arrays, entries={"bad": b"\x12\x05ab"})
    with pytest.raises(ValueError, match="an entry is damaged: the data ends in the middle of a field"):
        Checkpoint(tmp_path / "m")


def test_missing_data_files_are_all_listed(arrays, tmp_path):
    write_checkpoint(tmp_path / "m", arrays, num_shards=3)
    (tmp_path / "m.data-00000-of-00003").unlink()
    (tmp_path / "m.data-00002-of-00003").unlink()
    message = "has 3 data files, .* missing: .*m.data-00000-of-00003, .*m.data-00002-of-00003"
    with pytest.raises(ValueError, match=message):
        Checkpoint(tmp_path / "m")


def test_a_changed_byte_of_the_data_is_seen(arrays, tmp_path):
    checkpoint = Checkpoint(write_checkpoint(tmp_path / "m", arrays, num_shards=1))
    path = tmp_path / "m.data-00000-of-00001"
    content = bytearray(path.read_bytes())
    content[checkpoint.entries["double"].offset + 3] ^= 1
    path.write_bytes(content)
    message = "the tensor double: the checksum of its bytes in .*is wrong. The file is damaged"
    with pytest.raises(ValueError, match=message):
        checkpoint.read("double")
    numpy.testing.assert_array_equal(checkpoint.read("half"), arrays["half"])


def test_a_data_file_that_is_cut_short_is_named(arrays, tmp_path):
    checkpoint = Checkpoint(write_checkpoint(tmp_path / "m", arrays, num_shards=1))
    path = tmp_path / "m.data-00000-of-00001"
    path.write_bytes(path.read_bytes()[:10])
    with pytest.raises(ValueError, match="should hold 40 bytes at 0, but its size is 10. It is cut short"):
        checkpoint.read("double")


@pytest.mark.parametrize(
    "message, expected",
    [
        (entry_message(7, (2,), 0, 0, 8, bytes(4)), "it is of TensorFlow's type 7, which can't be read"),
        (entry_message(1, (2,), 0, 0, 8, bytes(4)) + message_field(7, b""), "it is in partitions, which can't be read"),
        (entry_message(1, (2,), 5, 0, 8, bytes(4)), "it is in data file 5 of 2. The index is damaged"),
        (entry_message(1, (3,), 0, 0, 8, bytes(4)), r"8 bytes are no float32 of shape \(3,\). The index is damaged"),
    ],
)
def test_an_entry_that_makes_no_sense_is_named(arrays, message, expected, tmp_path):
    checkpoint = Checkpoint(write_checkpoint(tmp_path / "m", arrays, entries={"odd": message}))
    with pytest.raises(ValueError, match=f"the tensor odd: .*{expected}"):
        checkpoint.read("odd")


# As TensorFlow names a part of a tensor: 0, the name with its end, two dimensions with begin and length (-1 is all).
KEY_OF_A_PART = b"\0lm/softmax/W\0\x01\x01\x02\x80\x7f\x80\x85"


def test_a_tensor_in_parts_is_named_when_it_is_read_and_the_others_can_be(arrays, tmp_path):
    extents = message_field(1, b"") + message_field(1, integer_field(2, 5))
    whole = entry_message(1, (4, 5), 0, 0, 0, bytes(4)) + message_field(7, extents)
    part = entry_message(1, (4, 5), 0, 0, 80, bytes(4))
    prefix = tmp_path / "m"
    write_checkpoint(prefix, arrays, entries={"lm/softmax/W": whole, KEY_OF_A_PART: part})
    checkpoint = Checkpoint(prefix)
    assert set(checkpoint.entries) == {*arrays, "lm/softmax/W"}
    with pytest.raises(ValueError, match="the tensor lm/softmax/W: it is in partitions, .* without a partitioner"):
        checkpoint.read("lm/softmax/W")
    numpy.testing.assert_array_equal(checkpoint.read("half"), arrays["half"])


def test_numbers_of_bfloat16_come_out_as_float32(tmp_path):
    numbers = numpy.array([[1.0, -2.5], [0.15625, 3e38]], numpy.float32)
    content = b"".join(struct.pack(">f", number)[1::-1] for number in numbers.ravel())
    entry = entry_message(14, (2, 2), 0, 0, 8, masked(crc32c(content)))
    arrays = {"brain": numpy.frombuffer(content, numpy.float16)}
    found = Checkpoint(write_checkpoint(tmp_path / "m", arrays, num_shards=1, entries={"brain": entry})).read("brain")
    assert found.dtype == numpy.float32
    numpy.testing.assert_allclose(found, numbers, rtol=2**-7)


def test_a_tensor_of_unknown_rank_has_no_shape(arrays, tmp_path):
    message = integer_field(1, 1) + message_field(2, integer_field(3, 1))
    checkpoint = Checkpoint(write_checkpoint(tmp_path / "m", arrays, entries={"odd": message}))
    assert checkpoint.shape("odd") == (-1,)


def test_a_checkpoint_is_found_by_any_of_its_names(arrays, tmp_path):
    prefix = write_checkpoint(tmp_path / "model.ckpt-20", arrays)
    for name in ("model.ckpt-20", "model.ckpt-20.index", "model.ckpt-20.data-00001-of-00002", "model.ckpt-20.meta"):
        assert checkpoint_prefix(tmp_path / name) == prefix
    assert checkpoint_prefix(tmp_path) == prefix


def test_of_several_checkpoints_the_latest_is_taken_where_a_file_names_it(arrays, tmp_path):
    write_checkpoint(tmp_path / "model.ckpt-20", arrays)
    latest = write_checkpoint(tmp_path / "model.ckpt-9", arrays)
    message = "several checkpoints and no file 'checkpoint' .*: model.ckpt-20.index, model.ckpt-9"
    with pytest.raises(ValueError, match=message):
        checkpoint_prefix(tmp_path)
    (tmp_path / "checkpoint").write_text(
        'model_checkpoint_path: "/home/someone/out/model.ckpt-9"\nall_model_checkpoint_paths: "model.ckpt-20"\n'
    )
    assert checkpoint_prefix(tmp_path) == latest


def test_the_old_format_is_recognised_and_refused(tmp_path):
    (tmp_path / "model.ckpt").write_bytes(table({b"": header_message(1)}))
    with pytest.raises(ValueError, match="checkpoint of the old format V1 .*save it again with TensorFlow 1.x"):
        checkpoint_prefix(tmp_path / "model.ckpt")


def test_no_checkpoint_is_an_error(tmp_path):
    message = "There is no TensorFlow checkpoint .*none: expected a file .*none.index"
    with pytest.raises(FileNotFoundError, match=message):
        checkpoint_prefix(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="holds no TensorFlow checkpoint: no file ends with .index"):
        checkpoint_prefix(tmp_path)
    with pytest.raises(FileNotFoundError, match="There is no index .*none.index of a TensorFlow checkpoint"):
        Checkpoint(tmp_path / "none")
    (tmp_path / "text").write_text("nothing of the kind")
    with pytest.raises(FileNotFoundError, match="There is no TensorFlow checkpoint"):
        checkpoint_prefix(tmp_path / "text")


def test_the_number_at_the_end_is_that_of_tables():
    assert struct.unpack("<Q", table({})[-8:]) == (0xDB4775248B80FB57,)
