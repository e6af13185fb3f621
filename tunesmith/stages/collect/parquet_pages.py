"""What the pages of a Parquet file unpack to, read from their own headers, before any of them is unpacked.

The headers are Thrift structs in the compact protocol (parquet.thrift in apache/parquet-format). The footer has sums of
the same numbers, but the reader believes the headers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import pyarrow.parquet as pq

#: Statistics in a header may hold values of some length; Arrow itself reads no longer header.
_FIRST_LOOK, _LONGEST = 64 * 1024, 16 * 1024 * 1024
_DICTIONARY = 2
_DEEPEST = 16


class BrokenHeader(ValueError):
    """A page header that is none."""


class _CutOff(Exception):
    """The header is longer than what was read of it."""


@dataclass(frozen=True)
class Page:
    """``unpacked`` is its size in bytes when unpacked; ``values`` how many it has, those of lists counted each."""

    column: str
    group: int
    unpacked: int
    values: int
    is_dictionary: bool
    is_nested: bool


def pages(file: BinaryIO, parquet: pq.ParquetFile) -> Iterator[Page]:
    """Yield every page of the file, group by group. Raises BrokenHeader."""
    metadata, schema = parquet.metadata, parquet.schema
    for group in range(metadata.num_row_groups):
        for number in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(number)
            nested = schema.column(number).max_repetition_level > 0
            starts = (chunk.dictionary_page_offset, chunk.data_page_offset)
            start = min(offset for offset in starts if offset)
            end = start + chunk.total_compressed_size
            while start < end:
                header, length = _header(file, start)
                packed, unpacked = header.get(3), header.get(2)
                if not isinstance(packed, int) or not isinstance(unpacked, int) or packed < 0 or unpacked < 0:
                    raise BrokenHeader("a page has no size")
                is_dictionary = header.get(1) == _DICTIONARY
                yield Page(chunk.path_in_schema, group, unpacked, _values(header), is_dictionary, nested)
                start += length + packed


def _values(header: dict[int, Any]) -> int:
    """How many values a page has: the first field of the header for its kind."""
    inner = [header[field] for field in (5, 7, 8) if isinstance(header.get(field), dict)]
    return int(inner[0].get(1, 0)) if inner else 0


def _header(file: BinaryIO, start: int) -> tuple[dict[int, Any], int]:
    """The fields of the header that begins there, and its length in bytes."""
    for most in (_FIRST_LOOK, _LONGEST):
        file.seek(start)
        reader = _Compact(file.read(most))
        try:
            return reader.struct(), reader.at
        except _CutOff:
            continue
    raise BrokenHeader("a page header does not end")


class _Compact:
    """Read structs of the compact protocol. Texts are passed over."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        if depth > _DEEPEST:
            raise BrokenHeader("a page header is nested too deeply")
        fields: dict[int, Any] = {}
        field = 0
        while head := self._byte():
            field = field + (head >> 4) if head >> 4 else self._number()
            kind = head & 15
            fields[field] = kind == 1 if kind in (1, 2) else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (1, 2, 3):
            return self._byte()
        if kind in (4, 5, 6):
            return self._number()
        if kind == 7:
            return self._skip(8)
        if kind == 8:
            return self._skip(self._varint())
        if kind in (9, 10):
            return self._list(depth)
        if kind == 12:
            return self.struct(depth + 1)
        raise BrokenHeader(f"a page header has a field of the unknown kind {kind}")

    def _list(self, depth: int) -> None:
        head = self._byte()
        for _ in range(self._varint() if head >> 4 == 15 else head >> 4):
            self._value(head & 15, depth + 1)

    def _byte(self) -> int:
        if self.at >= len(self._data):
            raise _CutOff
        self.at += 1
        return self._data[self.at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 128:
            value |= (byte & 127) << shift
            shift += 7
            if shift > 63:
                raise BrokenHeader("a number in a page header does not end")
        return value | byte << shift

    def _number(self) -> int:
        value = self._varint()
        return value >> 1 ^ -(value & 1)

    def _skip(self, count: int) -> None:
        if self.at + count > len(self._data):
            raise _CutOff
        self.at += count
