import copy
import pickle

import pytest
import torch

from elmo_plugin.bilm.ops.packed_matrix import PackedMatrix, check_precision

PRECISIONS = [("float16", 5e-4), ("int8", 2e-2)]


def numbers(*size, seed=0):
    return torch.randn(size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("precision, tolerance", PRECISIONS)
@pytest.mark.parametrize("num_rows", [1, 3, 32, 70])
@pytest.mark.parametrize("has_bias", [True, False])
def test_a_product_is_nearly_the_exact_one(precision, tolerance, num_rows, has_bias):
    rows, weight, bias = numbers(num_rows, 37), numbers(51, 37, seed=1), numbers(51, seed=2)
    exact = rows @ weight.t() + (bias if has_bias else 0)
    found = PackedMatrix(weight, precision, bias if has_bias else None)(rows)
    assert found.dtype == torch.float32 and found.shape == exact.shape
    assert 0 < (found - exact).abs().max() < tolerance * exact.abs().max()


def test_the_largest_numbers_do_not_run_over():
    # All as large as can be and of one sign: sums of 16 bits would.
    found = PackedMatrix(torch.full((4, 64), 2.0), "int8")(torch.full((3, 64), 5.0))
    torch.testing.assert_close(found, torch.full((3, 4), 640.0), rtol=0.01, atol=0)


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_zeros_stay_zeros(precision):
    assert not PackedMatrix(torch.zeros(5, 8), precision)(numbers(2, 8)).any()
    assert PackedMatrix(numbers(5, 8), precision)(torch.zeros(2, 8)).abs().max() < 1e-6


@pytest.mark.parametrize("precision", ["float16", "int8"])
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda matrix: pickle.loads(pickle.dumps(matrix))])
def test_a_copy_and_one_that_was_pickled_give_the_same_bits(precision, duplicate):
    matrix, rows = PackedMatrix(numbers(9, 16), precision, numbers(9)), numbers(4, 16, seed=5)
    assert torch.equal(duplicate(matrix)(rows), matrix(rows))


def test_what_can_not_be_packed_is_refused(monkeypatch):
    with pytest.raises(ValueError, match="must be one of float32, float16, int8, but it is 'int4'"):
        PackedMatrix(numbers(2, 2), "int4")
    with pytest.raises(ValueError, match="Only weights of float32 are packed as int8, but these are torch.float64"):
        PackedMatrix(numbers(2, 2).double(), "int8")
    with pytest.raises(ValueError, match="are for the CPU, but the biLM is on meta. Leave them at float32 there"):
        PackedMatrix(numbers(2, 2).to("meta"), "float16")
    monkeypatch.setattr("elmo_plugin.bilm.ops.packed_matrix._ENGINES", ("another",))
    with pytest.raises(ValueError, match=r"need torch's engine another.*Leave them at float32"):
        PackedMatrix(numbers(2, 2), "float16")
    check_precision("float32", torch.device("meta"))
