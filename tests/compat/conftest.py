"""The mends, applied to the process of the tests, and what the scenarios come to without them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict

import pytest

import elmo_plugin.compat  # noqa: F401

SCENARIOS = Path(__file__).parent / "scenarios.py"


@pytest.fixture(scope="session")
def unmended(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, Dict[str, Any]]:
    """By scenario what came of it in a process that knows nothing of `elmo_plugin`."""
    folder = tmp_path_factory.mktemp("unmended")
    finished = subprocess.run([sys.executable, str(SCENARIOS), str(folder)], cwd=folder, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    outcomes = json.loads((folder / "outcomes.json").read_text(encoding="utf-8"))
    assert outcomes["plugin_loaded"] == {"result": False}
    return outcomes
