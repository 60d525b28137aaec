"""
The input cut into blocks of a few MB that can be worked on independently.

Where the cuts fall depends on the bytes of the input alone, so that everything built from blocks comes out the same
whatever the number of processes that work on them.
"""

import hashlib
import lzma
import zlib
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Sequence

from elmo_plugin.corpus.sources import Source

# A line longer than this many blocks is cut, so that a file without a single newline does not fill the memory.
MAX_LINE_BLOCKS = 16


@dataclass(frozen=True)
class Block:
    """
    Whole lines of one source.

    # Parameters

    index : `int`
        Position among all blocks of the corpus.
    source : `str`
        Name of the source.
    offset, first_line : `int`
        Where in the (decompressed) source the data begins: bytes from 0, lines from 1.
    data : `bytes`
    line_is_cut : `bool`
        Whether the block had to end inside an overlong line.
    """

    index: int
    source: str
    offset: int
    first_line: int
    data: bytes
    line_is_cut: bool = False


class BlockReader:
    """
    Reads sources one after the other as blocks of about `block_bytes`.

    After (or during) the iteration `files` tells each source's name, size and SHA-256, of the decompressed bytes.

    # Parameters

    sources : `Sequence[Source]`
    block_bytes : `int`
    keep_paragraphs : `bool`
        Cut at blank lines where there are any, else after any line.
    """

    def __init__(self, sources: Sequence[Source], block_bytes: int, keep_paragraphs: bool) -> None:
        self.sources = sources
        self.block_bytes = block_bytes
        self.keep_paragraphs = keep_paragraphs
        self.files: List[Dict[str, Any]] = []

    def __iter__(self) -> Iterator[Block]:
        index = 0
        for source in self.sources:
            for block in self._read(source, index):
                yield block
                index = block.index + 1

    def _read(self, source: Source, index: int) -> Iterator[Block]:
        digest, offset, line, rest = hashlib.sha256(), 0, 1, b""
        for chunk in _chunks(source, self.block_bytes):
            digest.update(chunk)
            rest += chunk
            end = self._last_cut(rest)
            if end == 0 and len(rest) < MAX_LINE_BLOCKS * self.block_bytes:
                continue
            is_cut = end == 0
            end = end or _cut_inside_line(rest)
            yield Block(index, source.name, offset, line, rest[:end], is_cut)
            index, offset, line, rest = index + 1, offset + end, line + rest.count(b"\n", 0, end), rest[end:]
        if rest:
            yield Block(index, source.name, offset, line, rest)
        self.files.append({"name": source.name, "bytes": offset + len(rest), "sha256": digest.hexdigest()})

    def _last_cut(self, data: bytes) -> int:
        """Where the last whole line, or paragraph, of `data` ends; 0 if none does."""
        last = data.rfind(b"\n") + 1
        if not self.keep_paragraphs:
            return last
        end = last
        while end > 0:
            start = data.rfind(b"\n", 0, end - 1) + 1
            if not data[start:end].strip():
                return end
            end = start
        return last


def _chunks(source: Source, size: int) -> Iterator[bytes]:
    position = 0
    stream = source.open()
    try:
        while True:
            chunk = stream.read(size)
            if not chunk:
                return
            position += len(chunk)
            yield chunk
    except (EOFError, lzma.LZMAError, zlib.error, OSError) as error:
        raise ValueError(
            f"{source.name}: cannot be read on after {position} (decompressed) bytes: {error}. "
            "Is the file complete and what its ending says?"
        ) from error
    finally:
        if source.path is not None:
            stream.close()


def _cut_inside_line(data: bytes) -> int:
    """The end of the last whole word of a line without end, or else of its last whole UTF-8 character."""
    space = data.rfind(b" ") + 1
    if space > 0:
        return space
    end = len(data) - 1
    while end > 1 and data[end] & 0xC0 == 0x80:
        end -= 1
    return end
