"""The checksum of checkpoints, against its definition and published values."""

import numpy
import pytest

from elmo_plugin.bilm.importing.crc32c import crc32c, masked_crc32c
from tests import checkpoint_files


@pytest.mark.parametrize(
    "data, expected",  # RFC 3720, appendix B.4, and the check value of the catalogue of CRCs
    [
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"", 0),
    ],
)
def test_published_values(data, expected):
    assert crc32c(data) == expected


@pytest.mark.parametrize("size", [1, 7, 4095, 4096, 4097, 8191, 50_001])
def test_cut_into_pieces_it_is_what_it_is_bit_by_bit(size):
    data = numpy.random.default_rng(size).integers(0, 256, size, dtype=numpy.uint8).tobytes()
    assert crc32c(data) == checkpoint_files.crc32c(data)
    assert masked_crc32c(data).to_bytes(4, "little") == checkpoint_files.masked(checkpoint_files.crc32c(data))


def test_a_single_bit_changes_it():
    data = bytearray(20_000)
    before = crc32c(data)
    data[12_345] ^= 16
    assert crc32c(data) != before
