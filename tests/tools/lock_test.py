"""`requirements.txt`: complete, and free of what belongs to one machine."""

import runpy
from pathlib import Path
from typing import List

import pytest
import setuptools

from tools import install


@pytest.fixture
def needs(project_root: Path, monkeypatch) -> List[str]:
    """All that setup.py asks for, extras included."""
    kept = {}
    monkeypatch.setattr(setuptools, "setup", lambda **keywords: kept.update(keywords))
    monkeypatch.chdir(project_root)
    runpy.run_path("setup.py")
    return kept["install_requires"] + sum(kept["extras_require"].values(), [])


@pytest.fixture
def lock(project_root: Path) -> str:
    return (project_root / "requirements.txt").read_text(encoding="utf-8")


def test_every_need_in_setup_py_is_in_the_lock(needs: List[str], lock: str):
    names = {need.replace("=", ">").replace("!", ">").split(">")[0] for need in needs}
    assert {"allennlp", "torch", "transformers", "jieba", "pytest"} <= names
    assert names <= {line.split("==")[0] for line in lock.splitlines()}


def test_every_line_of_the_lock_names_one_version_and_nothing_of_a_machine(lock: str):
    for line in lock.splitlines():
        assert line.startswith("#") or line.count(";") <= 1 and "==" in line.split(";")[0]
    assert "://" not in lock and "--" not in lock


def test_an_own_torch_leaves_out_torch_and_what_only_torch_needs(lock: str):
    rest = install.lines_to_install(lock, own_torch=True)
    left_out = set(lock.splitlines()) - set(rest.splitlines())
    names = {line.split("==")[0] for line in left_out}
    others = {"torch", "torchvision", "triton", "cuda-bindings", "cuda-pathfinder", "cuda-toolkit"}
    assert {name for name in names if not name.startswith("nvidia-")} == others
    assert "nvidia-cudnn-cu13" in names and "allennlp==2.10.1\n" in rest


def test_everything_is_installed_where_there_is_no_torch(lock: str):
    assert install.lines_to_install(lock, own_torch=False) == lock
