import gzip
import hashlib
import io
import lzma

import pytest

from elmo_plugin.corpus.blocks import BlockReader
from elmo_plugin.corpus.sources import find_sources


def read(tmp_path, data, block_bytes, keep_paragraphs=False, name="a.txt"):
    """The reader, and the pieces of its blocks."""
    path = tmp_path / name
    path.write_bytes(data)
    reader = BlockReader(find_sources([str(path)]), block_bytes, keep_paragraphs)
    return reader, [piece for block in reader for piece in block.pieces]


@pytest.mark.parametrize("block_bytes", [1, 2, 5, 7, 100])
def test_pieces_are_whole_lines_that_add_up_to_the_input(tmp_path, block_bytes):
    data = b"one\ntwo two\n\nthree"
    _, pieces = read(tmp_path, data, block_bytes)
    assert b"".join(piece.data for piece in pieces) == data
    for piece in pieces:
        assert data[piece.offset :].startswith(piece.data)
        assert piece.first_line == data.count(b"\n", 0, piece.offset) + 1
    assert all(piece.data.endswith(b"\n") for piece in pieces[:-1] if not piece.line_is_cut)


def test_blocks_are_numbered_and_large_enough(tmp_path):
    reader, _ = read(tmp_path, b"one\ntwo\nthree\nfour\n", 6)
    blocks = list(reader)
    assert [block.index for block in blocks] == list(range(len(blocks)))
    assert all(sum(len(piece.data) for piece in block.pieces) >= 3 for block in blocks[:-1])


def test_small_sources_share_a_block(tmp_path):
    for i in range(10):
        (tmp_path / f"{i}.txt").write_bytes(b"text %d" % i)
    blocks = list(BlockReader(find_sources([str(tmp_path)]), 60, False))
    assert [len(block.pieces) for block in blocks] == [5, 5]
    assert [piece.offset for block in blocks for piece in block.pieces] == [0] * 10


def test_pieces_end_at_blank_lines_where_paragraphs_are_kept(tmp_path):
    data = b"a a\na a\n \t\r\nb b\nb b\n\nc\n"
    _, pieces = read(tmp_path, data, 14, keep_paragraphs=True)
    assert [piece.data for piece in pieces] == [b"a a\na a\n \t\r\n", b"b b\nb b\n\nc\n"]


def test_a_text_without_blank_lines_is_cut_after_lines(tmp_path):
    _, pieces = read(tmp_path, b"a a\nb b\nc c\n", 5, keep_paragraphs=True)
    assert [piece.data for piece in pieces] == [b"a a\n", b"b b\n", b"c c\n"]


@pytest.mark.parametrize("encoding, mark", [("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")])
def test_of_a_file_in_utf_16_nothing_is_given_but_its_mark(tmp_path, encoding, mark):
    data = mark + ("one\n" * 50).encode(encoding)
    reader, pieces = read(tmp_path, data, 20)
    assert [(piece.offset, piece.data) for piece in pieces] == [(0, mark)]
    assert reader.files == [{"name": pieces[0].source, "bytes": 402, "sha256": hashlib.sha256(data).hexdigest()}]


def test_a_line_without_end_is_cut_at_a_space_and_said_to_be(tmp_path):
    _, pieces = read(tmp_path, b"word " * 40, 8)
    assert b"".join(piece.data for piece in pieces) == b"word " * 40
    assert [piece.line_is_cut for piece in pieces] == [True, False]
    assert all(piece.data.endswith(b" ") for piece in pieces)


def test_a_line_without_end_or_space_is_cut_between_characters(tmp_path):
    text = "字" * 60
    _, pieces = read(tmp_path, text.encode(), 8)
    assert len(pieces) > 1
    assert "".join(piece.data.decode("utf-8") for piece in pieces) == text


def zstandard_compress(data):
    return pytest.importorskip("zstandard", reason="zstandard is not installed").compress(data)


PACKED = [(".gz", gzip.compress), (".xz", lzma.compress), (".zst", zstandard_compress)]


@pytest.mark.parametrize("ending, pack", PACKED, ids=["gz", "xz", "zst"])
def test_compressed_input_gives_the_same_pieces(tmp_path, ending, pack):
    data = b"".join(b"line %d\n" % i for i in range(3000))
    _, plain = read(tmp_path, data, 1000)
    # Two members behind one another are one file.
    reader, packed = read(tmp_path, pack(data[:5000]) + pack(data[5000:]), 1000, name=f"a.txt{ending}")
    assert [(piece.data, piece.offset, piece.first_line) for piece in packed] == [
        (piece.data, piece.offset, piece.first_line) for piece in plain
    ]
    assert reader.files == [
        {"name": str(tmp_path / f"a.txt{ending}"), "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    ]
    assert reader.position == (tmp_path / f"a.txt{ending}").stat().st_size


@pytest.mark.parametrize("ending, pack", PACKED, ids=["gz", "xz", "zst"])
def test_a_truncated_archive_is_named_with_the_place(tmp_path, ending, pack):
    packed = pack(bytes(range(256)) * 1000)
    with pytest.raises(ValueError, match=r"cannot be read on after \d+ \(decompressed\) bytes: .*Is the file complete"):
        read(tmp_path, packed[:-10], 1000, name=f"a.txt{ending}")


@pytest.mark.parametrize("ending", [".gz", ".xz", ".zst"])
def test_a_file_that_is_not_what_its_ending_says_is_named(tmp_path, ending):
    if ending == ".zst":
        zstandard_compress(b"")
    with pytest.raises(ValueError, match=f"a.txt{ending}: cannot be read on after 0 .*what its ending says"):
        read(tmp_path, b"plain text\n", 100, name=f"a.txt{ending}")


def test_a_missing_library_is_named_with_the_command_that_installs_it(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
    with pytest.raises(ValueError, match="needs the package zstandard: pip install zstandard"):
        read(tmp_path, b"", 100, name="a.txt.zst")


def test_standard_input_is_read_to_its_end(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"one\ntwo\n")))
    reader = BlockReader(find_sources(["-"]), 100, False)
    assert [piece.data for block in reader for piece in block.pieces] == [b"one\ntwo\n"]
    assert reader.files[0]["name"] == "<standard input>"
    assert reader.position == 8


def test_a_digest_changes_with_the_bytes_and_the_place(tmp_path):
    def digests(name, data):
        return [block.digest() for block in read(tmp_path, data, 4, name=name)[0]]

    first = digests("a.txt", b"one\ntwo\nsix\n")
    assert len(set(first)) == 3
    assert digests("a.txt", b"one\ntwo\nsix\n") == first
    changed = digests("a.txt", b"one\nTwo\nsix\n")
    assert (changed[0], changed[2]) == (first[0], first[2]) and changed[1] != first[1]
    assert not set(digests("b.txt", b"one\ntwo\nsix\n")) & set(first)
