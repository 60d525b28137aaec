import errno
import os

import pytest

from elmo_plugin.corpus import directories
from elmo_plugin.corpus.directories import (
    check_replaceable,
    nearest_directory,
    unfinished_directory,
    whole_directory,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_directory_appears_when_its_block_ends(tmp_path):
    target = tmp_path / "deep" / "out"
    with whole_directory(target, force=False) as unfinished:
        (unfinished / "a").write_text("new")
        assert not target.exists()
    assert (target / "a").read_text() == "new"
    assert names(target.parent) == ["out"]


def test_nothing_is_left_of_one_that_makes_no_sense_and_the_old_one_stays(tmp_path):
    target = tmp_path / "out"
    target.mkdir()
    (target / "a").write_text("old")
    with pytest.raises(ValueError, match="no sense"):
        with whole_directory(target, force=True) as unfinished:
            (unfinished / "a").write_text("new")
            raise ValueError("no sense")
    assert (target / "a").read_text() == "old"
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_nothing_is_left_after_an_interruption_unless_it_is_to_be_kept(tmp_path, error):
    (tmp_path / ".out.unfinished").mkdir()
    (tmp_path / ".out.unfinished" / "of a process that was killed").touch()
    with pytest.raises(error):
        with whole_directory(tmp_path / "out", force=False) as unfinished:
            assert names(unfinished) == []
            (unfinished / "a").write_text("first")
            raise error
    assert names(tmp_path) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_what_was_kept_after_an_interruption_is_there_the_next_time(tmp_path, error):
    with pytest.raises(error):
        with whole_directory(tmp_path / "out", force=False, keep_unfinished=True) as unfinished:
            (unfinished / "a").write_text("first")
            raise error
    assert names(tmp_path) == [".out.unfinished"]
    assert unfinished_directory(tmp_path / "out") == tmp_path / ".out.unfinished"
    with whole_directory(tmp_path / "out", force=False, keep_unfinished=True) as unfinished:
        assert (unfinished / "a").read_text() == "first"
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("keep_unfinished", [False, True])
def test_nothing_is_kept_of_what_makes_no_sense(tmp_path, keep_unfinished):
    with pytest.raises(ValueError, match="no sense"):
        with whole_directory(tmp_path / "out", force=False, keep_unfinished=keep_unfinished):
            raise ValueError("no sense")
    assert names(tmp_path) == []


def test_force_replaces_the_whole_directory(tmp_path):
    target = tmp_path / "out"
    target.mkdir()
    (target / "old").write_text("old")
    with whole_directory(target, force=True) as unfinished:
        (unfinished / "new").write_text("new")
    assert names(target) == ["new"]
    assert names(tmp_path) == ["out"]


def test_an_existing_directory_needs_force(tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(ValueError, match="out: already exists. Use --force to overwrite it"):
        with whole_directory(tmp_path / "out", force=False):
            pass


def test_a_file_in_the_way_is_never_replaced(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(ValueError, match="out: expected a directory to write to, found a file"):
        with whole_directory(tmp_path / "out", force=True):
            pass


def test_two_processes_do_not_write_one_directory(tmp_path, monkeypatch):
    monkeypatch.setattr(directories, "_PATIENCE_SECONDS", 0.2)
    with whole_directory(tmp_path / "out", force=False, keep_unfinished=True) as unfinished:
        (unfinished / "a").write_text("of the first")
        with pytest.raises(ValueError, match="out: another process is writing it; wait until it has ended"):
            with whole_directory(tmp_path / "out", force=False):
                pass
    assert (tmp_path / "out" / "a").read_text() == "of the first"
    with whole_directory(tmp_path / "out", force=True) as unfinished:
        assert names(unfinished) == []


def test_who_waited_does_not_take_what_the_other_has_put_in_its_place(tmp_path, monkeypatch):
    monkeypatch.setattr(directories, "_PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(directories.time, "sleep", lambda seconds: None)
    unfinished = unfinished_directory(tmp_path / "out")

    def lock(descriptor):
        """The other one ends just before."""
        if unfinished.exists():
            unfinished.rmdir()
        return True

    monkeypatch.setattr(directories, "_lock", lock)
    with pytest.raises(ValueError, match="out: another process is writing it"):
        with whole_directory(tmp_path / "out", force=False):
            pass
    assert names(tmp_path) == []


@pytest.mark.parametrize("number, locks", [(errno.EBADF, True), (errno.EIO, False)])
def test_a_file_system_without_locks_is_written_all_the_same(tmp_path, monkeypatch, number, locks):
    def fail(descriptor, operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(directories.fcntl, "flock", fail)
    if locks:
        with whole_directory(tmp_path / "out", force=False):
            pass
        assert names(tmp_path) == ["out"]
    else:
        with pytest.raises(OSError, match=os.strerror(number)):
            with whole_directory(tmp_path / "out", force=False):
                pass


def test_a_link_leads_to_what_is_replaced(tmp_path):
    (tmp_path / "disk" / "out").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "out")
    for content in ("first", "second"):
        with whole_directory(tmp_path / "link", force=True) as unfinished:
            assert unfinished.parent == tmp_path / "disk"
            (unfinished / "a").write_text(content)
        assert (tmp_path / "disk" / "out" / "a").read_text() == content
    assert names(tmp_path) == ["disk", "link"] and names(tmp_path / "disk") == ["out"]


def test_a_mounted_disk_is_refused_before_any_work(tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    monkeypatch.setattr(os.path, "ismount", lambda path: True)
    with pytest.raises(ValueError, match="out: is where a disk is mounted.*name a directory in it"):
        check_replaceable(tmp_path / "out", force=True)


def test_the_nearest_directory_is_the_first_that_is_there(tmp_path):
    (tmp_path / "file").touch()
    assert nearest_directory(tmp_path) == tmp_path
    assert nearest_directory(tmp_path / "file" / "absent") == tmp_path
