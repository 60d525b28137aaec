"""
The input cut into blocks of a few MB that can be worked on independently.

Where the cuts fall depends on the bytes of the input alone, so that everything built from blocks comes out the same
whatever the number of processes that work on them.
"""

import hashlib
import sys
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Sequence, Tuple

from elmo_plugin.corpus.compression import DAMAGE, decompressed_chunks
from elmo_plugin.corpus.sources import Source
from elmo_plugin.corpus.word_lists import count_lines

# What a file in UTF-16 or UTF-32 begins with.
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
# A line longer than this many blocks is cut, so that a file without a single newline does not fill the memory.
MAX_LINE_BLOCKS = 16


@dataclass(frozen=True)
class Piece:
    """
    Whole lines of one source.

    # Parameters

    source : `str`
        Name of the source.
    offset, first_line : `int`
        Where in the (decompressed) source the data begins: bytes from 0, lines from 1.
    data : `bytes`
    line_is_cut : `bool`
        Whether the piece had to end inside an overlong line.
    """

    source: str
    offset: int
    first_line: int
    data: bytes
    line_is_cut: bool = False


@dataclass(frozen=True)
class Block:
    """
    One piece of a large source, or several small sources.

    # Parameters

    index : `int`
        Position among all blocks of the corpus.
    pieces : `Tuple[Piece, ...]`
    """

    index: int
    pieces: Tuple[Piece, ...]

    def digest(self) -> str:
        """Changes with whatever its sentences and messages depend on."""
        digest = hashlib.sha256()
        for piece in self.pieces:
            digest.update(repr((piece.source, piece.offset, piece.first_line, len(piece.data))).encode("utf-8"))
            digest.update(piece.data)
        return digest.hexdigest()


class BlockReader:
    """
    Reads sources one after the other as blocks of about `block_bytes`.

    During the iteration `position` tells how many bytes on disk have been read, and `files` each finished source's
    name, size and SHA-256, of the decompressed bytes.

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
        self.position = 0
        self.files: List[Dict[str, Any]] = []

    def __iter__(self) -> Iterator[Block]:
        index, pieces, size = 0, [], 0
        for source in self.sources:
            for piece in self._pieces(source):
                pieces.append(piece)
                size += len(piece.data)
                # A piece of a large source is a little smaller than `block_bytes`; it is not to wait for another one.
                if size >= self.block_bytes // 2:
                    yield Block(index, tuple(pieces))
                    index, pieces, size = index + 1, [], 0
        if pieces:
            yield Block(index, tuple(pieces))

    def _pieces(self, source: Source) -> Iterator[Piece]:
        """Of a file in UTF-16 the mark that it begins with, for `decode` to report; what follows would be no text."""
        digest, offset, line, is_utf16 = hashlib.sha256(), 0, 1, False
        for data, is_cut in self._cut(self._chunks(source)):
            digest.update(data)
            if offset == 0 and data.startswith(UTF16_MARKS):
                is_utf16 = True
                yield Piece(source.name, 0, 1, data[:2])
            elif not is_utf16:
                yield Piece(source.name, offset, line, data, is_cut)
            offset, line = offset + len(data), line + count_lines(data)
        self.files.append({"name": source.name, "bytes": offset, "sha256": digest.hexdigest()})

    def _cut(self, chunks: Iterator[bytes]) -> Iterator[Tuple[bytes, bool]]:
        """Where to cut is decided on `block_bytes` at a time, more if no line ends in them, whatever the chunks."""
        rest, window = b"", self.block_bytes
        for chunk in chunks:
            rest += chunk
            while len(rest) >= window:
                end = self._last_cut(rest, window)
                if end == 0 and window < MAX_LINE_BLOCKS * self.block_bytes:
                    window += self.block_bytes
                    continue
                is_cut = end == 0
                end = end or _cut_inside_line(rest[:window])
                yield rest[:end], is_cut
                rest, window = rest[end:], self.block_bytes
        if rest:
            yield rest, False

    def _chunks(self, source: Source) -> Iterator[bytes]:
        raw = sys.stdin.buffer if source.path is None else source.path.open("rb")
        ending = "" if source.path is None else source.path.suffix
        before, num_bytes = self.position, 0
        try:
            for chunk in decompressed_chunks(raw, ending, self.block_bytes):
                num_bytes += len(chunk)
                self.position = before + (raw.tell() if raw.seekable() else num_bytes)
                yield chunk
        except DAMAGE as error:
            raise ValueError(
                f"{source.name}: cannot be read on after {num_bytes} (decompressed) bytes: {error}. "
                "Is the file complete and what its ending says?"
            ) from error
        finally:
            if source.path is not None:
                raw.close()

    def _last_cut(self, data: bytes, window: int) -> int:
        """Where the last whole line, or paragraph, of `data[:window]` ends; 0 if none does."""
        last = data.rfind(b"\n", 0, window) + 1
        if not self.keep_paragraphs:
            return last
        end = last
        while end > 0:
            start = data.rfind(b"\n", 0, end - 1) + 1
            if not data[start:end].strip():
                return end
            end = start
        return last


def _cut_inside_line(data: bytes) -> int:
    """The end of the last whole word of a line without end, or else of its last whole UTF-8 character."""
    space = data.rfind(b" ") + 1
    if space > 0:
        return space
    end = len(data) - 1
    while end > 1 and data[end] & 0xC0 == 0x80:
        end -= 1
    return end
