"""
Checkpoints of TensorFlow (format V2) written byte by byte, from the descriptions of LevelDB's tables, of Protocol
Buffers and of the bundle's messages, apart from the reader.
"""

import struct
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy

Arrays = Dict[str, numpy.ndarray]
TYPES = {"float32": 1, "float64": 2, "int32": 3, "int64": 9, "float16": 19}
MAGIC = bytes.fromhex("57fb808b247547db")


@lru_cache(maxsize=None)
def byte_remainder(crc: int) -> int:
    """Bit by bit, from the definition: the remainder of a byte modulo the reversed Castagnoli polynomial."""
    for _ in range(8):
        crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = byte_remainder((crc ^ byte) & 255) ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def masked(crc: int) -> bytes:
    rotated = ((crc >> 15) | (crc << 17)) & 0xFFFFFFFF
    return struct.pack("<I", (rotated + 0xA282EAD8) % 2**32)


def varint(number: int) -> bytes:
    result = b""
    while number > 127:
        result += bytes([number % 128 + 128])
        number //= 128
    return result + bytes([number])


def integer_field(field: int, number: int) -> bytes:
    """A field of kind 0, left out where it is 0."""
    return varint(8 * field) + varint(number) if number else b""


def message_field(field: int, message: bytes) -> bytes:
    return varint(8 * field + 2) + varint(len(message)) + message


def header_message(num_shards: int, big_endian: bool = False) -> bytes:
    version = message_field(3, integer_field(1, 1))
    return integer_field(1, num_shards) + integer_field(2, int(big_endian)) + version


def entry_message(dtype: int, shape: Sequence[int], shard: int, offset: int, size: int, crc: bytes) -> bytes:
    sizes = b"".join(message_field(2, integer_field(1, dim)) for dim in shape)
    place = integer_field(3, shard) + integer_field(4, offset) + integer_field(5, size)
    return integer_field(1, dtype) + message_field(2, sizes) + place + varint(8 * 6 + 5) + crc


def block(entries: Sequence[Tuple[bytes, bytes]], restart_interval: int) -> bytes:
    """The entries with shared beginnings of keys left out, except after each restart; without the trailer."""
    result, restarts, before = b"", [], b""
    for number, (key, value) in enumerate(entries):
        shared = 0
        if number % restart_interval == 0:
            restarts.append(len(result))
        else:
            while shared < min(len(key), len(before)) and key[shared] == before[shared]:
                shared += 1
        result += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    restarts = restarts or [0]
    return result + b"".join(struct.pack("<I", place) for place in [*restarts, len(restarts)])


def table(entries: Dict[bytes, bytes], entries_per_block: int = 5, restart_interval: int = 3) -> bytes:
    """A whole table, several blocks of it."""
    content, index = b"", []

    def put(body: bytes) -> bytes:
        nonlocal content
        handle = varint(len(content)) + varint(len(body))
        content += body + b"\0" + masked(crc32c(body + b"\0"))
        return handle

    ordered = sorted(entries.items())
    for start in range(0, len(ordered), entries_per_block):
        part = ordered[start : start + entries_per_block]
        index.append((part[-1][0], put(block(part, restart_interval))))
    handles = put(block([], 1)) + put(block(index, 1))
    return content + handles.ljust(40, b"\0") + MAGIC


def write_checkpoint(
    prefix: Path,
    arrays: Arrays,
    num_shards: int = 2,
    big_endian: bool = False,
    entries: Optional[Dict[Union[str, bytes], bytes]] = None,
    **table_options: Any,
) -> Path:
    """
    Writes the index and the data files, tensors dealt out over these in turn. `entries` are put in place of the ones
    made, or beside them.
    """
    shards: List[bytes] = [b"" for _ in range(num_shards)]
    messages = {b"": header_message(num_shards, big_endian)}
    for number, (name, array) in enumerate(sorted(arrays.items())):
        shard, order = number % num_shards, ">" if big_endian else "<"
        content = array.astype(array.dtype.newbyteorder(order)).tobytes()
        place = shard, len(shards[shard]), len(content), masked(crc32c(content))
        messages[name.encode()] = entry_message(TYPES[array.dtype.name], array.shape, *place)
        shards[shard] += content
    for key, message in (entries or {}).items():
        messages[key if isinstance(key, bytes) else key.encode()] = message
    prefix.parent.mkdir(parents=True, exist_ok=True)
    prefix.with_name(f"{prefix.name}.index").write_bytes(table(messages, **table_options))
    for shard, content in enumerate(shards):
        prefix.with_name(f"{prefix.name}.data-{shard:05d}-of-{num_shards:05d}").write_bytes(content)
    return prefix


# Of an LSTM, from the names in HDF5 files to those of versions of TensorFlow.
STYLES = {
    "1.2": (("kernel", "bias", "projection/kernel"), True),
    "1.0": (("weights", "biases", "projection/weights"), True),
    "0.12": (("W_0", "B", "W_P_0"), False),
}


def variable_name(name: str, style: str = "1.2", scope: str = "lm/") -> str:
    """What bilm-tf calls a dataset of its HDF5 files while it trains, with the given version of TensorFlow."""
    parts, small = STYLES[style]
    if name.startswith("RNN_"):
        path, _, last = name.rpartition("/")
        if small:
            path = path.replace("/RNN", "/rnn").replace("MultiRNNCell/Cell", "multi_rnn_cell/cell_")
            path = path.replace("LSTMCell", "lstm_cell")
        name = f"{path}/{dict(zip(('W_0', 'B', 'W_P_0'), parts))[last]}"
    return scope + name


def bilm_tf_arrays(
    weights: Arrays, softmax: Optional[Tuple[numpy.ndarray, numpy.ndarray]], style: str = "1.2"
) -> Arrays:
    """All that a training of bilm-tf saves: weights, softmax, slots of Adagrad, counters."""
    variables = {variable_name(name, style): array.astype(numpy.float32) for name, array in weights.items()}
    if softmax is not None:
        variables["lm/softmax/W"], variables["lm/softmax/b"] = (array.astype(numpy.float32) for array in softmax)
    slots = {f"{name}/Adagrad": numpy.ones_like(array) for name, array in variables.items()}
    counters = {"global_step": numpy.array(17.0, numpy.float32), "train_perplexity": numpy.array(3.0, numpy.float32)}
    return {**variables, **slots, **counters}
