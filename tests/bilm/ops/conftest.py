"""What the tests of the operations share."""

import pytest
import torch

from elmo_plugin.bilm.ops import compiled_program
from tests.compiled import PROGRAMS


@pytest.fixture
def threads():
    """Sets how many there are, and sets it back."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture(params=PROGRAMS or [None])
def each_program(request, monkeypatch):
    """For `pytestmark` of the tests of the program in C: each that can run here is the one that does."""
    if request.param is not None:
        monkeypatch.setattr(compiled_program, "_loaded", lambda: PROGRAMS[request.param])
