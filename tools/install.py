"""
Sets up the virtual environment of this checkout; `make install` calls it.

1. Where the environment is complete and nothing that it was made from has changed, nothing happens.
2. Otherwise an interpreter is chosen: the one asked for, else one whose torch fits, else the newest.
3. `pip install --no-deps -r requirements.txt -e .` runs in an environment made of it.  A torch that
   fits is lent to the environment instead of being installed again.
4. Everything is imported once, and only then the record in the environment says "installed".

An interrupted call leaves a record that does not say so, and the next call goes on where it
stopped.  Only the standard library is used, and nothing newer than Python 3.7.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tools.interpreters import NoInterpreterError, ask, candidates, choose, problem, torch_fits, torch_works

ROOT = Path(__file__).resolve().parent.parent
RECORD = "elmo-plugin-install.json"
# The last ones are compiled.
COMPILED = ("elmo_plugin/bilm/ops/compiled/*.[ch]", "elmo_plugin/corpus/compiled/*.[ch]")
MADE_FROM = ("requirements.txt", "setup.py", *COMPILED)
LENT_TORCH = "elmo_plugin_lent_torch.pth"
TORCH_LINE = re.compile(r"(torch|torchvision|triton|nvidia-[\w.-]+|cuda-[\w.-]+)==")
TRY_ALL = (
    "import allennlp.commands, numpy, platform, spacy, torch, elmo_plugin;"
    "from allennlp.version import VERSION;"
    "from elmo_plugin.bilm.ops import compiled_program;"
    "from elmo_plugin.corpus import compiled_words;"
    "print(f'Installed: Python {platform.python_version()}, AllenNLP {VERSION}, '"
    "f'torch {torch.__version__}, NumPy {numpy.__version__}, spaCy {spacy.__version__}');"
    "reasons = {'of the biLM': compiled_program.why_not(), 'that counts words': compiled_words.why_not()};"
    "print(*(f'The program in C {which} is ' + ('compiled.' if reason is None else f'not compiled: {reason}') "
    "for which, reason in reasons.items()), sep=chr(10))"
)


class InstallError(Exception):
    """What the user has to mend, in words for them."""


def lines_to_install(lock, own_torch):
    """The lines of the lock that pip is to install: without torch's where the user has their own."""
    lines = lock.splitlines(keepends=True)
    return "".join(line for line in lines if not (own_torch and TORCH_LINE.match(line)))


def fingerprint(root):
    """Changes where what has to be installed changes."""
    paths = (path for pattern in MADE_FROM for path in sorted(root.glob(pattern)))
    content = b"\0".join(path.read_bytes() for path in paths)
    return hashlib.sha256(content).hexdigest()


