import logging
import socket
import time
from pathlib import Path

import pytest
from allennlp.common import file_utils
from allennlp.common.checks import ConfigurationError
from cached_path.util import resource_to_filename

from elmo_plugin import ElmoEmbedder
from elmo_plugin.models.bilm_initializer import BilmInitializer
from elmo_plugin.remote_files import local_path, present_path


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def host():
    """Somebody answers there, who has nothing to say."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def nobody():
    """Nobody answers there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"https://127.0.0.1:{taken.getsockname()[1]}"


def fetch_nothing(url):
    raise AssertionError(f"{url} should not be asked for")


def test_a_path_is_itself():
    assert local_path(Path("some") / "file") == "some/file"


def test_a_file_at_a_host_that_answers_is_fetched(host, monkeypatch):
    monkeypatch.setattr(file_utils, "cached_path", lambda url: f"copy of {url}")
    assert local_path(f"{host}/weights") == f"copy of {host}/weights"


def test_places_without_a_host_are_left_to_allennlp(monkeypatch):
    monkeypatch.setattr(file_utils, "cached_path", lambda url: f"copy of {url}")
    assert local_path("hf://someone/elmo") == "copy of hf://someone/elmo"


def test_a_host_out_of_reach_is_told_at_once(nobody, monkeypatch, tmp_path):
    monkeypatch.setattr(file_utils, "cached_path", fetch_nothing)
    monkeypatch.setattr(file_utils, "CACHE_DIRECTORY", tmp_path)
    before = time.monotonic()
    with pytest.raises(ValueError, match=r"weights could not be fetched \(.*refused\). Give the paths of a biLM's"):
        local_path(f"{nobody}/weights")
    assert time.monotonic() - before < 5


def test_of_a_host_out_of_reach_the_copy_of_an_earlier_day_is_used(nobody, monkeypatch, tmp_path, caplog):
    monkeypatch.setattr(file_utils, "cached_path", fetch_nothing)
    monkeypatch.setattr(file_utils, "CACHE_DIRECTORY", tmp_path)
    kept = tmp_path / resource_to_filename(f"{nobody}/weights", "an etag")
    kept.write_text("weights")
    assert local_path(f"{nobody}/weights") == str(kept)
    assert "is out of reach" in caplog.text and "the copy of it that is here is used" in caplog.text


def test_a_proxy_stands_for_the_host(host, nobody, monkeypatch, tmp_path):
    monkeypatch.setattr(file_utils, "cached_path", lambda url: f"copy of {url}")
    monkeypatch.setattr(file_utils, "CACHE_DIRECTORY", tmp_path)
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("https_proxy", host)
    assert local_path("https://far.invalid/weights") == "copy of https://far.invalid/weights"
    monkeypatch.setenv("http_proxy", nobody)
    with pytest.raises(ValueError, match="http://far.invalid/weights could not be fetched"):
        local_path("http://far.invalid/weights")


def test_a_url_that_can_not_be_fetched_names_the_arguments(host, monkeypatch):
    def refuse(url):
        raise OSError("no network")

    monkeypatch.setattr(file_utils, "cached_path", refuse)
    with pytest.raises(ValueError, match="weights.hdf5 could not be fetched .no network.. Give the paths .*--options"):
        ElmoEmbedder(weight_file=f"{host}/weights.hdf5")


def test_a_file_that_can_not_be_fetched_is_told_in_a_few_words(host, monkeypatch, caplog):
    def refuse(url):
        logging.getLogger("urllib3.connectionpool").warning("Retrying %s", url)
        try:
            raise OSError("no such name")
        except OSError as error:
            raise OSError(f"Max retries exceeded with url {url} ({error})") from error

    monkeypatch.setattr(file_utils, "cached_path", refuse)
    with pytest.raises(ValueError, match=rf"^{host}/weights could not be fetched \(no such name\). Give the paths"):
        local_path(f"{host}/weights")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_file_of_a_configuration_is_there_or_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "weights").write_text("numbers")
    assert present_path("~/weights") == str(tmp_path / "weights")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        present_path(tmp_path / "nowhere")


def test_pretrained_files_out_of_reach_are_told_at_once(nobody, monkeypatch):
    monkeypatch.setattr(file_utils, "cached_path", fetch_nothing)
    initializer = BilmInitializer(options_file=f"{nobody}/options", weight_file=f"{nobody}/weights")
    with pytest.raises(ConfigurationError, match="`initializer` of the language .*/options could not be fetched"):
        initializer.load()
