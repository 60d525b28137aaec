"""Which Python an environment can be made of.  Standard library of Python 3.7 only."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

FACTS = Path(__file__).resolve().parent / "interpreter_facts.py"
NAMES = ("python3.13", "python3.12", "python3.11", "python3.10", "python3", "python")
FITTING = ((3, 10), (3, 11), (3, 12), (3, 13))
TRY_TORCH = "import torch, torchvision; torchvision.ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)"


class NoInterpreterError(Exception):
    """What the user has to mend, in words for them."""


def ask(command):
    """The facts of an interpreter (see `interpreter_facts.py`), None where it does not run."""
    try:
        answer = subprocess.run(
            [str(command), str(FACTS)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError:
        return None
    return json.loads(answer.stdout) if answer.returncode == 0 else None


def candidates(path, venv):
    """
    The facts of every interpreter in the folders of `path`, each interpreter once, those that come
    first on the path first.  The environment `venv` that is to be made, which may be the active
    one, is not among them.
    """
    found = {}
    for name in NAMES:
        for folder in path.split(os.pathsep):
            if os.access(os.path.join(folder, name), os.X_OK):
                facts = ask(os.path.join(folder, name))
                if facts is not None and Path(facts["prefix"]).resolve() != venv:
                    found.setdefault((facts["prefix"], tuple(facts["version"])), facts)
    return list(found.values())


def problem(facts):
    """Why no environment can be made of an interpreter, None where one can."""
    version = ".".join(map(str, facts["version"]))
    if tuple(facts["version"][:2]) not in FITTING:
        return f"is Python {version}"
    missing = [name for name in ("venv", "ensurepip") if name in facts["missing"]]
    if missing:
        package = "python{}.{}-venv".format(*facts["version"])
        return (
            f"is Python {version} without the module {' and '.join(missing)} "
            f"(on Debian and Ubuntu: apt install {package})"
        )
    return None


def torch_fits(facts):
    """Whether torch and torchvision are there in versions that setup.py allows."""
    if facts["torch"] is None or facts["torchvision"] is None:
        return False
    major, minor = map(int, re.match(r"(\d+)\.(\d+)", facts["torch"]["version"]).groups())
    return (major, minor) >= (2, 11) and (major, minor) != (2, 13)


def torch_works(facts):
    """Whether torchvision imports with the torch that is there: some pairs do not."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.run([facts["executable"], "-c", TRY_TORCH], **quiet).returncode == 0


def choose(found):
    """
    The interpreter to build on, and whether its torch is to be used: the newest that has a torch
    that fits and works, else the newest.
    """
    fitting = [facts for facts in found if problem(facts) is None]
    fitting.sort(key=lambda facts: facts["version"], reverse=True)
    for facts in fitting:
        if torch_fits(facts) and torch_works(facts):
            return facts, True
    if fitting:
        return fitting[0], False
    seen = "".join(f"\n  {facts['executable']} {problem(facts)}" for facts in found)
    raise NoInterpreterError(
        "Python 3.10, 3.11, 3.12 or 3.13 with its venv module is needed."
        + (f" Seen:{seen}" if found else " No Python was found on PATH.")
        + "\nInstall one, or name one: make install PYTHON=/path/to/python3.12"
    )
