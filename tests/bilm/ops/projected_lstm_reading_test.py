"""The recurrence without a way back against its definition: any shape, any clip, weights of any precision."""

import pytest
import torch

from elmo_plugin.bilm.ops import projected_lstm_reading
from elmo_plugin.bilm.ops.packed_matrix import PackedMatrix
from elmo_plugin.bilm.ops.projected_lstm import Chain, projected_lstms
from elmo_plugin.bilm.ops.projected_lstm_reading import projected_lstms_reading
from tests.bilm.ops.projected_lstm_test import SHAPES, from_inputs, random_inputs

ALL_SHAPES = {
    **SHAPES,
    "many rows": (40, [40, 40, 33, 20, 20, 16, 10, 10, 4, 2, 1, 1, 0], 12, 6),
    "many full rows": (17, [17] * 3, 5, 9),
}


@pytest.mark.parametrize("shape", ALL_SHAPES.values(), ids=ALL_SHAPES.keys())
@pytest.mark.parametrize("clip", [(None, None), (0.4, 0.2)], ids=str)
@pytest.mark.parametrize("num_chains", [1, 2])
@pytest.mark.parametrize("many_numbers", [0, 10**9])
def test_it_equals_the_plain_one(shape, clip, num_chains, many_numbers, monkeypatch):
    monkeypatch.setattr(projected_lstm_reading, "MANY_NUMBERS", many_numbers)
    chains = [Chain(*random_inputs(shape, seed)) for seed in range(num_chains)]
    kept = [[tensor.clone() for tensor in chain] for chain in chains]
    expected = projected_lstms(chains, shape[1], *clip)
    for plain, fast in zip(expected, projected_lstms_reading(from_inputs(chains), shape[1], *clip)):
        for plain_one, fast_one in zip(plain, fast):
            torch.testing.assert_close(fast_one, plain_one, rtol=0, atol=1e-13)
    for chain, before in zip(chains, kept):
        assert all(torch.equal(tensor, copy) for tensor, copy in zip(chain, before)), "an argument was written to"


@pytest.mark.parametrize("name", ["ragged", "many rows", "one row"])
@pytest.mark.parametrize("precision, tolerance", [("float16", 2e-3), ("int8", 0.06)])
def test_packed_weights_give_nearly_the_same(name, precision, tolerance):
    shape = ALL_SHAPES[name]
    chains = [Chain(*(tensor.float() for tensor in random_inputs(shape, seed))) for seed in range(2)]
    packed = [Chain(*chain[:3], *(PackedMatrix(weight, precision) for weight in chain[3:])) for chain in chains]
    expected = projected_lstms(chains, shape[1], 3.0, 3.0)
    for exact, near in zip(expected, projected_lstms_reading(packed, shape[1], 3.0, 3.0)):
        for exact_one, near_one in zip(exact, near):
            error = (near_one - exact_one).abs().max()
            assert 0 < error < tolerance * exact_one.abs().max()
