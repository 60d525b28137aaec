"""What the tests of the operations share."""

import pytest
import torch


@pytest.fixture
def threads():
    """Sets how many there are, and sets it back."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)
