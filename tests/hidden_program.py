"""A program in C that is not where it is looked for: what the tests of both of them share."""

from pathlib import Path
from types import ModuleType
from typing import Iterator

import pytest


def hidden(module: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The rest of a fixture: `module`, which loads a program from beside itself, looks for it in `folder`."""
    monkeypatch.setattr(module, "__file__", str(folder / "module.py"))
    (folder / "compiled").mkdir()
    module._loaded.cache_clear()
    yield folder
    module._loaded.cache_clear()
