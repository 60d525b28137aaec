import numpy
import pytest

from elmo_plugin.bilm.ranges import ranges


@pytest.mark.parametrize(
    "begins, counts, expected",
    [
        ([3, 10, 0], [2, 3, 1], [3, 4, 10, 11, 12, 0]),
        ([5, 6, 7], [0, 2, 0], [6, 7]),
        ([-2], [3], [-2, -1, 0]),
        ([1, 2], [0, 0], []),
        ([], [], []),
    ],
)
def test_they_stand_one_after_the_other(begins, counts, expected):
    found = ranges(numpy.array(begins, dtype=numpy.int64), numpy.array(counts, dtype=numpy.int64))
    assert found.tolist() == expected and found.dtype == numpy.int64
