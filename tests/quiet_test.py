import logging

import pytest

from elmo_plugin.quiet import quiet


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO)

    def say():
        caplog.clear()
        for name in ("some.package.module", "another"):
            logging.getLogger(name).info("%s informs", name)
            logging.getLogger(name).warning("%s warns", name)
        return [record.getMessage() for record in caplog.records]

    return say


def test_information_is_held_back_and_warnings_are_not(said, monkeypatch):
    monkeypatch.delenv("ALLENNLP_DEBUG", raising=False)
    everything = said()
    with pytest.raises(KeyError), quiet("some.package"):
        assert said() == ["some.package.module warns", "another informs", "another warns"]
        raise KeyError
    assert said() == everything and len(everything) == 4


def test_nothing_passes_that_did_not_before(said, monkeypatch):
    monkeypatch.delenv("ALLENNLP_DEBUG", raising=False)
    with quiet("some", "another", level=logging.ERROR), quiet("some", "another"):
        assert said() == []


def test_with_debugging_nothing_is_held_back(said, monkeypatch):
    monkeypatch.setenv("ALLENNLP_DEBUG", "1")
    with quiet("some.package", "another"):
        assert len(said()) == 4
