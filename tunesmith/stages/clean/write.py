"""The second pass: write every row to the file it belongs to, and the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tunesmith.errors import TunesmithError
from tunesmith.example import Example, messages_to_json
from tunesmith.example_parquet import EXAMPLES, ROWS_PER_GROUP, example_from_row
from tunesmith.stages.clean import near_duplicate
from tunesmith.stages.clean.decided import DecidedSteps, codes_of
from tunesmith.stages.clean.ledger import KEPT, MERGED, SET_ASIDE, Ledger
from tunesmith.stages.clean.private_data import PrivateFile
from tunesmith.stages.clean.row_steps import Checked
from tunesmith.stages.clean.shorten import writable
from tunesmith.stages.clean.verdicts import Verdicts


class Names:
    """The id and the place of each row of the collection, as Arrow columns (some 40 bytes a row)."""

    def __init__(self, path: Path) -> None:
        table = pq.read_table(path, columns=["id", "uri", "row"], read_dictionary=["uri"])
        self._columns = {name: table[name] for name in table.column_names}

    def id(self, row: int) -> str:
        return str(self._columns["id"][row].as_py())

    def where(self, row: int) -> str:
        return writable(f"{self._columns['uri'][row].as_py()}:{self._columns['row'][row].as_py()}")

    def __call__(self, row: int) -> str:
        return f"{self.where(row)}, id {self.id(row)}"


class Account:
    """Write the ledger's lines for the rows of the collection."""

    def __init__(
        self,
        verdicts: Verdicts,
        steps: DecidedSteps,
        ledger: Ledger,
        private: PrivateFile,
        names: Names,
        quotes: dict[int, str],
    ) -> None:
        self._verdicts = verdicts
        self._steps = steps
        self._ledger = ledger
        self._private = private
        self._names = names
        self._quotes = quotes

    def prepared(self, examples: Iterable[Example]) -> Iterator[Example]:
        """The same examples, to be settled one after the other."""
        return self._steps.prepared(examples)

    def settle(self, row: int, example: Example, before: str) -> Example | None:
        """Tell what became of a row. Returns the example to write when it is not the one that came in.

        What is kept is mended; what is taken out is as it was, but for the private values in it.
        """
        verdicts = self._verdicts
        checked = self._mended(row, self._steps.check(example))
        masked = checked.private
        if masked:
            state = "merged" if verdicts.merged[row] else "set_aside" if verdicts.set_aside[row] else "changed"
            self._private.add(example, state, masked.found)
        if verdicts.merged[row]:
            self._ledger.line(
                example.id, "merged", *self._duplicate(row, checked), self._names.id(int(verdicts.into[row]))
            )
            return masked.example if masked else None
        against = self._against(row, checked)
        if verdicts.dropped[row]:
            told = self._because(row, example, checked, "drop")
            self._ledger.line(example.id, "set_aside", "dropped", f"set aside by {told}")
            return masked.example if masked else None
        if verdicts.set_aside[row]:
            if against is None:
                raise TunesmithError("ledger_broken", "a row is set aside without a reason", example.source.where)
            self._ledger.line(example.id, "set_aside", *against)
            return masked.example if masked else None
        if checked.fixes:
            known = None if masked else before
            self._ledger.change(example.id, [(fix.code, fix.evidence) for fix in checked.fixes], known)
        for flag in (*checked.flags, *verdicts.flags.get(row, ())):
            self._ledger.line(example.id, "flagged", flag.code, flag.evidence)
        if against and against[0] == "conflict" and verdicts.conflicts_stay:
            self._ledger.line(example.id, "flagged", *against)
            against = None
        if verdicts.marks.wanted[row] or against:
            reason = f"without that: {against[0]}, {against[1]}" if against else "nothing speaks against it"
            told = self._because(row, example, checked, "keep")
            self._ledger.line(example.id, "kept", "restored", f"kept by {told}; {reason}")
        return checked.example if checked.fixes else None

    def _mended(self, row: int, checked: Checked) -> Checked:
        """The row with the answer that the look at the whole set put in place of its own."""
        better = self._verdicts.mended.get(row)
        if better is None:
            return checked
        example = checked.example.with_answer(better.answer(checked.example.answer or ""))
        return replace(checked, example=example, fixes=(*checked.fixes, *better.fixes))

    def _against(self, row: int, checked: Checked) -> tuple[str, str] | None:
        """The code and evidence of what speaks against a row, or None."""
        verdicts = self._verdicts
        if checked.fault:
            return checked.fault.code, checked.fault.evidence
        if verdicts.into[row] >= 0:
            return self._duplicate(row, checked)
        if verdicts.conflicts.group[row] >= 0:
            return "conflict", verdicts.conflicts.evidence(row, verdicts.answers, self._quotes, self._names)
        return None

    def _because(self, row: int, example: Example, checked: Checked, action: str) -> str:
        """Whose doing it is that a row is kept or dropped: a decision on it, or a rule."""
        decisions = self._steps.decisions
        if example.id in decisions.rows:
            return "your decision"
        copies = ["duplicate"] if self._verdicts.into[row] >= 0 else []
        sides = ["conflict"] if self._verdicts.conflicts.group[row] >= 0 else []
        flags = [flag.code for flag in self._verdicts.flags.get(row, ())]
        codes = [*codes_of(checked), *copies, *sides, *flags]
        return "your rule for " + next(code for code in codes if decisions.rules.get(code) == action)

    def _duplicate(self, row: int, checked: Checked) -> tuple[str, str]:
        into = int(self._verdicts.into[row])
        if row in self._verdicts.near:
            return "near_duplicate", near_duplicate.evidence(self._verdicts.near[row], self._names(into))
        masked = ", once private values are masked" if checked.private else ""
        return "duplicate", f"the same input and answer as {self._names(into)}{masked}"


