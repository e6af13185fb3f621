"""Look at a source without collecting it: what was detected, the first rows, the faults near the start."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tunesmith.errors import Faults, InputError
from tunesmith.stages.collect.faults import FaultList
from tunesmith.stages.collect.files import DataFile, find_files
from tunesmith.stages.collect.reading import Reading, open_reading
from tunesmith.stages.collect.recognise import recognise
from tunesmith.stages.collect.rows import BadRow
from tunesmith.stages.collect.settings import SourceSettings

ROWS_LOOKED_AT = 1000
ROWS_SHOWN = 3


@dataclass(frozen=True)
class SourceLook:
    """What was detected in one file.

    ``shape`` is "unknown" when the layout could not be told; ``faults`` then says why. ``rows`` are the first three
    examples as input and output. ``faults`` are those of its first 1,000 rows and then of the file;
    ``stopping`` are those that keep the file from being collected.
    """

    path: str
    shape: str
    mapping: dict[str, str | list[str]]
    encoding: str | None
    columns: tuple[str, ...]
    rows: tuple[tuple[str, str], ...]
    faults: tuple[InputError, ...]
    stopping: tuple[InputError, ...] = ()


def look(source: SourceSettings, project: Path, output: str = "text") -> list[SourceLook]:
    """Look at the first rows of each file of a source. ``output`` is the goal's kind.

    Raises InputError when the source names no file; what is wrong inside a file is returned with it.
    """
    faults = FaultList()
    files = find_files([source], project, faults)
    faults.raise_if_any()
    return [_look_at(file, output) for file in files]


def row_faults(sources: list[SourceSettings], project: Path, output: str = "text") -> list[InputError]:
    """The faults in the first rows of every file that can be read.

    What is wrong with a file as a whole, missing or binary, is left out: the fingerprint of the sources tells that.
    """
    found: list[InputError] = []
    for file in find_files(sources, project, FaultList()) if sources else []:
        try:
            recognise(file, output)
        except InputError:
            continue
        found += _look_at(file, output).stopping
    return found


def _look_at(file: DataFile, output: str) -> SourceLook:
    rows: list[tuple[str, str]] = []
    of_rows: list[InputError] = []
    of_file: list[InputError] = []
    reading: Reading | None = None
    try:
        with open_reading(file, output) as reading:
            for item in islice(reading.items, ROWS_LOOKED_AT):
                if isinstance(item, BadRow):
                    of_rows.append(item.as_error(file.uri))
                elif len(rows) < ROWS_SHOWN:
                    rows.append(("" if item.is_document else item.input, item.answer or ""))
    except InputError as fault:
        of_file += fault.faults if isinstance(fault, Faults) else [fault]
    faults = (*of_rows, *of_file)
    stopping = faults if file.source.bad_rows == "stop" else tuple(of_file)
    if reading is None:
        return SourceLook(file.uri, "unknown", {}, None, (), (), faults, stopping)
    layout = reading.layout
    return SourceLook(
        file.uri,
        layout.shape if layout else "unknown",
        layout.mapping if layout else {},
        reading.table.encoding,
        tuple(reading.columns),
        tuple(rows),
        faults,
        stopping,
    )
