"""Read one file as examples: recognise it, detect its layout by looking at the first rows, convert each row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from itertools import chain

from tunesmith.errors import InputError, raise_all
from tunesmith.example import Example, digest
from tunesmith.stages.collect.columns import missing_columns
from tunesmith.stages.collect.convert import converter
from tunesmith.stages.collect.csv_rows import open_delimited
from tunesmith.stages.collect.files import DataFile
from tunesmith.stages.collect.json_rows import open_document, open_lines
from tunesmith.stages.collect.kept_columns import KeptColumns
from tunesmith.stages.collect.parquet_rows import open_parquet
from tunesmith.stages.collect.recognise import Recognised, recognise
from tunesmith.stages.collect.rows import BadRow, RawRow, Table
from tunesmith.stages.collect.settings import SourceSettings
from tunesmith.stages.collect.shapes import Layout, columns_used, detect_layout
from tunesmith.stages.collect.text_rows import open_text

#: How much of a file is looked at to detect its layout.
LOOK_ROWS = 200
LOOK_TRIES = 1000
LOOK_CHARACTERS = 8_000_000
NONE_KEPT = KeptColumns()


@dataclass(frozen=True)
class Reading:
    """A file being read. ``layout`` is None when no row could be read: ``items`` then holds bad rows alone."""

    format: str
    table: Table
    layout: Layout | None
    columns: list[str]
    items: Iterator[Example | BadRow]
    guessed_encoding: bool


@contextmanager
def open_reading(file: DataFile, output: str, kept: KeptColumns = NONE_KEPT) -> Iterator[Reading]:
    """Open a file as examples. ``output`` is the goal's kind; ``kept`` are columns that the split needs.

    Raises InputError for what is wrong with the whole file, also while its items are read.
    """
    recognised = recognise(file, output)
    with _open_table(file, recognised) as table:
        rows = iter(table.rows)
        first = _first_rows(rows)
        good = [row.value for row in first if isinstance(row, RawRow)]
        guessed = recognised.encoding is not None and recognised.encoding.guessed
        if not good:
            items = _only_bad(first, file)
            yield Reading(recognised.format, table, None, table.columns or [], items, guessed)
            return
        columns = table.columns or list(dict.fromkeys(name for value in good for name in value))
        fixed = table.columns is not None
        source = file.source.model_copy(update={"shape": "text"}) if recognised.format == "text" else file.source
        layout = detect_layout(columns, good, source, output, file.uri, fixed=fixed)
        is_text = recognised.format == "text"
        kept = _kept_of(kept, file.source, columns, fixed=fixed, is_text=is_text)
        if fixed:
            raise_all(missing_columns([name for name in kept.names if name not in columns], columns, file.uri))
        document = digest("document", file.uri) if is_text else None
        examples = _examples(chain(first, rows), layout, file, columns, kept, document)
        yield Reading(recognised.format, table, layout, columns, examples, guessed)


def _kept_of(
    kept: KeptColumns, source: SourceSettings, columns: list[str], *, fixed: bool, is_text: bool
) -> KeptColumns:
    """The columns to keep of this file. Where its part is given, they need not be there; passages have their file."""
    if is_text:
        return replace(kept, group=None)
    if source.part is None or not fixed:
        return kept
    return KeptColumns(*(name if name in columns else None for name in (kept.group, kept.time)))


def _open_table(file: DataFile, recognised: Recognised) -> AbstractContextManager[Table]:
    if recognised.encoding is None:
        return open_parquet(file)
    turned = recognised.carriage_returns
    if recognised.dialect is not None:
        return open_delimited(file, recognised.encoding, recognised.dialect, carriage_returns=turned)
    openers = {"json": open_document, "jsonl": open_lines, "text": open_text}
    return openers[recognised.format](file, recognised.encoding, carriage_returns=turned)


def _first_rows(rows: Iterator[RawRow | BadRow]) -> list[RawRow | BadRow]:
    """Enough rows to detect the layout; bounded in number and size."""
    first: list[RawRow | BadRow] = []
    good = size = 0
    for row in rows:
        first.append(row)
        good += isinstance(row, RawRow)
        size += len(row.raw) if row.raw is not None else _characters(row)
        if good >= LOOK_ROWS or len(first) >= LOOK_TRIES or size >= LOOK_CHARACTERS:
            break
    return first


def _characters(row: RawRow | BadRow) -> int:
    """How many characters the texts of a row have that was not read from a text file."""
    return sum(len(value) for value in row.value.values() if isinstance(value, str)) if isinstance(row, RawRow) else 0


def _only_bad(first: list[RawRow | BadRow], file: DataFile) -> Iterator[Example | BadRow]:
    bad_rows = [row for row in first if isinstance(row, BadRow)]
    if file.source.bad_rows == "set_aside" or not bad_rows:
        reason = f" (the first: {bad_rows[0].evidence})" if bad_rows else ""
        raise InputError(
            "no_readable_row",
            f"none of the first {len(bad_rows)} rows can be read{reason}",
            file.uri,
            "check that the file is what its name says",
        )
    return iter(bad_rows)


def _examples(
    rows: Iterator[RawRow | BadRow],
    layout: Layout,
    file: DataFile,
    columns: list[str],
    kept: KeptColumns,
    document: str | None,
) -> Iterator[Example | BadRow]:
    """Convert each row. A column that is used and that no row has is a fault, told at the end."""
    convert = converter(layout, file.source, file.uri, kept, document)
    used = list(dict.fromkeys([*columns_used(layout, file.source), *kept.names]))
    unseen = set(used)
    for row in rows:
        if isinstance(row, BadRow):
            yield row
            continue
        if unseen:
            unseen.difference_update(row.value)
        yield convert(row)
    raise_all(missing_columns([name for name in used if name in unseen], columns, file.uri))
