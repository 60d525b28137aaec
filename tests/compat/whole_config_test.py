import json
import os

import pytest
from allennlp.common import Params

from elmo_plugin.compat import whole_config


class Killed(BaseException):
    """In the place of a signal that leaves no time for anything."""


@pytest.fixture
def killed(monkeypatch):
    def dying(content, handle, **kwargs):
        handle.write('{"mod')
        raise Killed

    monkeypatch.setattr("allennlp.common.params.json.dump", dying)


def test_without_the_mend_a_process_killed_in_between_leaves_half_a_config(tmp_path, killed):
    with pytest.raises(Killed):
        whole_config._in_place(Params({"model": 1}), str(tmp_path / "config.json"))
    assert (tmp_path / "config.json").read_text() == '{"mod'


def test_a_process_killed_in_between_leaves_the_one_that_was_there(tmp_path, request):
    path = tmp_path / "config.json"
    Params({"model": 1}).to_file(str(path))
    request.getfixturevalue("killed")
    with pytest.raises(Killed):
        Params({"model": 2}).to_file(str(path))
    assert json.loads(path.read_text()) == {"model": 1}


def test_written_again_it_is_the_later_one(tmp_path):
    for number in (1, 2):
        Params({"model": number}).to_file(str(tmp_path / "config.json"))
    assert json.loads((tmp_path / "config.json").read_text()) == {"model": 2}
    assert os.listdir(tmp_path) == ["config.json"]
