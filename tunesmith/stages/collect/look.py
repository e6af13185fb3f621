"""Look at a source without collecting it: what was detected, the first rows, the faults near the start."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tunesmith.errors import Faults, InputError
from tunesmith.stages.collect.faults import FaultList
from tunesmith.stages.collect.files import DataFile, find_files
from tunesmith.stages.collect.reading import Reading, open_reading
from tunesmith.stages.collect.rows import BadRow
from tunesmith.stages.collect.settings import SourceSettings

ROWS_LOOKED_AT = 1000
ROWS_SHOWN = 3


@dataclass(frozen=True)
class SourceLook:
    """What was detected in one file.

    ``shape`` is "unknown" when the layout could not be told; ``faults`` then says why. ``rows`` are the first three
    examples as input and output. ``faults`` are those of the file and of its first 1,000 rows.
    """

    path: str
    shape: str
    mapping: dict[str, str | list[str]]
    encoding: str | None
    columns: tuple[str, ...]
    rows: tuple[tuple[str, str], ...]
    faults: tuple[InputError, ...]


def look(source: SourceSettings, project: Path, output: str = "text") -> list[SourceLook]:
    """Look at the first rows of each file of a source. ``output`` is the goal's kind.

    Raises InputError when the source names no file; what is wrong inside a file is returned with it.
    """
    faults = FaultList()
    files = find_files([source], project, faults)
    faults.raise_if_any()
    return [_look_at(file, output) for file in files]


def _look_at(file: DataFile, output: str) -> SourceLook:
    rows: list[tuple[str, str]] = []
    faults: list[InputError] = []
    reading: Reading | None = None
    try:
        with open_reading(file, output) as reading:
            for item in islice(reading.items, ROWS_LOOKED_AT):
                if isinstance(item, BadRow):
                    faults.append(item.as_error(file.uri))
                elif len(rows) < ROWS_SHOWN:
                    rows.append((item.input, item.answer or ""))
    except InputError as fault:
        faults += fault.faults if isinstance(fault, Faults) else [fault]
    if reading is None:
        return SourceLook(file.uri, "unknown", {}, None, (), (), tuple(faults))
    layout = reading.layout
    return SourceLook(
        file.uri,
        layout.shape if layout else "unknown",
        layout.mapping if layout else {},
        reading.table.encoding,
        tuple(reading.columns),
        tuple(rows),
        tuple(faults),
    )
