"""
Runs `ray_cluster_cases.py` in a process of its own: once Ray was used in a process, processes that it forks, as
AllenNLP's loaders do, may die in Ray's library, which was seen with Python 3.13.
"""

import importlib.util
import re
import subprocess
import sys

import pytest

CASES = "tests/corpus/ray_cluster_cases.py"


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")
def test_a_cluster_of_two_workers_prepares_as_processes_do(project_root):
    command = [sys.executable, "-m", "pytest", CASES, "-p", "no:cacheprovider", "--tb=short"]
    ended = subprocess.run(command, cwd=project_root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(ended.stdout)
    assert ended.returncode == 0, ended.stdout
    skipped = re.search(r"Ray did not start: .*", ended.stdout)
    if skipped is not None:
        pytest.skip(skipped.group())
    assert re.search(r"\b15 passed\b", ended.stdout) is not None
