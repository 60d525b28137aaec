"""When `make install` has nothing to do, and how it goes on where it was cut off."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest

from tests.tools import facts, write_interpreter
from tools import install, interpreters

LOCK = "allennlp==2.10.1\nnvidia-cublas==13.1.0.3 ; sys_platform == 'linux'\ntorch==2.11.0\n"
PACKAGES = "lib/python3.12/site-packages"
PROGRAMS = ["elmo_plugin/bilm/ops/compiled/projected_lstm.c", "elmo_plugin/corpus/compiled/words.c"]


@pytest.fixture
def root(tmp_path: Path, monkeypatch) -> Path:
    """A checkout with what `install` reads of it."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "requirements.txt").write_text(LOCK, encoding="utf-8")
    (folder / "setup.py").write_text("# needs\n", encoding="utf-8")
    for program in PROGRAMS:
        (folder / program).parent.mkdir(parents=True)
        (folder / program).write_text("/* to compile */\n", encoding="utf-8")
    monkeypatch.setattr(install, "ROOT", folder)
    return folder


@pytest.fixture
def steps(root: Path, monkeypatch) -> List[str]:
    """The names of the steps that `install` ran; none of them does more than the next needs."""
    done: List[str] = []

    def run(what: str, *command: Any) -> None:
        done.append(what)
        if what == "Making the environment":
            environment(Path(command[-1]), None, facts("3.12.1"))

    monkeypatch.setattr(install, "run", run)
    return done


def environment(venv: Path, record: Optional[Dict[str, Any]], inside: Dict[str, Any]) -> None:
    """A folder that looks like an environment."""
    write_interpreter(venv / "bin" / "python", inside)
    (venv / PACKAGES).mkdir(parents=True)
    if record is not None:
        install.write_record(venv, record)


FRESH = ["Making the environment", "pip", "Compiling elmo_plugin", "Importing what was installed"]


# When there is nothing to do


def test_a_second_call_does_nothing(root: Path, steps: List[str]):
    write_interpreter(root / "python3.12", facts("3.12.1"))
    install.install(root / ".venv", str(root / "python3.12"))
    assert steps == FRESH
    install.install(root / ".venv", None)
    install.install(root / ".venv", str(root / "python3.12"))
    assert steps == FRESH


@pytest.mark.parametrize("name", ["requirements.txt", "setup.py", *PROGRAMS])
def test_a_change_of_what_is_needed_completes_the_same_environment(root: Path, steps, name):
    write_interpreter(root / "python3.12", facts("3.12.1"))
    install.install(root / ".venv", str(root / "python3.12"))
    (root / name).write_text("changed==1\n", encoding="utf-8")
    install.install(root / ".venv", None)
    assert steps == FRESH + FRESH[1:]
    assert install.read_record(root / ".venv")["installed"] == install.fingerprint(root)


def test_a_broken_record_counts_as_none(tmp_path: Path):
    assert install.read_record(tmp_path) is None
    (tmp_path / install.RECORD).write_text('{"root": ', encoding="utf-8")
    assert install.read_record(tmp_path) is None


def test_an_environment_is_usable_in_its_place_with_its_interpreter_and_its_torch(root: Path):
    venv, lent = root / ".venv", root / "lent"
    lent.mkdir()
    record = install.new_record(root, "/somewhere/python3.12.1", True, [str(lent)])
    environment(venv, record, facts("3.12.1"))
    assert install.usable(root, venv, record, None)
    assert install.usable(root, venv, record, facts("3.12.1"))
    assert not install.usable(root, venv, record, facts("3.11.7"))
    assert not install.usable(root.parent, venv, record, None)
    lent.rmdir()
    assert not install.usable(root, venv, record, None)


# Where it was cut off


