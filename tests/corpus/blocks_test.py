import gzip
import hashlib

import pytest

from elmo_plugin.corpus.blocks import BlockReader
from elmo_plugin.corpus.sources import find_sources


def read(tmp_path, data, block_bytes, keep_paragraphs=False, name="a.txt"):
    path = tmp_path / name
    path.write_bytes(data)
    reader = BlockReader(find_sources([str(path)]), block_bytes, keep_paragraphs)
    return reader, list(reader)


@pytest.mark.parametrize("block_bytes", [1, 2, 5, 7, 100])
def test_blocks_are_whole_lines_that_add_up_to_the_input(tmp_path, block_bytes):
    data = b"one\ntwo two\n\nthree"
    reader, blocks = read(tmp_path, data, block_bytes)
    assert b"".join(block.data for block in blocks) == data
    assert [block.index for block in blocks] == list(range(len(blocks)))
    for block in blocks:
        assert data[block.offset :].startswith(block.data)
        assert block.first_line == data.count(b"\n", 0, block.offset) + 1
    assert all(block.data.endswith(b"\n") for block in blocks[:-1] if not block.line_is_cut)


def test_blocks_end_at_blank_lines_where_paragraphs_are_kept(tmp_path):
    data = b"a a\na a\n \t\r\nb b\nb b\n\nc\n"
    _, blocks = read(tmp_path, data, 14, keep_paragraphs=True)
    assert [block.data for block in blocks] == [b"a a\na a\n \t\r\n", b"b b\nb b\n\n", b"c\n"]


def test_a_text_without_blank_lines_is_cut_after_lines(tmp_path):
    _, blocks = read(tmp_path, b"a a\nb b\nc c\n", 5, keep_paragraphs=True)
    assert [block.data for block in blocks] == [b"a a\n", b"b b\n", b"c c\n"]


def test_a_line_without_end_is_cut_at_a_space_and_said_to_be(tmp_path):
    _, blocks = read(tmp_path, b"word " * 40, 8)
    assert b"".join(block.data for block in blocks) == b"word " * 40
    assert [block.line_is_cut for block in blocks] == [True, False]
    assert all(block.data.endswith(b" ") for block in blocks)


def test_a_line_without_end_or_space_is_cut_between_characters(tmp_path):
    text = "字" * 60
    _, blocks = read(tmp_path, text.encode(), 8)
    assert len(blocks) > 1
    assert "".join(block.data.decode("utf-8") for block in blocks) == text


def test_the_reader_tells_size_and_hash_of_the_decompressed_bytes(tmp_path):
    reader, _ = read(tmp_path, gzip.compress(b"one\ntwo\n"), 3, name="a.txt.gz")
    expected = hashlib.sha256(b"one\ntwo\n").hexdigest()
    assert reader.files == [{"name": str(tmp_path / "a.txt.gz"), "bytes": 8, "sha256": expected}]


def test_a_truncated_archive_is_named_with_the_place(tmp_path):
    packed = gzip.compress(bytes(range(256)) * 1000)
    with pytest.raises(ValueError, match=r"a.txt.gz: cannot be read on after \d+ \(decompressed\) bytes: .*complete"):
        read(tmp_path, packed[:-500], 1000, name="a.txt.gz")


def test_a_file_that_is_not_what_its_ending_says_is_named(tmp_path):
    with pytest.raises(ValueError, match="a.txt.xz: cannot be read on after 0 .*what its ending says"):
        read(tmp_path, b"plain text\n", 100, name="a.txt.xz")
