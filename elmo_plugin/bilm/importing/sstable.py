"""
Sorted tables as LevelDB has them: the index of a TensorFlow checkpoint.

    file    block… block-of-blocks footer
    footer  two handles (offset and size as varints: of a block that is of no use here, and of the block of blocks),
            filled up to 40 bytes, and the magic number
    block   entry… restart… number of restarts (32 bits each), then one byte for the compression and a checksum
    entry   varints: bytes of the key that it shares with the key before, further bytes of the key, bytes of the value;
            then these bytes of the key, and the value

The values of the block of blocks are the handles of the others.
"""

import struct
from pathlib import Path
from typing import Dict, Iterator, Tuple

from elmo_plugin.bilm.importing.crc32c import masked_crc32c
from elmo_plugin.bilm.importing.protos import read_varint

MAGIC = 0xDB4775248B80FB57
_FOOTER_SIZE = 48
_TRAILER_SIZE = 5


def has_magic(path: Path) -> bool:
    """Whether a file ends as a sorted table does."""
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 8))
        return file.read() == struct.pack("<Q", MAGIC)


def read_table(path: Path) -> Dict[bytes, bytes]:
    """
    All keys and values of a table.

    # Raises

    `ValueError` where it is no table, is cut short or damaged.
    """
    content = path.read_bytes()
    if len(content) < _FOOTER_SIZE or content[-8:] != struct.pack("<Q", MAGIC):
        raise ValueError(
            f"{path}: expected the index of a TensorFlow checkpoint, which ends with the number {MAGIC:#x}, but it "
            f"does not ({len(content):,} bytes). It may be cut short; get it again."
        )
    try:
        _, _, position = _handle(content[-_FOOTER_SIZE:], 0)
        offset, size, _ = _handle(content[-_FOOTER_SIZE:], position)
        result: Dict[bytes, bytes] = {}
        for _, handle in _entries(_block(content, offset, size)):
            result.update(_entries(_block(content, *_handle(handle, 0)[:2])))
        return result
    except ValueError as error:
        raise ValueError(f"{path}: the index of this checkpoint is damaged: {error}. Get the file again.") from error


def _handle(data: bytes, position: int) -> Tuple[int, int, int]:
    """Offset and size of a block, and the position behind them."""
    offset, position = read_varint(data, position)
    size, position = read_varint(data, position)
    return offset, size, position


def _block(content: bytes, offset: int, size: int) -> bytes:
    block = content[offset : offset + size + _TRAILER_SIZE]
    if len(block) < size + _TRAILER_SIZE or offset + size + _TRAILER_SIZE > len(content) - _FOOTER_SIZE:
        raise ValueError(f"a block of {size:,} bytes at {offset:,} would go beyond the end")
    (stored,) = struct.unpack("<I", block[-4:])
    if masked_crc32c(block[:-4]) != stored:
        raise ValueError(f"the checksum of the block at {offset:,} is not that of its bytes")
    if block[size] != 0:
        raise ValueError(
            f"the block at {offset:,} is compressed (kind {block[size]}), which no index of TensorFlow's format V2 is"
        )
    return block[:size]


def _entries(block: bytes) -> Iterator[Tuple[bytes, bytes]]:
    if len(block) < 4:
        raise ValueError("a block of fewer than 4 bytes")
    (num_restarts,) = struct.unpack("<I", block[-4:])
    end = len(block) - 4 * (num_restarts + 1)
    if end < 0:
        raise ValueError(f"a block of {len(block)} bytes that claims {num_restarts:,} restarts")
    position, key = 0, b""
    while position < end:
        shared, position = read_varint(block, position)
        further, position = read_varint(block, position)
        value_size, position = read_varint(block, position)
        if shared > len(key) or position + further + value_size > end:
            raise ValueError("an entry that goes beyond its block")
        key = key[:shared] + block[position : position + further]
        position += further
        yield key, block[position : position + value_size]
        position += value_size
