"""Which Python `make install` builds on."""

import os
import sys
from pathlib import Path

import pytest

from tests.tools import facts, write_broken_interpreter, write_interpreter
from tools import interpreters


@pytest.fixture
def torch_works(monkeypatch):
    """Tells `choose` that every torch works, or none."""
    return lambda answer: monkeypatch.setattr(interpreters, "torch_works", lambda facts: answer)


def test_the_newest_python_that_fits_is_chosen():
    found = [facts("3.9.2"), facts("3.11.7"), facts("3.12.1"), facts("3.14.0")]
    base, own_torch = interpreters.choose(found)
    assert base["version"] == [3, 12, 1] and own_torch is False


def test_of_two_alike_the_first_on_the_path_is_chosen():
    first, second = facts("3.12.1", prefix="/first"), facts("3.12.1", prefix="/second")
    assert interpreters.choose([first, second])[0]["prefix"] == "/first"


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_python_that_can_make_no_environment_is_passed_over(module):
    found = [facts("3.12.1", missing=[module]), facts("3.10.2", missing=["pip"])]
    assert interpreters.choose(found)[0]["version"] == [3, 10, 2]


def test_a_python_with_a_torch_that_fits_goes_before_a_newer_one(torch_works):
    torch_works(True)
    found = [facts("3.12.1"), facts("3.10.2", torch="2.15.0", torchvision="0.29.2")]
    base, own_torch = interpreters.choose(found)
    assert base["version"] == [3, 10, 2] and own_torch is True


def test_a_torch_whose_torchvision_does_not_import_is_not_used(torch_works):
    torch_works(False)
    found = [facts("3.12.1"), facts("3.10.2", torch="2.15.0", torchvision="0.28.0")]
    base, own_torch = interpreters.choose(found)
    assert base["version"] == [3, 12, 1] and own_torch is False


@pytest.mark.parametrize(
    "torch, torchvision, fits",
    [
        ("2.11.0", "0.26.0", True),
        ("2.15.0+cu130", "0.29.2", True),
        ("3.0.0", "0.40.0", True),
        ("2.11.0a0+83c", "0.26.0", True),
        ("2.10.1", "0.25.0", False),
        ("2.13.0", "0.28.0", False),
        ("1.12.1", "0.13.1", False),
        ("2.11.0", None, False),
        (None, None, False),
    ],
)
def test_a_torch_fits_from_2_11_on_but_2_13(torch, torchvision, fits):
    assert interpreters.torch_fits(facts("3.12.1", torch, torchvision)) is fits


def test_a_torch_is_tried_by_importing_it(tmp_path: Path):
    assert interpreters.torch_works(facts("3.12.1", executable=sys.executable))
    write_broken_interpreter(tmp_path / "python3")
    assert not interpreters.torch_works(facts("3.12.1", executable=str(tmp_path / "python3")))


def test_the_message_names_every_python_seen_and_what_is_wrong_with_it():
    found = [facts("3.9.2"), facts("3.12.1", missing=["ensurepip"])]
    with pytest.raises(interpreters.NoInterpreterError) as caught:
        interpreters.choose(found)
    assert str(caught.value) == (
        "Python 3.10, 3.11, 3.12 or 3.13 with its venv module is needed. Seen:\n"
        "  /somewhere/python3.9.2 is Python 3.9.2\n"
        "  /somewhere/python3.12.1 is Python 3.12.1 without the module ensurepip "
        "(on Debian and Ubuntu: apt install python3.12-venv)\n"
        "Install one, or name one: make install PYTHON=/path/to/python3.12"
    )


def test_the_message_says_when_no_python_was_found():
    with pytest.raises(interpreters.NoInterpreterError, match="No Python was found on PATH"):
        interpreters.choose([])


def test_an_interpreter_tells_the_truth_about_itself():
    found = interpreters.ask(sys.executable)
    assert found["version"] == list(sys.version_info[:3])
    assert found["prefix"] == sys.prefix and found["base_prefix"] == sys.base_prefix
    assert (Path(found["torch"]["folder"]) / "torch").is_dir()
    assert interpreters.torch_fits(found)


def test_what_does_not_run_is_no_interpreter(tmp_path: Path):
    write_broken_interpreter(tmp_path / "python3.12")
    assert interpreters.ask(tmp_path / "python3.12") is None
    assert interpreters.ask(tmp_path / "nothing") is None


def test_all_of_the_path_is_searched_but_the_environment_itself(tmp_path: Path):
    write_interpreter(tmp_path / "venv/bin/python3", facts("3.11.7", prefix=str(tmp_path / "venv")))
    write_broken_interpreter(tmp_path / "shims/python3.12")
    write_interpreter(tmp_path / "bin/python3.12", facts("3.12.1"))
    write_interpreter(tmp_path / "bin/python3", facts("3.12.1"))
    path = os.pathsep.join(str(tmp_path / name) for name in ("venv/bin", "shims", "bin", "absent"))
    assert interpreters.candidates(path, tmp_path / "venv") == [facts("3.12.1")]
