"""
The few messages of Protocol Buffers that a checkpoint's index holds, read by hand: a message is pairs of a key (number
of the field, kind of value) and a value.
"""

from typing import Iterator, NamedTuple, Optional, Tuple, Union

Value = Union[int, bytes]
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def read_varint(data: bytes, position: int) -> Tuple[int, int]:
    """
    A number of seven bits a byte, the lowest first, and the position behind it.

    # Raises

    `ValueError` where the data ends before it or it is too long.
    """
    result = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise ValueError("the data ends in the middle of a number")
        byte = data[position]
        position += 1
        result |= (byte & 127) << shift
        if byte < 128:
            return result, position
    raise ValueError("a number of more than ten bytes")


def fields(message: bytes) -> Iterator[Tuple[int, Value]]:
    """
    Number and value of each field: varints and fixed numbers as `int`, the others as `bytes`.

    # Raises

    `ValueError` where this is no message.
    """
    position = 0
    while position < len(message):
        key, position = read_varint(message, position)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, position = read_varint(message, position)
            yield number, value
            continue
        if kind == _BYTES:
            size, position = read_varint(message, position)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"a field of the unknown kind {kind}")
        content = message[position : position + size]
        if len(content) != size:
            raise ValueError("the data ends in the middle of a field")
        position += size
        yield number, content if kind == _BYTES else int.from_bytes(content, "little")


class BundleHeader(NamedTuple):
    """
    num_shards : data files.
    is_big_endian : of the numbers in them.
    """

    num_shards: int = 0
    is_big_endian: bool = False


class BundleEntry(NamedTuple):
    """
    Where a tensor is.

    dtype : the number of TensorFlow's type.
    shape : `None` where the rank is unknown.
    shard, offset, size : its bytes in the data files.
    checksum : masked, of these bytes.
    is_partitioned : the tensor is in parts, under other keys.
    """

    dtype: int = 0
    shape: Optional[Tuple[int, ...]] = ()
    shard: int = 0
    offset: int = 0
    size: int = 0
    checksum: int = 0
    is_partitioned: bool = False


def read_header(message: bytes) -> BundleHeader:
    """A `BundleHeaderProto`."""
    found = dict(fields(message))
    return BundleHeader(_int(found.get(1, 0)), _int(found.get(2, 0)) == 1)


def read_entry(message: bytes) -> BundleEntry:
    """A `BundleEntryProto`."""
    found = dict(fields(message))
    shape = found.get(2, b"")
    return BundleEntry(
        dtype=_int(found.get(1, 0)),
        shape=_shape(shape if isinstance(shape, bytes) else b""),
        shard=_int(found.get(3, 0)),
        offset=_int(found.get(4, 0)),
        size=_int(found.get(5, 0)),
        checksum=_int(found.get(6, 0)),
        is_partitioned=7 in found,
    )


def _shape(message: bytes) -> Optional[Tuple[int, ...]]:
    """A `TensorShapeProto`."""
    sizes = []
    for number, value in fields(message):
        if number == 3 and value:
            return None
        if number == 2 and isinstance(value, bytes):
            sizes.append(_int(dict(fields(value)).get(1, 0)))
    return tuple(sizes)


def _int(value: Value) -> int:
    if isinstance(value, bytes):
        raise ValueError("a message where a number should be")
    return value