def test_an_interrupted_install_leaves_no_stamp_and_the_next_call_goes_on(root, steps, monkeypatch):
    write_interpreter(root / "python3.12", facts("3.12.1"))
    cut_off = install.drop_half_installed

    def interrupt(packages: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(install, "drop_half_installed", interrupt)
    with pytest.raises(KeyboardInterrupt):
        install.install(root / ".venv", str(root / "python3.12"))
    assert install.read_record(root / ".venv")["installed"] is None
    monkeypatch.setattr(install, "drop_half_installed", cut_off)
    install.install(root / ".venv", None)
    assert steps == FRESH


def test_what_pip_had_not_finished_is_dropped(tmp_path: Path):
    for name, finished in (("whole-1.0.dist-info", True), ("half-1.0.dist-info", False)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "METADATA").write_text("Name: it\n", encoding="utf-8")
        if finished:
            (tmp_path / name / "INSTALLER").write_text("pip\n", encoding="utf-8")
    install.drop_half_installed(tmp_path)
    assert [folder.name for folder in tmp_path.iterdir()] == ["whole-1.0.dist-info"]


@pytest.mark.parametrize("missing, asked", [(["pip"], "3.12.1"), ([], "3.11.7")])
def test_without_pip_or_for_another_python_it_is_made_anew(root: Path, missing, asked):
    record = install.new_record(root, "/somewhere/python3.12.1", False, [])
    environment(root / ".venv", record, facts("3.12.1", missing=missing))
    expected = install.new_record(root, f"/somewhere/python{asked}", False, [])
    assert install.plan(root, root / ".venv", facts(asked)) == (expected, False)


def test_where_no_python_is_asked_for_the_path_is_searched(root: Path, monkeypatch):
    monkeypatch.setenv("PATH", str(root / "bin"))
    write_interpreter(root / "bin" / "python3", facts("3.11.7"))
    expected = install.new_record(root, "/somewhere/python3.11.7", False, [])
    assert install.plan(root, root / ".venv", None) == (expected, False)


def test_a_second_call_waits_for_the_first(root: Path):
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\nfrom pathlib import Path\n"
        "from tools import install\ninstall.ROOT = Path(sys.argv[2])\n"
        "with install.alone():\n    print('alone')"
    )
    checkout = str(Path(install.__file__).parent.parent)
    with install.alone():
        second = subprocess.Popen([sys.executable, "-c", program, checkout, str(root)], stdout=subprocess.PIPE)
        assert second.stdout.readline() == b"Waiting for another call that sets this checkout up.\n"
    assert second.communicate()[0] == b"alone\n"


# A torch that is there


def test_a_torch_that_fits_is_lent_and_not_installed(root: Path, steps, monkeypatch):
    monkeypatch.setattr(interpreters, "torch_works", lambda facts: True)
    (root / "its packages").mkdir()
    torch = {"version": "2.15.0", "folder": str(root / "its packages")}
    asked = {**facts("3.12.1"), "torch": torch, "torchvision": torch}
    write_interpreter(root / "python3.12", asked)
    install.install(root / ".venv", str(root / "python3.12"))
    assert (root / ".venv" / "requirements.txt").read_text() == "allennlp==2.10.1\n"
    line = (root / ".venv" / PACKAGES / install.LENT_TORCH).read_text()
    assert line == f"import site; site.addsitedir({str(root / 'its packages')!r})\n"


@pytest.mark.parametrize("torch, own", [("2.11.0", False), ("2.11.0+cpu", True), (None, False)])
def test_an_environment_made_by_hand_is_completed_and_keeps_its_torch(root, monkeypatch, torch, own):
    monkeypatch.setattr(install, "torch_works", lambda facts: True)
    inside = facts("3.12.1", torch=torch, torchvision=None if torch is None else "0.26.0")
    environment(root / ".venv", None, inside)
    expected = install.new_record(root, "/somewhere/python3.12.1", own, [])
    assert install.plan(root, root / ".venv", None) == (expected, True)


# Messages


@pytest.mark.parametrize("version, asked", [("3.9.2", None), ("3.12.1", "3.11.7")])
def test_a_folder_made_by_others_is_never_removed(root: Path, version, asked):
    environment(root / ".venv", None, facts(version))
    with pytest.raises(install.InstallError, match=r"\.venv was not made by this command") as caught:
        install.plan(root, root / ".venv", None if asked is None else facts(asked))
    assert "Remove it, or name another folder: make install VENV=..." in str(caught.value)
    assert (root / ".venv" / "bin" / "python").exists()


def test_a_python_that_does_not_run_is_named(root: Path):
    with pytest.raises(install.InstallError, match="PYTHON=no-such-python does not run"):
        install.install(root / ".venv", "no-such-python")


def test_a_step_that_fails_says_that_the_call_can_be_repeated():
    with pytest.raises(install.InstallError, match="pip failed with exit status 3; .* goes on from here"):
        install.run("pip", sys.executable, "-c", "import sys; sys.exit(3)")


def test_make_says_what_is_missing_where_there_is_no_python(project_root: Path, tmp_path: Path):
    make = shutil.which("make")
    assert make is not None
    answer = subprocess.run(
        [make, "install", "PYTHON="],
        cwd=project_root,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 2
    assert "No Python was found on PATH. Install Python 3.10, 3.11, 3.12 or 3.13" in answer.stderr
