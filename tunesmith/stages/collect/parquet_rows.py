"""Read Parquet a batch at a time; ``line`` is the 1-based number of the row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq

from tunesmith.errors import InputError
from tunesmith.stages.collect.files import DataFile
from tunesmith.stages.collect.rows import BadRow, RawRow, Table

BATCH = 1024


@contextmanager
def open_parquet(file: DataFile) -> Iterator[Table]:
    """Open a Parquet file as a table. Raises InputError when it is damaged or has no rows."""
    try:
        parquet = pq.ParquetFile(file.path)
        names = list(parquet.schema_arrow.names)
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        raise _damaged(file, error) from error
    with parquet:
        total = parquet.metadata.num_rows
        if total == 0:
            raise InputError("header_only", "the file has columns and no rows", file.uri, "add rows")
        done = [0]
        yield Table(_rows(parquet, done, file), names, None, None, lambda: file.bytes * done[0] // total)


def _rows(parquet: pq.ParquetFile, done: list[int], file: DataFile) -> Iterator[RawRow | BadRow]:
    try:
        for batch in parquet.iter_batches(batch_size=BATCH):
            for value in _plain(batch).to_pylist():
                done[0] += 1
                yield RawRow(done[0], value, None)
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        raise _damaged(file, error) from error


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
