"""Computed numbers compared as every machine can compute them: each rounds, and adds up, in its own way."""

from typing import Any

import numpy
import torch


def assert_close(found: Any, expected: Any, tolerance: float = 1e-5, what: str = "") -> None:
    """
    Two tensors or arrays have one shape, and differ nowhere by more than `tolerance` times the largest number expected:
    what is near zero because large numbers cancelled is known no better than those are.
    """
    found, expected = as_array(found), as_array(expected)
    assert found.shape == expected.shape, what
    largest = float(numpy.abs(expected).max(initial=0.0))
    numpy.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * largest, err_msg=what)


def as_array(numbers: Any) -> numpy.ndarray:
    """In `float64`, which holds every number of the narrower ones."""
    if isinstance(numbers, torch.Tensor):
        numbers = numbers.detach().cpu().double().numpy()
    return numpy.asarray(numbers, dtype="float64")
