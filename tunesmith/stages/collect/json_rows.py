"""Read JSON lines, and JSON documents that are one array or one object with one array, both as streams."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson

from tunesmith.errors import InputError
from tunesmith.stages.collect.byte_stream import BLOCK, Stream, open_stream
from tunesmith.stages.collect.encodings import Encoding
from tunesmith.stages.collect.files import DataFile
from tunesmith.stages.collect.rows import MAX_LINE, BadRow, RawRow, Table, excerpt

#: orjson turns integers beyond 64 bits into floats; such lines are read with exact integers instead.
_LONG_BYTES = re.compile(rb"\d{19}")
_LONG_TEXT = re.compile(r"\d{19}")
_SPACE = re.compile(r"[ \t\r\n]*")


@contextmanager
def open_lines(file: DataFile, encoding: Encoding, *, carriage_returns: bool = False) -> Iterator[Table]:
    """Open JSON lines as a table; blank lines are no rows."""
    with open_stream(file, encoding, carriage_returns=carriage_returns) as stream:
        yield Table(_line_rows(stream), None, encoding.name, None, stream.position)


def _line_rows(stream: Stream) -> Iterator[RawRow | BadRow]:
    utf8 = stream.codec == "utf-8"
    for number, (line, whole) in enumerate(stream.lines(), start=1):
        if line.isspace():
            continue
        if not whole:
            evidence = f"the line is longer than {MAX_LINE // 1024**2} MB"
            yield BadRow(number, "line_too_long", evidence, line.decode(stream.codec, "backslashreplace"))
        elif utf8:
            yield parse_row(line, number)
        else:
            try:
                text = line.decode(stream.codec)
            except UnicodeDecodeError as error:
                yield _undecodable(line, number, error)
            else:
                yield parse_row(text, number)


def parse_row(text: bytes | str, number: int) -> RawRow | BadRow:
    """Parse one JSON object; what is broken or no object becomes a BadRow."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return _broken(text, number, error)
    long = _LONG_BYTES.search(text) if isinstance(text, bytes) else _LONG_TEXT.search(text)
    if long is not None:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            pass  # more digits than Python takes: the float stays
    if type(value) is not dict:
        raw = text.decode() if isinstance(text, bytes) else text
        return BadRow(number, "not_an_object", f"the row is {_kind(value)}, not an object: {excerpt(raw)}", raw)
    return RawRow(number, value, text)


def _broken(text: bytes | str, number: int, error: orjson.JSONDecodeError) -> BadRow:
    if isinstance(text, bytes):
        try:
            raw = text.decode()
        except UnicodeDecodeError as decoding:
            return _undecodable(text, number, decoding)
    else:
        raw = text
    place = f"column {error.colno}" if error.lineno == 1 else f"line {error.lineno} of the row"
    if error.pos >= len(raw.rstrip()):
        place = "its end"
    return BadRow(number, "broken_json", f"broken JSON at {place}: {error.msg}: {excerpt(raw)}", raw)


def _undecodable(line: bytes, number: int, error: UnicodeDecodeError) -> BadRow:
    evidence = f"byte 0x{line[error.start]:02x} at position {error.start + 1} is not {error.encoding}"
    return BadRow(number, "undecodable", evidence, line.decode(error.encoding, "backslashreplace"))


