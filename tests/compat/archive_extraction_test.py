import os
import tarfile
import tempfile
import warnings

import pytest
from allennlp.common.checks import ConfigurationError
from allennlp.models import archival

from elmo_plugin.compat import archive_extraction
from tests.compat import scenarios


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """An archive with one file; temporary folders are made in a folder of this test."""
    (tmp_path / "weights.th").write_bytes(b"weights")
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "weights.th", "weights.th")
    (tmp_path / "unpacked").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "unpacked"))
    return tmp_path / "model.tar.gz"


def test_a_member_climbs_out_of_the_folder_without_the_mend(unmended):
    # From Python 3.14 on tarfile itself refuses, and the scenario ends in an error.
    assert unmended["extract_a_member_that_climbs_out"] == {"result": True}


@pytest.mark.skipif(not archive_extraction.is_needed(), reason="this Python's tarfile has no filters")
def test_a_member_that_climbs_out_is_refused_and_named(tmp_path):
    with pytest.raises(tarfile.OutsideDestinationError, match="escaped"):
        scenarios.extract_a_member_that_climbs_out(tmp_path)
    assert os.listdir(tmp_path) == ["model.tar.gz"]


def test_an_archive_is_unpacked_without_a_warning(archive):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with archival.extracted_archive(archive) as folder:
            assert os.listdir(folder) == ["weights.th"]
    assert not os.path.exists(folder)


def test_the_folder_stays_where_the_caller_cleans_up(archive):
    with archival.extracted_archive(archive, cleanup=False) as folder:
        pass
    assert os.listdir(folder) == ["weights.th"]


def test_a_broken_archive_leaves_no_folder(archive):
    archive.write_bytes(archive.read_bytes()[:40])
    with pytest.raises(ConfigurationError, match=f"{archive.name}: expected the archive of a training"):
        with archival.extracted_archive(archive, cleanup=False):
            pass
    assert os.listdir(tempfile.tempdir) == []
