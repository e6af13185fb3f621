"""The stage `collect`: every row of every source becomes an example, or is set aside with its place and reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunesmith.artifact import for_owner, sha256_of, write_json
from tunesmith.errors import InputError, TunesmithError, raise_all
from tunesmith.events import Pace
from tunesmith.example import Example
from tunesmith.example_parquet import SET_ASIDE_ROWS, ExampleWriter, RowWriter
from tunesmith.privacy.mask import masked_text
from tunesmith.stages.collect.faults import FaultList
from tunesmith.stages.collect.files import DataFile, find_files
from tunesmith.stages.collect.kept_columns import KeptColumns
from tunesmith.stages.collect.reading import Reading, open_reading
from tunesmith.stages.collect.rows import BadRow
from tunesmith.stages.collect.settings import SourceSettings
from tunesmith.stages.collect.shapes import unused
from tunesmith.stages.context import Context
from tunesmith.tombstones import Tombstones

VERSION = 2

FEWEST_EXAMPLES = 10
SENSIBLE_START = 50
DELIMITER_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}


def run(inputs: Mapping[str, Any], settings: list[SourceSettings], context: Context) -> dict[str, Any]:
    """Collect all sources; return the counts of files, rows, examples and set_aside.

    Raises InputError with all faults of all sources at once, and when the examples cannot work for the goal.
    """
    faults = FaultList()
    files = find_files(settings, context.project, faults)
    examples = ExampleWriter(for_owner(context.folder / "examples.parquet"))
    set_aside = RowWriter(for_owner(context.folder / "set_aside.parquet"), SET_ASIDE_ROWS)
    with examples, set_aside:
        collecting = _Collecting(context, faults, examples, set_aside, sum(file.bytes for file in files))
        entries = [entry for file in files if (entry := collecting.collect(file)) is not None]
    faults.raise_if_any()
    counts = {
        "files": len(entries),
        "rows": collecting.rows,
        "examples": examples.rows,
        "set_aside": set_aside.rows,
    }
    if collecting.still_there:
        counts["forgotten"] = len(collecting.still_there)
        _tell_of_forgotten(context, collecting.still_there)
    _check_ledger(counts, entries)
    _check_enough(counts, collecting.answers, str(context.facts.get("output", "text")), settings)
    write_json(context.folder / "sources.json", entries)
    return counts


class _Collecting:
    """What goes on over all files: the writers, the counts and the first distinct answers."""

    def __init__(
        self, context: Context, faults: FaultList, examples: ExampleWriter, set_aside: RowWriter, total_bytes: int
    ) -> None:
        self.context = context
        self.faults = faults
        self.examples = examples
        self.set_aside = set_aside
        self.total_bytes = total_bytes
        self.pace = Pace(total_bytes)
        self.kept = KeptColumns.of(context.facts)
        self.tombstones = Tombstones.read(context.project)
        self.still_there: list[str] = []  # places of rows that were forgotten, and still stand in a source
        self.done_bytes = 0
        self.rows = 0
        self.answers: list[str] = []  # distinct and not empty; the first two are enough

    def collect(self, file: DataFile) -> dict[str, Any] | None:
        """Collect one file; return its entry in sources.json, or None when it is faulty."""
        output = str(self.context.facts.get("output", "text"))
        entry = None
        try:
            before = file.path.stat()
            sha256 = sha256_of(file.path)
            with open_reading(file, output, self.kept) as reading:
                _tell(self.context, file, reading)
                entry = _entry(file, reading, sha256)
                self._rows(file, reading, entry)
            after = file.path.stat()
            if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
                raise InputError(
                    "changed_while_reading", "the file changed while it was read", file.uri, "run the command again"
                )
        except InputError as fault:
            self.faults.add_file(fault)
        self.done_bytes += file.bytes
        return entry

    def _rows(self, file: DataFile, reading: Reading, entry: dict[str, Any]) -> None:
        keep_bad = file.source.bad_rows == "set_aside"
        first_example, first_bad, first_row = self.examples.rows, self.set_aside.rows, self.rows
        first_forgotten = len(self.still_there)
        for item in reading.items:
            self.rows += 1
            if self.tombstones is not None and _is_buried(item, self.tombstones):
                self.still_there.append(f"{file.uri}:{item.line if isinstance(item, BadRow) else item.source.row}")
            elif not isinstance(item, BadRow):
                self.examples.add(item)
                if len(self.answers) < 2:
                    self._note_answer(item.answer)
            elif keep_bad:
                self.set_aside.write({"uri": file.uri, **item._asdict(), "row": item.line})
            else:
                self.faults.add_row(item.as_error(file.uri))
            if self.pace.due():
                done = self.done_bytes + reading.table.position()
                self.context.progress(done, self.total_bytes, "bytes", self.pace.seconds_left(done))
        entry["rows"] = self.rows - first_row
        entry["examples"] = self.examples.rows - first_example
        entry["set_aside"] = self.set_aside.rows - first_bad
        if forgotten := len(self.still_there) - first_forgotten:
            entry["forgotten"] = forgotten

    def _note_answer(self, answer: str | None) -> None:
        answer = (answer or "").strip()
        if answer and answer not in self.answers:
            self.answers.append(answer)


def _is_buried(item: Example | BadRow, tombstones: Tombstones) -> bool:
    found = tombstones.of_raw(item.raw) if isinstance(item, BadRow) else tombstones.of_example(item)
    return found in tombstones.hashes


def _tell_of_forgotten(context: Context, places: list[str]) -> None:
    shown = ", ".join(places[:5]) + (f" and {len(places) - 5} more" if len(places) > 5 else "")
    told = "rows that you had forgotten still stand" if len(places) > 1 else "row that you had forgotten still stands"
    context.warn(f"{len(places)} {told} in the sources; left out here, to be deleted there: {shown}")


def _entry(file: DataFile, reading: Reading, sha256: str) -> dict[str, Any]:
    layout = reading.layout
    return {
        "path": file.uri,
        "format": reading.format,
        "shape": layout.shape if layout else None,
        "mapping": layout.mapping if layout else {},
        "encoding": reading.table.encoding,
        "delimiter": reading.table.delimiter,
        "rows": 0,
        "examples": 0,
        "set_aside": 0,
        "sha256": sha256,
        "bytes": file.bytes,
    }


def _tell(context: Context, file: DataFile, reading: Reading) -> None:
    """Show the user what was detected."""
    if reading.layout is None:
        return
    details = [DELIMITER_NAMES.get(reading.table.delimiter or "", ""), reading.table.encoding or ""]
    how = ", ".join([reading.layout.shape, *(detail for detail in details if detail)])
    kept = KeptColumns.of(context.facts).names
    rest = [name for name in unused(reading.columns, reading.layout, file.source) if name not in kept]
    shown = masked_text(", ".join(rest[:8]))  # a file without a header has values for names
    left = f"; not used: {shown}{', …' if len(rest) > 8 else ''}" if rest else ""
    context.note(f"{file.uri}: {reading.layout.words} ({how}){left}")
    if reading.guessed_encoding:
        context.warn(
            f"{file.uri}: the text encoding was guessed as {reading.table.encoding}; "
            "if letters look wrong, write `encoding:` for this source"
        )


def _check_ledger(counts: Mapping[str, int], entries: list[dict[str, Any]]) -> None:
    for where, line in [("all sources", counts), *((entry["path"], entry) for entry in entries)]:
        forgotten = line.get("forgotten", 0)
        if line["rows"] != line["examples"] + line["set_aside"] + forgotten:
            left_out = f" and {forgotten} were left out as forgotten" if forgotten else ""
            raise TunesmithError(
                "ledger_broken",
                f"{line['rows']} rows came in, {line['examples']} became examples and {line['set_aside']} "
                f"were set aside{left_out}: that does not add up",
                where,
                "this is a fault of Tunesmith: please report it with the file",
            )


def _check_enough(counts: Mapping[str, int], answers: list[str], output: str, settings: list[SourceSettings]) -> None:
    """Raise InputError when no training can come of these examples."""
    faults = []
    where = ", ".join(source.path for source in settings)
    if counts["examples"] < FEWEST_EXAMPLES:
        aside = f" ({counts['set_aside']} rows were set aside)" if counts["set_aside"] else ""
        have = "there is 1 example" if counts["examples"] == 1 else f"there are {counts['examples']} examples"
        faults.append(
            InputError(
                "too_few_examples",
                f"{have}{aside}; at least {FEWEST_EXAMPLES} are needed",
                where,
                f"add more: about {SENSIBLE_START} varied ones are a sensible start",
            )
        )
    if output == "label" and len(answers) < 2:
        found = f"every answer is {answers[0]!r}" if answers else "every answer is empty"
        faults.append(
            InputError(
                "one_label",
                f"{found}: with one label there is nothing to tell apart",
                where,
                "add examples of at least one more label, or check which column is the answer (`output:`)",
            )
        )
    raise_all(faults)
