from pathlib import Path

import pytest

from elmo_plugin.bilm.whole_file import whole_file


def test_a_file_takes_its_name_at_the_end_and_the_place_of_the_one_before(tmp_path: Path):
    path = tmp_path / "words.txt"
    path.write_text("before")
    with whole_file(path) as partial:
        partial.write_text("after")
        assert path.read_text() == "before"
        assert partial.parent == path.parent
    assert path.read_text() == "after"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_an_error_leaves_what_was_there_and_nothing_else(tmp_path: Path, error: type):
    path = tmp_path / "words.txt"
    path.write_text("before")
    with pytest.raises(error), whole_file(str(path)) as partial:
        partial.write_text("half")
        raise error
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_before_anything_is_written_is_that_error(tmp_path: Path):
    with pytest.raises(ZeroDivisionError), whole_file(tmp_path / "words.txt"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_can_not_be_taken_leaves_nothing_else(tmp_path: Path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError), whole_file(tmp_path / "folder") as partial:
        partial.write_text("all of it")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
