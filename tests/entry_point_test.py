"""`python -m elmo_plugin` and `allennlp-elmo` are `allennlp` with the plugin loaded, from any folder."""

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import List

import pytest
from allennlp.common.util import SigTermReceived

from elmo_plugin import __main__ as entry_point

COMMANDS = [
    *(
        "train",
        "evaluate",
        "predict",
        "elmo",
        "elmo-benchmark",
        "elmo-export",
        "elmo-import",
        "elmo-merge",
        "elmo-prepare",
    ),
    "elmo-results",
]
AS_CONSOLE_SCRIPT = "import sys; sys.argv[0] = 'bin/allennlp-elmo'; from elmo_plugin.__main__ import main; main()"
WITHOUT_ALLENNLP = """
import runpy, sys
from importlib.machinery import PathFinder

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name == "allennlp" else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Finder
runpy.run_module("elmo_plugin", run_name="__main__", alter_sys=True)
"""


@pytest.fixture
def run(project_root: Path, tmp_path: Path):
    """Runs Python with arguments in a folder, the empty one where none is named."""

    def run(*arguments: str, folder: Path = tmp_path) -> "subprocess.CompletedProcess[str]":
        # argparse breaks the lines of its help at the terminal's width.
        wide = {"COLUMNS": "120"}
        home = {"HOME": str(tmp_path), "PYTHONPATH": str(project_root), "OMP_NUM_THREADS": "1", **wide}
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env={**os.environ, **home},
            capture_output=True,
            text=True,
        )

    return run


def listed(help_text: str) -> List[str]:
    """The subcommands that a help text lists."""
    _, commands = help_text.split("Commands:")
    return [line.split()[0] for line in commands.splitlines() if line.startswith("    ") and line[4] != " "]


def test_run_as_a_module_it_lists_the_commands_of_both_from_an_empty_folder(run):
    answer = run("-m", "elmo_plugin", "--help")
    assert answer.returncode == 0, answer.stderr
    assert set(COMMANDS) <= set(listed(answer.stdout))
    assert answer.stdout.startswith("usage: python -m elmo_plugin [-h]")


def test_the_console_script_does_the_same_under_its_own_name(run):
    answer = run("-c", AS_CONSOLE_SCRIPT, "elmo-prepare", "--help")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith("usage: allennlp-elmo elmo-prepare [-h]")


def test_allennlp_itself_lists_the_commands_in_the_folder_of_the_project(run, project_root: Path):
    answer = run("-m", "allennlp", "--help", folder=project_root)
    assert answer.returncode == 0, answer.stderr
    assert set(COMMANDS) <= set(listed(answer.stdout))


def test_it_says_what_to_install_where_allennlp_is_missing(run):
    answer = run("-c", WITHOUT_ALLENNLP, "train")
    assert answer.returncode == 1
    assert "the Python module 'allennlp' is not installed here" in answer.stderr
    assert f"{sys.executable} -m pip install --no-deps -r requirements.txt -e ." in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("command", ["train", "evaluate", "predict"])
def test_a_command_that_loads_plugins_is_told_of_this_one(command: str):
    """A distributed training starts processes that know only what --include-package names."""
    expected = [command, "--include-package", "elmo_plugin", "a.jsonnet", "-s", "out"]
    assert entry_point.name_plugin([command, "a.jsonnet", "-s", "out"]) == expected


@pytest.mark.parametrize("arguments", [[], ["--help"], ["no-such-command"], ["diff", "a", "b"]])
def test_other_command_lines_stay_as_they_are(arguments: List[str]):
    assert entry_point.name_plugin(arguments) == arguments


def test_the_setup_script_installs_the_console_script(project_root: Path):
    setup = (project_root / "setup.py").read_text(encoding="utf-8")
    assert '"allennlp-elmo = elmo_plugin.__main__:main"' in setup
    assert callable(entry_point.main)


def test_what_is_wrong_with_the_input_is_one_message_and_the_code_only_when_asked_for(run, tmp_path: Path, monkeypatch):
    answer = run("-m", "elmo_plugin", "elmo-prepare", "nowhere.txt", str(tmp_path / "out"))
    assert answer.returncode == 1
    assert "Traceback" not in answer.stderr and "error: " in answer.stderr and "nowhere.txt" in answer.stderr
    monkeypatch.setenv("ALLENNLP_DEBUG", "1")
    assert "Traceback" in run("-m", "elmo_plugin", "elmo-prepare", "nowhere.txt", str(tmp_path / "out")).stderr


@pytest.mark.parametrize("stop, status", [(KeyboardInterrupt, 130), (SigTermReceived, 143)])
@pytest.mark.parametrize("command, goes_on", [("train", True), ("evaluate", False)])
def test_a_signal_is_no_traceback_and_a_training_is_said_to_go_on(command, goes_on, stop, status, monkeypatch, capsys):
    def interrupt(prog: str) -> None:
        raise stop

    monkeypatch.setitem(sys.modules, "allennlp.__main__", ModuleType("allennlp.__main__"))
    monkeypatch.setattr("allennlp.common.util.install_sigterm_handler", lambda: None)
    monkeypatch.setattr("allennlp.commands.main", interrupt)
    monkeypatch.setattr("sys.argv", ["allennlp-elmo", command, "a.jsonnet"])
    monkeypatch.delenv("ALLENNLP_DEBUG", raising=False)
    with pytest.raises(SystemExit) as ended:
        entry_point.main()
    said = capsys.readouterr().err
    assert ended.value.code == status and "allennlp-elmo: stopped." in said
    assert ("The same command with --recover goes on from the last checkpoint" in said) is goes_on
