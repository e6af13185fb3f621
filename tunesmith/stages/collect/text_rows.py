"""Read plain text as passages: paragraphs put together up to a size, each with the line on which it starts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tunesmith.stages.collect.byte_stream import Stream, open_stream
from tunesmith.stages.collect.encodings import Encoding
from tunesmith.stages.collect.files import DataFile
from tunesmith.stages.collect.rows import MAX_LINE, BadRow, RawRow, Table

COLUMN = "text"
#: A paragraph is cut where it is longer than this, and than twice the size of a passage: at a line's end if it has
#: one there, else after a sentence or a word. In characters.
LONGEST = 2000
_SENTENCE = re.compile(r"[.!?…。！？][\"'”’)»]*\s+")


@contextmanager
def open_text(file: DataFile, encoding: Encoding, *, carriage_returns: bool = False) -> Iterator[Table]:
    """Open a text file as a table of one column, a row a passage."""
    with open_stream(file, encoding, carriage_returns=carriage_returns) as stream:
        yield Table(_rows(stream, file.source.passage), [COLUMN], encoding.name, None, stream.position)


def _rows(stream: Stream, size: int) -> Iterator[RawRow | BadRow]:
    passage = _Passage(size)
    for number, (line, whole) in enumerate(stream.lines(), start=1):
        try:
            text = line.decode(stream.codec)
        except UnicodeDecodeError as error:
            reason = f"byte 0x{line[error.start]:02x} at position {error.start + 1} is not {stream.codec}"
            yield BadRow(number, "undecodable", reason, line.decode(stream.codec, "backslashreplace"))
            continue
        if not whole:
            yield BadRow(number, "line_too_long", f"the line is longer than {MAX_LINE // 1024**2} MB", text)
            continue
        for start, ready in passage.add(number, text.rstrip("\r\n")):
            yield RawRow(start, {COLUMN: ready}, ready)
    for start, ready in passage.rest():
        yield RawRow(start, {COLUMN: ready}, ready)


@dataclass
class _Passage:
    """The lines of the passage that is being read, each with its number; whole ones are given back."""

    size: int
    _lines: list[tuple[int, str]] = field(default_factory=list)
    _characters: int = 0
    #: How many of the lines are whole paragraphs.
    _settled: int = 0

    def add(self, number: int, text: str) -> Iterator[tuple[int, str]]:
        if not text.strip():
            yield from self._end_of_paragraph()
        for piece in pieces(text, max(LONGEST, 2 * self.size)):
            self._lines.append((number, piece))
            self._characters += len(piece) + 1
            if self._characters > self.size and self._settled:
                yield from self._give(self._settled)
            if self._characters > max(LONGEST, 2 * self.size):
                yield from self._give(len(self._lines) - 1 or 1)

    def rest(self) -> Iterator[tuple[int, str]]:
        yield from self._give(len(self._lines))

    def _end_of_paragraph(self) -> Iterator[tuple[int, str]]:
        self._settled = len(self._lines)
        if self._characters >= self.size:
            yield from self._give(len(self._lines))

    def _give(self, count: int) -> Iterator[tuple[int, str]]:
        """The first lines as a passage, without blank ones around it."""
        given, self._lines = self._lines[:count], self._lines[count:]
        self._characters = sum(len(text) + 1 for _, text in self._lines)
        self._settled = max(0, self._settled - count)
        seen = [place for place, (_, text) in enumerate(given) if text.strip()]
        if seen:
            kept = given[seen[0] : seen[-1] + 1]
            yield kept[0][0], "\n".join(text for _, text in kept)


def pieces(text: str, longest: int) -> Iterator[str]:
    """Cut a line that is longer than ``longest`` after a sentence, a word, or at last anywhere; nothing is lost."""
    start = 0
    while len(text) - start > longest:
        head = text[start : start + longest]
        ends = [found.end() for found in _SENTENCE.finditer(head)] or [head.rfind(" ") + 1]
        cut = ends[-1] or longest
        yield head[:cut]
        start += cut
    yield text[start:]
