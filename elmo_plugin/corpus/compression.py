"""Reading files whatever their compression, knowing how far one is in the file on disk."""

import gzip
import lzma
import zlib
from typing import BinaryIO, Callable, Dict, Iterator

COMPRESSIONS = (".gz", ".xz", ".zst")
# What the readers below raise for files that are damaged, cut short or not what their ending says.
DAMAGE = (EOFError, lzma.LZMAError, zlib.error, OSError)


def decompressed_chunks(raw: BinaryIO, ending: str, size: int) -> Iterator[bytes]:
    """
    The content of an open file in chunks of about `size` bytes, decompressed by what the `ending` says, in capitals
    too.

    # Raises

    One of `DAMAGE`; `ValueError` where the library for `.zst` is missing.
    """
    ending = ending.lower()
    if ending == ".zst":
        yield from _zstandard_chunks(raw, size)
        return
    openers: Dict[str, Callable[[BinaryIO], BinaryIO]] = {".gz": gzip.open, ".xz": lzma.open}
    stream = openers[ending](raw) if ending in openers else raw
    while chunk := stream.read(size):
        yield chunk


def _zstandard():
    try:
        import zstandard
    except ImportError as error:
        raise ValueError("Reading .zst files needs the package zstandard: pip install zstandard") from error
    return zstandard


def _zstandard_chunks(raw: BinaryIO, size: int) -> Iterator[bytes]:
    """The library's own stream ends without a word where a file was cut short; its frames tell."""
    zstandard = _zstandard()
    frame = zstandard.ZstdDecompressor().decompressobj()
    is_inside = False
    while data := raw.read(size):
        while data:
            if frame.eof:
                frame = zstandard.ZstdDecompressor().decompressobj()
            try:
                chunk = frame.decompress(data)
            except zstandard.ZstdError as error:
                raise OSError(str(error)) from error
            is_inside, data = not frame.eof, frame.unused_data
            if chunk:
                yield chunk
    if is_inside:
        raise EOFError("the file ended inside a frame")
