"""Read delimited text (CSV, TSV) a record at a time, each with the line on which it starts."""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tunesmith.errors import InputError
from tunesmith.stages.collect.byte_stream import Stream, open_stream
from tunesmith.stages.collect.encodings import Encoding
from tunesmith.stages.collect.files import DataFile
from tunesmith.stages.collect.rows import BadRow, RawRow, Table, excerpt

#: Largest cell, in characters.
MAX_CELL = 10 * 1024 * 1024
DELIMITERS = (",", ";", "\t", "|")
#: How many records of the head are looked at to find the delimiter.
LOOKED_AT = 100


@dataclass(frozen=True)
class Dialect:
    """``quoted``: cells may stand in double quotes. ``sure``: every record looked at has the header's columns."""

    delimiter: str
    quoted: bool = True
    sure: bool = False

    def reader(self, lines: Iterator[str]) -> Iterator[list[str]]:
        csv.field_size_limit(MAX_CELL)
        if self.quoted:
            return csv.reader(lines, delimiter=self.delimiter, strict=True)
        return csv.reader(lines, delimiter=self.delimiter, quoting=csv.QUOTE_NONE, strict=True)


def detect_dialect(head: str, whole: bool, ending: str, delimiter: str | None) -> Dialect:
    """Find the separator that gives the most records as many columns as the header. ``whole``: head is all."""
    tab_first = ("\t", *(other for other in DELIMITERS if other != "\t"))
    candidates = (delimiter,) if delimiter else DELIMITERS if ending == ".csv" else tab_first
    best, best_fit = Dialect(candidates[0]), (0.0, 0)
    for candidate in candidates:
        fits = [(_fit(Dialect(candidate), head, whole), True)]
        if candidate == "\t":  # in TSV a quote is often just a quote
            fits.append((_fit(Dialect(candidate, quoted=False), head, whole), False))
        for fit, quoted in fits:
            if fit > best_fit:
                best, best_fit = Dialect(candidate, quoted, sure=fit[0] == 1.0), fit
    return best


def _fit(dialect: Dialect, head: str, whole: bool) -> tuple[float, int]:
    """Share of records with the header's number of columns, and that number; zeros below two columns."""
    reader = dialect.reader(iter(io.StringIO(head, newline="")))
    widths: list[int] = []
    while len(widths) < LOOKED_AT:
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error:
            widths.append(0)
            continue
        if cells:
            widths.append(len(cells))
    if not whole and len(widths) > 1 and len(widths) < LOOKED_AT:
        widths.pop()  # perhaps cut off
    if not widths or widths[0] < 2:
        return 0.0, 0
    return sum(width == widths[0] for width in widths) / len(widths), widths[0]


@contextmanager
def open_delimited(
    file: DataFile, encoding: Encoding, dialect: Dialect, *, carriage_returns: bool = False
) -> Iterator[Table]:
    """Open a CSV or TSV as a table. Raises InputError when there is no readable header or no row."""
    with open_stream(file, encoding, carriage_returns=carriage_returns) as stream:
        lines = _Lines(stream)
        reader = dialect.reader(lines)
        header = _header(reader, lines, file)
        rows = _rows(reader, lines, header, file)
        yield Table(rows, header, encoding.name, dialect.delimiter, stream.position)


class _Lines:
    """The physical lines of a file, with those of the current record; a broken record can be read again."""

    def __init__(self, stream: Stream) -> None:
        self._lines = stream.lines()
        self._codec = stream.codec
        self._again: deque[tuple[str, str]] = deque()
        self._record: list[tuple[str, str]] = []
        self.number = 0  # of the line given last, 1-based
        self.problem = ""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        text, problem = self._again.popleft() if self._again else self._decode(*next(self._lines))
        self._record.append((text, problem))
        self.number += 1
        if problem:
            self.problem = self.problem or f"line {self.number}: {problem}"
        return text

    def _decode(self, line: bytes, whole: bool) -> tuple[str, str]:
        try:
            text = line.decode(self._codec)
        except UnicodeDecodeError as error:
            reason = f"byte 0x{line[error.start]:02x} at position {error.start + 1} is not {self._codec}"
            return line.decode(self._codec, "backslashreplace"), reason
        return text, "" if whole else "the line is too long"

    def begin(self) -> int:
        """Begin a record; return the number of its first line."""
        self._record.clear()
        self.problem = ""
        return self.number + 1

    @property
    def raw(self) -> str:
        if len(self._record) == 1:
            return self._record[0][0]
        return "".join(text for text, _ in self._record)

    def keep_first(self) -> str:
        """Blame the record's first line alone: the others are read again. Returns that line."""
        rest = self._record[1:]
        self._again.extendleft(reversed(rest))
        self.number -= len(rest)
        return self._record[0][0]


def _header(reader: Iterator[list[str]], lines: _Lines, file: DataFile) -> list[str]:
    while True:
        first = lines.begin()
        try:
            cells = next(reader)
        except StopIteration:
            raise InputError("empty_file", "the file is empty", file.uri, "fill it, or name another file") from None
        except csv.Error as error:
            raise InputError(
                "broken_header", f"the header cannot be read: {_reason(error)}", f"{file.uri}:{first}", "mend that line"
            ) from error
        if lines.problem:
            raise InputError(
                "undecodable",
                f"the header cannot be read: {lines.problem}",
                f"{file.uri}:{first}",
                "write the file's encoding for this source (for example `encoding: cp1252`)",
            )
        if any(cell.strip() for cell in cells):
            return [cell.strip() for cell in cells]


def _rows(reader: Iterator[list[str]], lines: _Lines, header: list[str], file: DataFile) -> Iterator[RawRow | BadRow]:
    width = len(header)
    empty = True
    while True:
        first = lines.begin()
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            empty = False
            yield BadRow(first, "broken_csv", _reason(error), lines.keep_first())
            continue
        if len(cells) == width and not lines.problem:
            empty = False
            yield RawRow(first, dict(zip(header, cells, strict=True)), lines.raw)
        elif lines.problem:
            empty = False
            code = "line_too_long" if "too long" in lines.problem else "undecodable"
            yield BadRow(first, code, lines.problem, lines.raw)
        elif len(cells) > 1 or any(cell.strip() for cell in cells):  # else a blank line
            empty = False
            evidence = f"{_columns(len(cells))} where the header has {width}: {excerpt(lines.raw)}"
            yield BadRow(first, "unequal_columns", evidence, lines.raw)
    if empty:
        raise InputError("header_only", "the file has a header and no rows", file.uri, "add rows, or name another file")


def _columns(count: int) -> str:
    return "1 column" if count == 1 else f"{count} columns"


def _reason(error: csv.Error) -> str:
    words = str(error)
    if "unexpected end of data" in words:
        return "a double quote opens a cell here and none closes it"
    if "field larger" in words:
        return f"a cell is longer than {MAX_CELL // 1024**2} MB (is a double quote never closed?)"
    if "expected after" in words:
        return "text stands after the double quote that closes a cell; inside a cell, double the quote"
    if "new-line character" in words:
        return "a bare carriage return stands in a cell without double quotes"
    return words
