"""Examples and other rows to and from Parquet (zstd), streamed: memory is bounded by one group of rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tunesmith.errors import InputError
from tunesmith.example import Example, Source, messages_from_json, messages_to_json

ROWS_PER_GROUP = 8192
#: A group of rows ends sooner where its texts reach this many characters: it is read and written whole.
CHARACTERS_PER_GROUP = 64 * 1024 * 1024

EXAMPLES = pa.schema(
    [
        ("id", pa.string()),
        ("content_id", pa.string()),
        ("messages", pa.string()),
        ("rejected", pa.string()),
        ("uri", pa.string()),
        ("row", pa.int64()),
        ("licence", pa.string()),
        ("fetched_at", pa.string()),
        ("tags", pa.list_(pa.string())),
        ("weight", pa.float64()),
        ("part", pa.string()),
        ("group", pa.string()),
        ("time", pa.int64()),
    ]
)

#: A row that could not become an example: ``raw`` holds it whole.
SET_ASIDE_ROWS = pa.schema(
    [("uri", pa.string()), ("row", pa.int64()), ("code", pa.string()), ("evidence", pa.string()), ("raw", pa.string())]
)

#: One line of the ledger: what became of an example. ``into`` names the one it was merged into;
#: ``before`` holds the messages of a changed one as they came in.
LEDGER = pa.schema(
    [
        ("id", pa.string()),
        ("state", pa.string()),  # kept | flagged | changed | merged | set_aside
        ("code", pa.string()),
        ("evidence", pa.string()),
        ("into", pa.string()),
        ("before", pa.string()),
    ]
)

#: A row in which private data was found, as it came in: what became of it, and what was found where.
PRIVATE = pa.schema([*EXAMPLES, ("state", pa.string()), ("found", pa.list_(pa.string()))])

#: What training did with one example: the optimizer steps (from 1) that it was in, how many of them led to
#: the weights that were kept, and its mean loss the last time.
TRAINED = pa.schema(
    [("id", pa.string()), ("steps", pa.list_(pa.int32())), ("times_kept", pa.int32()), ("loss", pa.float64())]
)


class RowWriter:
    """Write mappings to one Parquet file, a group at a time. Use as a context manager."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path = path
        self.schema = schema
        self.rows = 0
        self._buffer: list[Mapping[str, Any]] = []
        self._characters = 0
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")

    def write(self, row: Mapping[str, Any]) -> None:
        self._buffer.append(row)
        self.rows += 1
        self._characters += sum(len(value) for value in row.values() if type(value) is str)
        if len(self._buffer) >= ROWS_PER_GROUP or self._characters >= CHARACTERS_PER_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._buffer:
            columns = {name: [row.get(name) for row in self._buffer] for name in self.schema.names}
            self._writer.write_table(pa.table(columns, schema=self.schema))
            self._buffer.clear()
            self._characters = 0

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def __enter__(self) -> RowWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self._writer.close()


class ExampleWriter(RowWriter):
    """Write examples to one Parquet file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, EXAMPLES)

    def add(self, example: Example) -> None:
        self.write(example_row(example))


def example_row(example: Example) -> dict[str, Any]:
    """The columns of an example; the inverse of `example_from_row`."""
    return {
        "id": example.id,
        "content_id": example.content_id,
        "messages": messages_to_json(example.messages),
        "rejected": example.rejected,
        "uri": example.source.uri,
        "row": example.source.row,
        "licence": example.source.licence,
        "fetched_at": example.source.fetched_at,
        "tags": list(example.tags),
        "weight": example.weight,
        "part": example.part,
        "group": example.group,
        "time": example.time,
    }


def read_rows(
    path: Path, columns: list[str] | None = None, groups: Sequence[int] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a Parquet file as dictionaries, a group of rows at a time; with ``groups``, of these alone."""
    try:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups) if groups is None else groups:
                for batch in file.iter_batches(batch_size=ROWS_PER_GROUP, row_groups=[group], columns=columns):
                    yield from batch.to_pylist()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(
        "damaged_artifact",
        f"a file that Tunesmith made is damaged or gone ({error})",
        str(path),
        "`tunesmith run --from-scratch` makes it again",
    )


def count_rows(path: Path) -> int:
    """Number of rows, read from the file's own footer."""
    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from error


def group_sizes(path: Path) -> list[int]:
    """How many rows each group of rows has that was written together, from the file's own footer."""
    try:
        metadata = pq.read_metadata(path)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from error
    return [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]


def read_examples(
    path: Path, ids: Collection[str] | None = None, groups: Sequence[int] | None = None
) -> Iterator[Example]:
    """Yield examples in file order; with ``ids``, only these; with ``groups``, only those of these groups of rows."""
    for row in read_rows(path, groups=groups):
        if ids is None or row["id"] in ids:
            yield example_from_row(row)


def example_from_row(row: Mapping[str, Any]) -> Example:
    return Example(
        id=row["id"],
        content_id=row["content_id"],
        messages=messages_from_json(row["messages"]),
        source=Source(row["uri"], row["row"], row["licence"], row["fetched_at"]),
        rejected=row["rejected"],
        tags=tuple(row["tags"] or ()),
        weight=row["weight"],
        part=row["part"],
        group=row.get("group"),  # files of earlier versions have no such columns
        time=row.get("time"),
    )
