"""Read Parquet a batch at a time; ``line`` is the 1-based number of the row.

A small file can unpack to more than the memory holds: its pages are looked at before they are unpacked.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq

from tunesmith.errors import InputError
from tunesmith.stages.collect.files import DataFile
from tunesmith.stages.collect.parquet_pages import BrokenHeader, pages
from tunesmith.stages.collect.rows import BadRow, RawRow, Table
from tunesmith.stages.collect.settings import FREE_BYTES

BATCH = 1024
#: A column stores equal values once: a batch has so few rows that they stay below this when each has its own copy.
BATCH_BYTES = 64 * 1024 * 1024
#: Most values in lists that one group of rows may have: they are unpacked together.
MOST_IN_LISTS = 20_000_000


@contextmanager
def open_parquet(file: DataFile) -> Iterator[Table]:
    """Open a Parquet file as a table. Raises InputError when it is damaged, has no rows, or unpacks to too much."""
    try:
        parquet = pq.ParquetFile(file.path)
        names = list(parquet.schema_arrow.names)
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        raise _damaged(file, error) from error
    with parquet:
        total = parquet.metadata.num_rows
        if total == 0:
            raise InputError("header_only", "the file has columns and no rows", file.uri, "add rows")
        batch = _rows_at_once(parquet, file)
        done = [0]
        rows = _rows(parquet, batch, done, file)
        yield Table(rows, names, None, None, lambda: file.bytes * done[0] // total)


def _rows_at_once(parquet: pq.ParquetFile, file: DataFile) -> int:
    """How many rows can be read at once. Raises InputError when that is less than one."""
    most = file.source.max_page_mb * 1024 * 1024
    longest = 0
    in_lists: dict[tuple[int, str], int] = {}
    try:
        with file.path.open("rb") as raw:
            for page in pages(raw, parquet):
                where = f"column {page.column!r}, rows of group {page.group + 1}"
                if page.unpacked > most:
                    words = f"a page unpacks to {page.unpacked / 1024**2:,.0f} MB ({where})"
                    raise _too_large(file, words, f"`max_page_mb: {-(-page.unpacked // 1024**2)}`")
                if page.is_nested:
                    key = page.group, page.column
                    in_lists[key] = in_lists.get(key, 0) + page.values
                    if in_lists[key] > MOST_IN_LISTS:
                        words = f"its lists hold more than {MOST_IN_LISTS:,} values in one group of rows ({where})"
                        raise _too_large(file, words)
                if page.is_dictionary:
                    longest = max(longest, page.unpacked)
    except (BrokenHeader, OSError, OverflowError) as error:
        raise _damaged(file, error) from error
    return min(BATCH, max(1, BATCH_BYTES // max(longest, 1)))


def _rows(parquet: pq.ParquetFile, at_once: int, done: list[int], file: DataFile) -> Iterator[RawRow | BadRow]:
    most = max(FREE_BYTES, file.source.max_growth * file.bytes)
    given = 0
    try:
        for batch in parquet.iter_batches(batch_size=at_once):
            given += batch.nbytes
            if given > most:
                words = f"the file unpacks to more than {file.source.max_growth} times its size"
                raise _too_large(file, words, "a larger `max_growth`")
            for value in _plain(batch).to_pylist():
                done[0] += 1
                yield RawRow(done[0], value, None)
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        raise _damaged(file, error) from error


def _too_large(file: DataFile, words: str, setting: str = "") -> InputError:
    fix = f"if the file is right, write {setting} for this source" if setting else "save the lists as text"
    return InputError("parquet_too_large", f"{words}: it looks like a bomb", file.uri, fix)


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Dates and times as text: nanoseconds have no Python type of their own."""
    columns = [
        column.cast(pa.string()) if pa.types.is_temporal(column.type) and not pa.types.is_duration(column.type)
        else column
        for column in batch.columns
    ]  # fmt: skip
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _damaged(file: DataFile, error: Exception) -> InputError:
    words = " ".join(str(error).split())[:200]
    return InputError("damaged_parquet", f"the Parquet file is damaged ({words})", file.uri, "write or copy it again")
