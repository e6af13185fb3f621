"""The bytes of a text file as a stream of lines: unzipped, without byte-order mark, line ends as 0A."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, cast

from tunesmith.errors import InputError
from tunesmith.stages.collect.encodings import Encoding
from tunesmith.stages.collect.files import DataFile
from tunesmith.stages.collect.rows import MAX_LINE
from tunesmith.stages.collect.settings import FREE_BYTES

BLOCK = 256 * 1024
GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True)
class Stream:
    """``file`` gives the bytes; ``position`` tells how many bytes of the file on disk are read; ``codec`` decodes."""

    file: BinaryIO
    codec: str
    position: Callable[[], int]

    def lines(self) -> Iterator[tuple[bytes, bool]]:
        """Yield each line and whether it is whole: of a longer one than MAX_LINE only the start is kept."""
        while line := self.file.readline(MAX_LINE):
            whole = len(line) < MAX_LINE or line.endswith(b"\n")
            if not whole:
                while (rest := self.file.readline(BLOCK)) and not rest.endswith(b"\n"):
                    pass
            yield line, whole


@contextmanager
def open_bytes(file: DataFile) -> Iterator[tuple[BinaryIO, Callable[[], int]]]:
    """Open a file, unzipped when it is zipped by its content, whatever its name; with its position on disk."""
    with file.path.open("rb") as plain:
        zipped = plain.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        plain.seek(0)
        stream = cast(BinaryIO, io.BufferedReader(_Unzipped(plain, file), BLOCK)) if zipped else plain
        yield stream, plain.tell


@contextmanager
def open_stream(file: DataFile, encoding: Encoding, *, carriage_returns: bool = False) -> Iterator[Stream]:
    """Open a text file as lines. ``carriage_returns``: lines end in 0D alone, as on old Macs."""
    with open_bytes(file) as (stream, position):
        stream.read(len(encoding.mark))
        codec = encoding.codec
        if encoding.wide:
            stream = _changed(stream, _to_utf8(codec))
            codec = "utf-8"
        if carriage_returns:
            stream = _changed(stream, lambda block, _: block.replace(b"\r", b"\n"))
        yield Stream(stream, codec, position)


class _Unzipped(io.RawIOBase):
    """Unzip while reading. Raises InputError when the file is damaged or grows beyond all measure."""

    def __init__(self, zipped: BinaryIO, file: DataFile) -> None:
        self._gzip = gzip.GzipFile(fileobj=zipped)
        self._uri = file.uri
        self._growth = file.source.max_growth
        self._most = max(FREE_BYTES, self._growth * file.bytes)
        self._given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            count = self._gzip.readinto(buffer)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise InputError(
                "damaged_gzip",
                f"the .gz file is cut off or damaged ({error})",
                self._uri,
                "copy it again, or unzip what can be saved",
            ) from error
        self._given += count
        if self._given > self._most:
            raise InputError(
                "gzip_too_large",
                f"the .gz file unzips to more than {self._growth} times its size: it looks like a zip bomb",
                self._uri,
                "if the file is right, write a larger `max_growth` for this source (or unzip it)",
            )
        return count


class _Changed(io.RawIOBase):
    """Pass blocks through a function of the block and whether it is the last."""

    def __init__(self, stream: BinaryIO, change: Callable[[bytes, bool], bytes]) -> None:
        self._stream = stream
        self._change = change
        self._ready = b""
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._ready and not self._ended:
            block = self._stream.read(BLOCK)
            self._ended = not block
            self._ready = self._change(block, self._ended)
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count


def _changed(stream: BinaryIO, change: Callable[[bytes, bool], bytes]) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(_Changed(stream, change), BLOCK))


def _to_utf8(codec: str) -> Callable[[bytes, bool], bytes]:
    """Turn UTF-16 or UTF-32 into UTF-8; what is broken becomes bytes that no UTF-8 reader takes, on its line."""
    decoder = codecs.getincrementaldecoder(codec)("tunesmith_mark")
    return lambda block, last: decoder.decode(block, last).encode("utf-8", "surrogatepass")


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udcff", error.end


codecs.register_error("tunesmith_mark", _mark)