def _kind(value: Any) -> str:
    names = {list: "an array", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


@contextmanager
def open_document(file: DataFile, encoding: Encoding, *, carriage_returns: bool = False) -> Iterator[Table]:
    """Open a JSON document as a table; ``line`` of its rows is the 1-based place in the array."""
    with open_stream(file, encoding, carriage_returns=carriage_returns) as stream:
        window = _Window(stream, file)
        yield Table(_document_rows(window, file), None, encoding.name, None, stream.position)


def _document_rows(window: _Window, file: DataFile) -> Iterator[RawRow | BadRow]:
    count = 0
    arrays = _arrays_of_object if window.peek() == "{" else _only_array
    for _ in arrays(window):
        for element in _elements(window):
            count += 1
            yield parse_row(element, count)
    if window.peek():
        raise window.broken("text after the end of the JSON document; if each line is an object, name it .jsonl")
    if count == 0:
        raise InputError("header_only", "the array has no rows", file.uri, "add rows, or name another file")


def _only_array(window: _Window) -> Iterator[None]:
    """Yield once, with the window at the document's array."""
    window.expect("[", "the document is neither an array nor an object")
    yield


def _arrays_of_object(window: _Window) -> Iterator[None]:
    """Yield with the window at the one array that is a value of the object. Raises InputError on none or two."""
    window.expect("{", "")
    found = 0
    while window.peek() != "}":
        if window.peek() == ",":
            window.expect(",", "")
        key = window.value()
        window.expect(":", f"no colon after the key {excerpt(key)}")
        if window.peek() == "[":
            found += 1
            if found > 1:
                raise window.shape("the object holds several arrays, so it is unclear which holds the rows")
            window.expect("[", "")
            yield
        else:
            window.value()
    window.expect("}", "")
    if not found:
        raise window.shape("the document is one object without an array of rows")


def _elements(window: _Window) -> Iterator[str]:
    """Yield the text of each element of the array that the window stands in."""
    if window.peek() == "]":
        window.expect("]", "")
        return
    while True:
        yield window.value()
        if window.peek() == "]":
            window.expect("]", "")
            return
        window.expect(",", "no comma between two elements of the array")


class _Window:
    """A piece of JSON text that slides forward over the file: memory is bounded by the largest element."""

    def __init__(self, stream: Stream, file: DataFile) -> None:
        self._file = stream.file
        self._uri = file.uri
        self._decoder = codecs.getincrementaldecoder(stream.codec)()
        self._scan: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().raw_decode
        self._text = ""
        self._at = 0
        self._lines_before = 0
        self._ended = False

    def _more(self) -> bool:
        """Drop what is done with and read on; False at the end of the file."""
        if self._ended:
            return False
        self._lines_before += self._text.count("\n", 0, self._at)
        left = self._text[self._at :]
        block = self._file.read(max(BLOCK, len(left)))
        self._ended = not block
        try:
            self._text, self._at = left + self._decoder.decode(block, self._ended), 0
        except UnicodeDecodeError as error:
            line = self._lines_before + left.count("\n") + error.object[: error.start].count(b"\n") + 1
            raise InputError(
                "undecodable",
                f"byte 0x{error.object[error.start]:02x} is not {error.encoding}",
                f"{self._uri}:{line}",
                "write the file's encoding for this source (for example `encoding: cp1252`)",
            ) from error
        return True

    def peek(self) -> str:
        """The next character that is no white space, or "" at the end."""
        while True:
            self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def expect(self, character: str, otherwise: str) -> None:
        """Step over a character. Raises InputError with the words ``otherwise`` when another stands there."""
        found = self.peek()
        if found != character:
            raise self.broken(otherwise if found else "the file ends in the middle")
        self._at += 1

    def value(self) -> str:
        """Step over one JSON value and return its text."""
        if not self.peek():
            raise self.broken("the file ends in the middle")
        while True:
            try:
                _, end = self._scan(self._text, self._at)
                if end < len(self._text) or self._ended or self._text[end - 1] in '"}]':
                    break
                problem, place = "", end  # a number that may go on in the next block
            except json.JSONDecodeError as error:
                problem, place = error.msg, error.pos
            except (RecursionError, ValueError) as error:
                raise self.broken(f"a value is nested too deep or too long ({error})") from error
            if len(self._text) - self._at > MAX_LINE or not self._more():
                if problem:
                    raise self.broken(problem, place)
                break
        text, self._at = self._text[self._at : end], end
        return text

    def broken(self, words: str, place: int | None = None) -> InputError:
        """The fault that the document is broken at a place in the window, by default where it stands."""
        line = self._lines_before + self._text.count("\n", 0, self._at if place is None else place) + 1
        return InputError(
            "broken_json",
            f"broken JSON on line {line}: {words}",
            f"{self._uri}:{line}",
            "mend the file, or save it as JSONL (one object a line), where single bad rows can be set aside",
        )

    def shape(self, words: str) -> InputError:
        """The fault that the document is not laid out as rows."""
        return InputError(
            "no_array_of_rows",
            words,
            self._uri,
            "save it as an array of objects, one for each example, or as JSONL (one object a line)",
        )
