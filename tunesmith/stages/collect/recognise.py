"""Recognise what a file is, by its content first and its name second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO, Literal

import orjson

from tunesmith.errors import InputError
from tunesmith.stages.collect.byte_stream import BLOCK, open_bytes
from tunesmith.stages.collect.csv_rows import Dialect, detect_dialect
from tunesmith.stages.collect.encodings import Encoding, guess_encoding, marked_encoding, named_encoding
from tunesmith.stages.collect.files import ENDINGS, KINDS, TEXT_ENDINGS, DataFile
from tunesmith.stages.collect.rows import MAX_LINE

HEAD = 64 * 1024
PARQUET_MAGIC = b"PAR1"
MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF-", "a PDF"),
    (b"PK\x03\x04", "a ZIP archive or an Office file (xlsx, docx)"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file (xls, doc)"),
    (b"\x1f\x8b", "a gzip file inside a gzip file"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"ARROW1\x00", "an Arrow (feather) file"),
    (b"Obj\x01", "an Avro file"),
    (b"RIFF", "a sound or picture (RIFF)"),
    (b"OggS", "an Ogg sound"),
    (b"ID3", "an MP3 sound"),
    (b"\x80\x04\x95", "a Python pickle"),
    (b"\x93NUMPY", "a NumPy array"),
)  # fmt: skip


@dataclass(frozen=True)
class Recognised:
    """What a file is. ``dialect`` is set for delimited text; ``encoding`` is None for Parquet."""

    format: Literal["delimited", "json", "jsonl", "parquet", "text"]
    encoding: Encoding | None = None
    dialect: Dialect | None = None
    carriage_returns: bool = False


def recognise(file: DataFile, output: str = "text") -> Recognised:
    """Look at the head of a file. ``output`` is the goal's kind: plain text can be learned as text alone.

    Raises InputError when it is empty, binary or not a data file at all.
    """
    try:
        with open_bytes(file) as (stream, _):
            head = stream.read(HEAD)
            whole = len(head) < HEAD
            if head.startswith(PARQUET_MAGIC):
                return _parquet(file)
            marked = marked_encoding(head)
            if whole and _is_blank(head, marked):
                raise InputError("empty_file", "the file is empty", file.uri, "fill it, or name another file")
            named = file.source.encoding
            encoding = marked if named == "auto" else named_encoding(named, head, file.uri)
            if encoding is None or not encoding.wide:
                _refuse_binary(head, file)
            encoding = encoding or guess_encoding(_beyond_ascii(head, stream))
    except OSError as error:
        raise InputError(
            "unreadable_file", f"cannot be read ({error.strerror or error})", file.uri, "check its permissions"
        ) from error
    text = head[len(encoding.mark) :].decode(encoding.codec, "replace")
    carriage_returns = "\n" not in text and "\r" in text
    text = text.replace("\r", "\n") if carriage_returns else text
    return _text_format(text, whole, encoding, carriage_returns, file, output)


def _text_format(
    text: str, whole: bool, encoding: Encoding, carriage_returns: bool, file: DataFile, output: str
) -> Recognised:
    promised = ENDINGS.get(file.ending)
    plain = Recognised("text", encoding, None, carriage_returns)
    if promised is None and file.source.shape == "text":
        return plain
    if promised == "parquet":
        raise _unknown(file, "the name says Parquet, the content is text")
    if promised != "delimited" and (promised is not None or text.lstrip()[:1] in ("{", "[")):
        return Recognised(_json_or_lines(text, whole, file.ending), encoding, None, carriage_returns)
    dialect = detect_dialect(text, whole, file.ending, file.source.delimiter)
    if promised is None and not dialect.sure:
        if file.ending in TEXT_ENDINGS and file.source.shape == "auto" and output == "text":
            return plain
        raise _unknown(file, "no known ending, and no separator stands in every line")
    return Recognised("delimited", encoding, dialect, carriage_returns)


def _json_or_lines(text: str, whole: bool, ending: str) -> Literal["json", "jsonl"]:
    """Tell one JSON document from JSON lines: many a .json holds lines, and the other way round."""
    promised: Literal["json", "jsonl"] = "json" if ending == ".json" else "jsonl"
    lines = [line for line in text.split("\n") if line.strip()]
    if not whole:
        lines = lines[:-1]  # perhaps cut off
    if not lines:  # one line longer than the head
        return "json" if text.lstrip().startswith("[") else promised
    first, more = _json_value(lines[0]), len(lines) > 1 or not whole
    if first is None:
        opens = lines[0].strip() in ("{", "[") or lines[0].lstrip().startswith("[")
        second_is_row = len(lines) > 1 and isinstance(_json_value(lines[1]), dict)
        return "json" if opens or (promised == "json" and not second_is_row) else "jsonl"
    if isinstance(first, dict) and more:
        return "jsonl"
    if isinstance(first, list) and not more:
        return "json"
    return promised


def _json_value(line: str) -> object:
    try:
        value: object = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return value


def _is_blank(head: bytes, marked: Encoding | None) -> bool:
    if marked is None:
        return not head.strip()
    return not head[len(marked.mark) :].decode(marked.codec, "replace").strip()


def _beyond_ascii(head: bytes, stream: BinaryIO) -> bytes:
    """Lines with bytes beyond ASCII, up to about the size of the head; reads on while there are none."""
    sample: list[bytes] = []
    size = 0
    block = head + stream.readline(MAX_LINE)
    while block and size < HEAD:
        if not block.isascii():
            lines = [line for line in block.splitlines(keepends=True) if not line.isascii()]
            sample += lines
            size += sum(map(len, lines))
        block = stream.read(BLOCK)
        block += stream.readline(MAX_LINE)
    return b"".join(sample)


def _refuse_binary(head: bytes, file: DataFile) -> None:
    for magic, words in MAGIC:
        if head.startswith(magic):
            raise _binary(file, f"it looks like {words}")
    if b"\x00" in head:
        # of Western text in UTF-16 every other byte is NUL
        fewer, more = sorted((head[0::2].count(0), head[1::2].count(0)))
        hint = " (or UTF-16 text without a byte-order mark)" if fewer == 0 and more > len(head) / 8 else ""
        raise _binary(file, f"it holds NUL bytes, so it is no text{hint}")


def _binary(file: DataFile, words: str) -> InputError:
    fix = f"save the examples as {KINDS} and name that file"
    if "UTF-16" in words:
        fix = "write `encoding: utf-16-le` for this source if it is text, else name another file"
    return InputError("binary_file", f"this is a binary file: {words}", file.uri, fix)


def _unknown(file: DataFile, why: str) -> InputError:
    return InputError("unknown_format", f"this is none of {KINDS}: {why}", file.uri, "save it in one of these formats")


def _parquet(file: DataFile) -> Recognised:
    with file.path.open("rb") as plain:
        zipped = plain.read(len(PARQUET_MAGIC)) != PARQUET_MAGIC
    if zipped:
        raise InputError("zipped_parquet", "this is a Parquet file inside a .gz", file.uri, "unzip it: gunzip FILE")
    return Recognised("parquet")
