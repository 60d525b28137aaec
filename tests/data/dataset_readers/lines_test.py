import gzip
import lzma

import pytest
from allennlp.common.checks import ConfigurationError

from elmo_plugin.data.dataset_readers.lines import matching_files, numbered_lines


def read(tmp_path, content, name="file.txt"):
    path = tmp_path / name
    path.write_bytes(content)
    return list(numbered_lines(str(path)))


def test_lines_are_numbered_from_one(tmp_path):
    assert read(tmp_path, "a\n\nč\n".encode()) == [(1, "a"), (2, ""), (3, "č")]


def test_the_last_line_needs_no_end(tmp_path):
    assert read(tmp_path, b"a\nb") == [(1, "a"), (2, "b")]


def test_crlf_and_a_byte_order_mark_leave_no_trace(tmp_path):
    assert read(tmp_path, b"\xef\xbb\xbfa b\r\n\r\nc\r\n") == [(1, "a b"), (2, ""), (3, "c")]


def test_only_newlines_end_lines(tmp_path):
    text = "a\u2028b\x0bc\x0cd\u0085e\x1cf"
    assert read(tmp_path, text.encode() + b"\n") == [(1, text)]


@pytest.mark.parametrize("name, compress", [("file.gz", gzip.compress), ("file.xz", lzma.compress)])
def test_compressed_files_are_read(tmp_path, name, compress):
    assert read(tmp_path, compress(b"a\nb\n"), name) == [(1, "a"), (2, "b")]


@pytest.mark.parametrize(
    "content, message",
    [
        (b"a\nb\0\n", r"file.txt, line 2: expected text in UTF-8, found a NUL byte.*iconv"),
        ("a\nb\n".encode("utf-16"), r"file.txt, line 1: .*NUL byte.*iconv -f UTF-16"),
        (b"a\n\nM\xfcnchen\n", r"file.txt, line 3: expected text in UTF-8, found byte 0xfc at position 1.*iconv"),
        (b"a\rb\rc\n", r"file.txt, line 1: expected lines that end in LF or CRLF.*tr "),
    ],
)
def test_what_is_no_text_is_an_error_with_its_line(tmp_path, content, message):
    with pytest.raises(ConfigurationError, match=message):
        read(tmp_path, content)


CUT = gzip.compress(b"a\n" * 9999)[:-20]
BROKEN = b"\x1f\x8b\x08\0\0\0\0\0\0\3abc"


@pytest.mark.parametrize("content", [CUT, BROKEN, b"plain text\n"], ids=["cut", "broken", "not gzip"])
def test_a_damaged_gzip_file_is_an_error(tmp_path, content):
    with pytest.raises(ConfigurationError, match=r"file.gz, after line \d+: .*not a whole gzip file.*compress it anew"):
        read(tmp_path, content, "file.gz")


@pytest.mark.parametrize("ending", [".zst", ".bz2", ".zip"])
def test_what_is_packed_in_another_way_is_not_taken_for_text(tmp_path, ending):
    with pytest.raises(ConfigurationError, match=rf"text in .gz or .xz; files ending in \{ending} are not read"):
        read(tmp_path, b"anything", f"file.txt{ending}")


@pytest.mark.parametrize("content", [lzma.compress(b"a\n" * 9999)[:-20], b"plain text\n"], ids=["cut", "not xz"])
def test_a_damaged_xz_file_is_an_error(tmp_path, content):
    with pytest.raises(ConfigurationError, match=r"file.xz, after line \d+: .*not a whole xz file.*compress it anew"):
        read(tmp_path, content, "file.xz")


def test_a_path_is_itself_and_a_pattern_its_files_sorted(tmp_path):
    for name in ("b.conll", "a.conll", "odd[1].conll", "c.txt"):
        (tmp_path / name).touch()
    (tmp_path / "folder.conll").mkdir()
    names = ["a.conll", "b.conll", "odd[1].conll"]
    assert matching_files(f"{tmp_path}/*.conll") == [f"{tmp_path}/{name}" for name in names]
    assert matching_files(f"{tmp_path}/odd[1].conll") == [f"{tmp_path}/odd[1].conll"]


def test_a_missing_file_is_an_error_that_says_from_where_it_was_sought(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=f"no file nowhere/x.conll.*seen from {tmp_path}"):
        matching_files("nowhere/x.conll")


def test_a_folder_is_an_error_that_says_how_to_name_its_files(tmp_path):
    with pytest.raises(ConfigurationError, match=r"is a folder.*\*\.conll"):
        matching_files(str(tmp_path))
