import os

import pytest

from elmo_plugin.corpus.sources import SHOWN_NAMES, find_sources


def write(path, data=b"text\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_a_directory_gives_its_text_files_sorted_and_nothing_hidden(tmp_path):
    for name in ("b.txt", "a.text", "sub/c.txt.gz", ".hidden.txt", ".git/d.txt", "picture.png"):
        write(tmp_path / name)
    names = [source.path.relative_to(tmp_path).as_posix() for source in find_sources([str(tmp_path)])]
    assert names == ["a.text", "b.txt", "sub/c.txt.gz"]


def test_what_is_left_out_of_a_directory_is_counted_and_named(tmp_path, caplog):
    for name in ("a.TXT", *(f"{i}.md" for i in range(SHOWN_NAMES)), ".hidden"):
        write(tmp_path / name)
    (tmp_path / "link").symlink_to(tmp_path.parent)
    with caplog.at_level("WARNING"):
        assert [source.path.name for source in find_sources([str(tmp_path)])] == ["a.TXT"]
    (message,) = [record.getMessage() for record in caplog.records]
    assert f"is not read, {SHOWN_NAMES + 1} in all: {tmp_path}/0.md, " in message and message.endswith(", …")


def test_a_prepared_corpus_among_the_documents_is_refused(tmp_path):
    for name in ("a.txt", "corpus/corpus.json", "corpus/types.txt"):
        write(tmp_path / name)
    with pytest.raises(ValueError, match="/corpus: is a prepared corpus, whose lists of words are no text; name what"):
        find_sources([str(tmp_path)])


def test_a_glob_is_sorted_and_inputs_keep_their_order(tmp_path):
    for name in ("z.txt", "b.log", "a.log"):
        write(tmp_path / name)
    found = find_sources([str(tmp_path / "z.txt"), str(tmp_path / "*.log")])
    assert [source.path.name for source in found] == ["z.txt", "a.log", "b.log"]


@pytest.mark.parametrize("pattern, files, left_out", [("*", ["a.txt"], ["sub"]), ("**", ["a.txt", "b.txt"], [])])
def test_directories_that_a_glob_matches_are_named_where_it_matches_nothing_in_them(
    tmp_path, caplog, pattern, files, left_out
):
    for name in ("a.txt", "sub/b.txt"):
        write(tmp_path / name)
    with caplog.at_level("WARNING"):
        assert [source.path.name for source in find_sources([str(tmp_path / pattern)])] == files
    expected = [f"what matches that is no file is not read, 1 in all: {tmp_path}/{name}" for name in left_out]
    assert [record.getMessage() for record in caplog.records] == [f"{tmp_path}/{pattern}: {end}" for end in expected]


def test_a_directory_gives_files_with_the_endings_that_are_asked_for(tmp_path):
    for name in ("a.txt", "b.jsonl", "c.jsonl.xz"):
        write(tmp_path / name)
    assert [source.path.name for source in find_sources([str(tmp_path)], [".jsonl"])] == ["b.jsonl", "c.jsonl.xz"]


def test_a_source_knows_its_size_on_disk_unless_it_is_standard_input_or_a_pipe(tmp_path):
    path = write(tmp_path / "a.txt", b"12345")
    os.mkfifo(tmp_path / "pipe")
    sources = find_sources([str(path), "-", str(tmp_path / "pipe")])
    assert [source.size() for source in sources] == [5, None, None]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match="absent.txt: no such file or directory; give a file, a directory, a glob"):
        find_sources([str(tmp_path / "absent.txt")])


def test_a_glob_without_a_match_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"\*.txt: no file matches this pattern"):
        find_sources([str(tmp_path / "*.txt")])


def test_a_directory_without_text_files_says_which_endings_it_looks_for(tmp_path):
    write(tmp_path / "a.doc")
    with pytest.raises(ValueError, match=r"no file below this directory ends in .txt, .text"):
        find_sources([str(tmp_path)])


def test_a_file_named_twice_is_refused(tmp_path):
    path = write(tmp_path / "a.txt")
    with pytest.raises(ValueError, match="a.txt: named twice among the inputs"):
        find_sources([str(path), str(tmp_path)])
