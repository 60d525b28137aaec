"""
CRC-32C (Castagnoli), the checksum of TensorFlow's checkpoints, at about the speed of a disk, in NumPy.

The checksum of a byte after a state is `state' = table[(state ^ byte) & 255] ^ (state >> 8)`: one step after the other.
It is linear over bits, though, so long data is cut into pieces of equal length, whose states go forward side by side,
and joined again: `crc(a b) = zeros(crc(a), len(b)) ^ crc(b)`, where `zeros` is the matrix of so many zero bytes.
"""

from functools import lru_cache
from typing import List, Tuple, Union

import numpy

Buffer = Union[bytes, bytearray, memoryview, numpy.ndarray]

_POLYNOMIAL = 0x82F63B78
_MASK_DELTA = 0xA282EAD8
# Data shorter than this is not cut.
_SHORT = 1 << 12
_MAX_PIECES = 1 << 14
_WORD = 4


def _after_zero_bits(states: numpy.ndarray, count: int) -> numpy.ndarray:
    for _ in range(count):
        states = numpy.where(states & 1, (states >> 1) ^ numpy.uint32(_POLYNOMIAL), states >> 1).astype(numpy.uint32)
    return states


@lru_cache(maxsize=None)
def _table() -> List[int]:
    """What a byte makes of the lowest byte of a state."""
    return _after_zero_bits(numpy.arange(256, dtype=numpy.uint32), 8).tolist()


@lru_cache(maxsize=None)
def _halves() -> Tuple[numpy.ndarray, numpy.ndarray]:
    """What four bytes make of the lower and of the upper half of a state: a step of 32 bits is two look-ups."""
    numbers = numpy.arange(1 << 16, dtype=numpy.uint32)
    return _after_zero_bits(numbers, 32), _after_zero_bits(numbers << numpy.uint32(16), 32)


def crc32c(data: Buffer) -> int:
    """The checksum of bytes."""
    array = numpy.frombuffer(data, dtype=numpy.uint8)
    state = 0xFFFFFFFF
    while array.size >= _SHORT:
        num_pieces = min(_MAX_PIECES, 1 << ((array.size // 64).bit_length() - 1))
        length = array.size // num_pieces // _WORD * _WORD
        whole, array = array[: num_pieces * length], array[num_pieces * length :]
        state = _crc_of_pieces(whole.view("<u4").reshape(num_pieces, length // _WORD), state)
    table = _table()
    for byte in array.tolist():
        state = table[(state ^ byte) & 255] ^ (state >> 8)
    return state ^ 0xFFFFFFFF


def masked_crc32c(data: Buffer) -> int:
    """The checksum as files that are checked as a whole hold it: turned by 15 bits, plus a constant."""
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def _crc_of_pieces(pieces: numpy.ndarray, state: int) -> int:
    """
    The state after all pieces, one behind the other. `num_pieces` is a power of two.

    Shape: (num_pieces, words of 32 bits)
    """
    states = numpy.zeros(len(pieces), dtype=numpy.uint32)
    states[0] = state
    lower, upper = _halves()
    # A block of columns at a time, turned, so that a step reads memory in order.
    for start in range(0, pieces.shape[1], 16):
        for column in numpy.ascontiguousarray(pieces[:, start : start + 16].T):
            states ^= column
            states = lower.take(states & numpy.uint32(0xFFFF)) ^ upper.take(states >> numpy.uint32(16))
    zeros = _zeros(pieces.shape[1] * _WORD)
    while len(states) > 1:
        states = _times(zeros, states[0::2]) ^ states[1::2]
        zeros = _times(zeros, zeros)
    return int(states[0])


def _zeros(length: int) -> numpy.ndarray:
    """What `length` zero bytes make of each of the 32 bits of a state. Shape: (32,)"""
    result = numpy.uint32(1) << numpy.arange(32, dtype=numpy.uint32)
    power = _after_zero_bits(result, 8)
    while length:
        if length & 1:
            result = _times(power, result)
        power = _times(power, power)
        length >>= 1
    return result


def _times(matrix: numpy.ndarray, states: numpy.ndarray) -> numpy.ndarray:
    """The matrix (32 columns, as numbers) times each state. Shapes: (32,), (n,) to (n,)"""
    result = numpy.zeros_like(states)
    for bit, column in enumerate(matrix):
        result ^= numpy.where((states >> numpy.uint32(bit)) & numpy.uint32(1), column, numpy.uint32(0))
    return result
