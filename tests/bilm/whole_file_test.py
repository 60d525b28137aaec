import os
from pathlib import Path
from typing import Optional

import pytest

from elmo_plugin.bilm.whole_file import check_place, failed_write, whole_file


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


@pytest.mark.parametrize("force", [False, True])
def test_a_device_or_a_pipe_is_never_replaced(tmp_path: Path, force: bool):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path(os.devnull)):
        with pytest.raises(ValueError, match=f"{path} is a device or a pipe, .* Give the name of a file to write"):
            check_place(path, force)


@pytest.mark.parametrize(
    "error, reason",
    [
        (PermissionError(13, "Permission denied", "/there"), "[Errno 13] Permission denied: '/there'"),
        (OSError("file write failed: day\n, filename = 'f', errno = 28, error message = 'full'"), os.strerror(28)),
        (RuntimeError("Can't close (unable to extend file, errno = 27, 'too large')"), os.strerror(27)),
        (RuntimeError("[enforce fail at x.cc:672] . unexpected pos 704 vs 5\nmore"), "[enforce fail at x.cc:672] . "),
        (RuntimeError("shapes differ, errno = 28"), None),
    ],
)
def test_of_a_write_that_failed_the_reason_is_the_systems_own(error: Exception, reason: Optional[str]):
    found = failed_write(error)
    assert found is None if reason is None else found is not None and found.startswith(reason)