def write_all(source: Path, folder: Path, verdicts: Verdicts, account: Account, step: Callable[[int], None]) -> None:
    """Write the three files. ``step`` is told how many rows are done, after each batch."""
    with ExitStack() as stack:
        files = {
            name: stack.enter_context(pq.ParquetWriter(folder / name, EXAMPLES, compression="zstd"))
            for name in (KEPT, MERGED, SET_ASIDE)
        }
        states = {KEPT: verdicts.kept, MERGED: verdicts.merged, SET_ASIDE: verdicts.set_aside}
        for start, batch in _batches(source):
            batch = _settle_batch(start, batch, verdicts, account)
            for name, state in states.items():
                chosen = state[start : start + batch.num_rows]
                if chosen.any():
                    files[name].write_batch(batch.filter(pa.array(chosen)))
            step(start + batch.num_rows)


def _batches(source: Path) -> Iterator[tuple[int, pa.RecordBatch]]:
    start = 0
    with pq.ParquetFile(source) as file:
        for group in range(file.num_row_groups):  # a group has few rows where they are long
            for batch in file.iter_batches(batch_size=ROWS_PER_GROUP, row_groups=[group]):
                yield start, batch
                start += batch.num_rows


def _settle_batch(start: int, batch: pa.RecordBatch, verdicts: Verdicts, account: Account) -> pa.RecordBatch:
    """Write the ledger's lines for one batch, and put the mended rows in their places."""
    notable = np.flatnonzero(~verdicts.untouched[start : start + batch.num_rows])
    rows = batch.take(pa.array(notable)).to_pylist() if len(notable) else []
    mended: dict[int, Example] = {}
    examples = account.prepared(map(example_from_row, rows))
    for place, row, example in zip(notable.tolist(), rows, examples, strict=True):
        better = account.settle(start + place, example, row["messages"])
        if better is not None:
            mended[place] = better
    if not mended:
        return batch
    columns = {name: batch.column(name) for name in EXAMPLES.names}
    changed = {name: columns[name].to_pylist() for name in ("messages", "content_id", "rejected", "tags")}
    for place, example in mended.items():
        changed["messages"][place] = messages_to_json(example.messages)
        changed["content_id"][place] = example.content_id
        changed["rejected"][place] = example.rejected
        changed["tags"][place] = list(example.tags)
    columns |= {name: pa.array(values, EXAMPLES.field(name).type) for name, values in changed.items()}
    return pa.record_batch(columns, schema=EXAMPLES)
