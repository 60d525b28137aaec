"""Many runs of consecutive numbers at once."""

import numpy


def ranges(begins: numpy.ndarray, counts: numpy.ndarray) -> numpy.ndarray:
    """
    `begins[0], begins[0] + 1, …`, `counts[0]` of them, then those of `begins[1]`, and so on.

    # Parameters

    begins, counts : Shape: (num_runs,), `int64`

    # Returns

    Shape: (sum of counts,), `int64`
    """
    ends = numpy.cumsum(counts)
    return numpy.arange(ends[-1] if len(ends) else 0) + numpy.repeat(begins - ends + counts, counts)
