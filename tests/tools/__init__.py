"""Interpreters that are not there, for the tests of what chooses among them."""

import json
from pathlib import Path
from typing import Any, Dict, Optional


def facts(
    version: str, torch: Optional[str] = None, torchvision: Optional[str] = None, **others: Any
) -> Dict[str, Any]:
    """An interpreter as `tools/interpreter_facts.py` describes it."""
    installed = {"torch": torch, "torchvision": torchvision}
    found: Dict[str, Any] = {
        "executable": f"/somewhere/python{version}",
        "version": [int(number) for number in version.split(".")],
        "prefix": f"/somewhere/{version}",
        "base_prefix": f"/somewhere/{version}",
        "missing": [],
    }
    for name, number in installed.items():
        folder = "/somewhere/packages"
        found[name] = None if number is None else {"version": number, "folder": folder}
    found.update(others)
    return found


def write_interpreter(path: Path, answer: Dict[str, Any]) -> None:
    """A program that answers like an interpreter with these facts."""
    write_program(path, f"printf '%s' '{json.dumps(answer)}'")


def write_broken_interpreter(path: Path) -> None:
    """A program of the right name that does not run, as version managers leave them."""
    write_program(path, "exit 127")


def write_program(path: Path, line: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
    path.chmod(0o755)
