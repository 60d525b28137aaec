"""What the tests of every room share."""

import os
import random
from pathlib import Path

import pytest

# Read by torch when it is imported, here and in the processes that tests start: a test run on a
# small machine must not be slowed by more threads than it has cores.
os.environ.setdefault("OMP_NUM_THREADS", "2")
# No test reaches the network.  Where one tried to, this turns a long wait into an error.
os.environ["HF_HUB_OFFLINE"] = "1"

PROJECT_ROOT = Path(__file__).resolve().parent.parent


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before a test's fixtures are made: it draws the same numbers whichever tests ran before it."""
    import numpy
    import torch

    random.seed(0)
    numpy.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The folder that holds `setup.py`."""
    return PROJECT_ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real corpora and reference weights, which are no part of the project; skips without them."""
    folder = PROJECT_ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data here: {os.path.join('..', 'shared', 'data')} does not exist")
    return folder
