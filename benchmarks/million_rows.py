"""Collect, clean and split a million short rows of JSONL: time, memory, and how they grow with the rows."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.command import made, measure_all, tunesmith
from benchmarks.figure import Figure, at_least, at_most
from benchmarks.overrides import split
from benchmarks.short_rows import EXACT_EVERY, is_private, lines

ROWS = 1_000_000
FEWER = 10  # the growth is that from a tenth of the rows
MINUTES, MEGABYTES, EXPONENT = 12, 2000, 1.1
FOUND = 98.0  # % of the rows with a private value
SETTINGS = """\
version: 1
name: million-rows
goal: {input: text, output: text}
base: {model: scratch}
collect:
  - {path: rows.jsonl, input: question, output: answer}
"""


@dataclass(frozen=True)
class Run:
    """One run over so many rows: what it took, and what the stages made."""

    rows: int
    seconds: float
    processor: float
    megabytes: float
    clean: dict[str, Any]
    split: dict[str, Any]
    stages: dict[str, float]
    private: int


def run(overrides: Sequence[str] = ()) -> list[Figure]:
    """``--set rows=100000`` takes fewer; other settings are passed on to `tunesmith split`."""
    asked, others = split(overrides, rows=ROWS)
    fewer, all_rows = (of(rows, others) for rows in (asked["rows"] // FEWER, asked["rows"]))
    counts, due = all_rows.clean, all_rows.rows // EXACT_EVERY
    told = ", ".join(f"{name} {seconds:,.0f} s" for name, seconds in all_rows.stages.items())
    growth = math.log(all_rows.processor / fewer.processor) / math.log(all_rows.rows / fewer.rows)
    kept = f"of {counts['in']:,} rows in: kept {counts['kept']:,}, set aside {counts['set_aside']:,}"
    parts = f"leaks: {sum(all_rows.split['leaks'].values())}; pairs compared: {_compared(all_rows.split)}"
    found = 100 * min(all_rows.private / private_rows(all_rows.rows), 1.0)
    return [
        at_most("million rows, time", all_rows.seconds / 60, "min", MINUTES, f"{all_rows.rows:,} rows; {told}"),
        at_most("million rows, peak memory of all processes", all_rows.megabytes, "MB", MEGABYTES),
        at_most("million rows, exponent of the growth", growth, "", EXPONENT, _growth_note(fewer, all_rows)),
        Figure("million rows, time of the processor", all_rows.processor, "s", note="both cores, user and system"),
        Figure("million rows, speed", all_rows.rows / all_rows.seconds, "rows/s"),
        at_least("million rows, merged", counts["merged"], "rows", due, kept),
        at_least("million rows, private rows found", found, "%", FOUND, f"{all_rows.private:,} rows"),
        Figure("million rows, leaks between parts", sum(all_rows.split["leaks"].values()), "pairs", note=parts),
    ]


def of(rows: int, settings: Sequence[str]) -> Run:
    """Run `tunesmith split` on a fresh project of so many rows."""
    with tempfile.TemporaryDirectory(prefix="tunesmith-million-") as name:
        folder = Path(name)
        (folder / "tunesmith.yaml").write_text(SETTINGS, encoding="utf-8")
        with (folder / "rows.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(lines(rows))
        words = [word for setting in settings for word in ("--set", setting)]
        measured = measure_all(tunesmith("split", "--project", name, *words))
        return Run(
            rows,
            measured.seconds,
            measured.processor,
            measured.megabytes,
            made(folder, "clean")["counts"],
            made(folder, "split", "certificate.json"),
            {stage: made(folder, stage)["seconds"] for stage in ("collect", "clean", "split")},
            _private_found(folder),
        )


def private_rows(rows: int) -> int:
    """How many of the rows have a private value in them."""
    return sum(map(is_private, range(rows)))


def _private_found(folder: Path) -> int:
    """How many rows the ledger calls private, from the footer of their file: what measures loads no data."""
    import pyarrow.parquet as pq

    root = folder / ".tunesmith"
    id = (root / "latest" / "clean").read_text(encoding="utf-8").strip()
    return int(pq.read_metadata(root / "artifacts" / f"clean-{id}" / "private.parquet").num_rows)


def _growth_note(fewer: Run, all_rows: Run) -> str:
    return f"processor: {fewer.processor:,.1f} s for {fewer.rows:,} rows, {all_rows.processor:,.1f} s for all"


def _compared(certificate: dict[str, Any]) -> str:
    return "all" if certificate["every_pair_compared"] else "those that MinHash finds"