def read_record(venv):
    """What an earlier call wrote, None where there is nothing of use."""
    try:
        return json.loads((venv / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write_record(venv, record):
    unfinished = venv / (RECORD + ".part")
    unfinished.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    unfinished.replace(venv / RECORD)


def new_record(root, base, own_torch, lent):
    """
    `base`: the interpreter below.  `own_torch`: torch comes from the user, not from the lock.
    `lent`: the folders outside of the environment where that torch is.
    """
    return {"root": str(root), "base": base, "own_torch": own_torch, "lent": lent, "installed": None}


def usable(root, venv, record, asked):
    """Whether what an earlier call began is in its place and of the interpreter asked for."""
    return (
        record["root"] == str(root)
        and (asked is None or asked["executable"] == record["base"])
        and (venv / "bin" / "python").exists()
        and all(os.path.isdir(folder) for folder in record["lent"])
    )


def plan(root, venv, asked):
    """The record of the environment to build, and whether `venv` is to be kept and completed."""
    record = read_record(venv)
    inside = ask(venv / "bin" / "python")
    if inside is not None and (problem(inside) is not None or "pip" in inside["missing"]):
        inside = None
    if inside is not None and record is not None and usable(root, venv, record, asked):
        return {**record, "installed": None}, True
    if record is None and venv.exists() and any(venv.iterdir()):
        if inside is None or (asked is not None and asked["base_prefix"] != inside["base_prefix"]):
            raise InstallError(
                f"{venv} was not made by this command and can not be completed by it: expected an "
                "environment with pip, of Python 3.10 to 3.13 and of the PYTHON=... that was "
                "given, if any. Remove it, or name another folder: make install VENV=..."
            )
        lock = (root / "requirements.txt").read_text(encoding="utf-8")
        own = torch_fits(inside) and f"torch=={inside['torch']['version']}\n" not in lock
        base = inside if asked is None else asked
        return new_record(root, base["executable"], own and torch_works(inside), []), True
    found = candidates(os.environ.get("PATH", ""), venv) if asked is None else [asked]
    base, own = choose(found)
    folders = {base[name]["folder"] for name in ("torch", "torchvision")} if own else set()
    return new_record(root, base["executable"], own, sorted(folders)), False


def run(what, *command):
    """Runs a command whose output the user sees."""
    status = subprocess.run([str(part) for part in command], cwd=str(ROOT)).returncode
    if status != 0:
        raise InstallError(
            f"{what} failed with exit status {status}; the reason stands above. Once it is mended, "
            "the same command goes on from here."
        )


def drop_half_installed(packages):
    """
    Has pip install again what it had not finished: an unpacked package without `INSTALLER`, which
    pip writes when everything else is in place.
    """
    for folder in packages.glob("*.dist-info"):
        if not (folder / "INSTALLER").exists():
            shutil.rmtree(str(folder))


def make_environment(venv, record):
    """An empty environment, with the record in it before anything else."""
    if venv.exists():
        shutil.rmtree(str(venv))
    venv.mkdir(parents=True)
    write_record(venv, record)
    run("Making the environment", record["base"], "-m", "venv", venv)


def fill_environment(venv, record):
    """What the lock lists, the package itself, and the way to a lent torch."""
    python = venv / "bin" / "python"
    (packages,) = venv.glob("lib/python3.*/site-packages")
    # pip must not see what else is beside a lent torch: the lock's versions are wanted.
    lent = packages / LENT_TORCH
    if lent.exists():
        lent.unlink()
    drop_half_installed(packages)
    lock = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    lines = venv / "requirements.txt"
    lines.write_text(lines_to_install(lock, record["own_torch"]), encoding="utf-8")
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--compile"]
    run("pip", *pip, "--no-deps", "-r", lines, "-e", ROOT)
    if record["lent"]:
        text = "".join(f"import site; site.addsitedir({folder!r})\n" for folder in record["lent"])
        lent.write_text(text, encoding="utf-8")
    run("Compiling elmo_plugin", python, "-m", "compileall", "-q", ROOT / "elmo_plugin")
    run("Importing what was installed", python, "-W", "ignore", "-c", TRY_ALL)


@contextlib.contextmanager
def alone():
    """Keeps a second call, say of `make demo` beside `make test`, waiting until the first is through."""
    with open(str(ROOT / "setup.py"), "rb") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another call that sets this checkout up.", flush=True)
            fcntl.flock(held, fcntl.LOCK_EX)
        yield


def install(venv, command):
    """Sets `venv` up of the interpreter `command`, or of the best one where that is None."""
    asked = None if command is None else ask(command)
    if command is not None and asked is None:
        raise InstallError(f"PYTHON={command} does not run. Name a Python from 3.10 to 3.13.")
    record = read_record(venv)
    if record is not None and record["installed"] == fingerprint(ROOT):
        if usable(ROOT, venv, record, asked):
            return
    record, keep = plan(ROOT, venv, asked)
    torch = "the torch that is there" if record["own_torch"] else "torch from requirements.txt"
    print(f"Setting up {venv} with {record['base']} and {torch}.", flush=True)
    if keep:
        write_record(venv, record)
    else:
        make_environment(venv, record)
    fill_environment(venv, record)
    write_record(venv, {**record, "installed": fingerprint(ROOT)})


def main():
    parser = argparse.ArgumentParser(description="Set up the virtual environment of this checkout.")
    parser.add_argument("--venv", default=".venv", help="the folder of the environment")
    parser.add_argument("--python", help="the interpreter to build it of")
    arguments = parser.parse_args()
    try:
        with alone():
            install((ROOT / arguments.venv).resolve(), arguments.python)
    except (InstallError, NoInterpreterError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Interrupted. The same command goes on from here.")


if __name__ == "__main__":
    main()
