"""The stage `clean`: fixed and deduplicated; what was taken out, and why.

Two passes over the collection. The first checks each row alone and keeps its fingerprints; then
duplicates and conflicts are decided, and all rows are looked at together; the second writes. Memory is about 100 bytes
a row, and 1 kB for each row that is compared by its meaning (`clean.encoder_rows`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tunesmith.errors import InputError
from tunesmith.events import Pace
from tunesmith.example import Example
from tunesmith.example_parquet import count_rows, read_examples
from tunesmith.products import Collection, GoalSheet
from tunesmith.stages.clean.conflicts import quotes
from tunesmith.stages.clean.ledger import KEPT, MERGED, SET_ASIDE, Ledger, settled_counts
from tunesmith.stages.clean.marks import Marks
from tunesmith.stages.clean.private_data import PrivateFile
from tunesmith.stages.clean.row_steps import RowSteps
from tunesmith.stages.clean.settings import CleanSettings
from tunesmith.stages.clean.shorten import listed, shorten
from tunesmith.stages.clean.verdicts import decide
from tunesmith.stages.clean.whole_set import look_at_whole_set
from tunesmith.stages.clean.write import Account, Names, write_all
from tunesmith.stages.context import Context

VERSION = 3
FEWEST = 10


def run(inputs: Mapping[str, Any], settings: CleanSettings, context: Context) -> dict[str, Any]:
    """Clean the collection into ``context.folder``. Returns the counts.

    Raises InputError ``too_few_examples`` or ``one_label`` when what stays cannot be learned from.
    """
    collection: Collection = inputs["collect"]
    goal: GoalSheet = inputs["goal"]
    source = collection.path / "examples.parquet"
    rows = count_rows(source)
    steps = RowSteps(goal, settings, context.seed)
    progress = _Progress(context, rows)
    marks = Marks.of(progress.over(collection.examples()), rows, steps, context.decisions)
    _note_gone(context, int(marks.wanted.sum()))
    verdicts, names = decide(marks, goal, settings), Names(source)
    verdicts = look_at_whole_set(source, verdicts, steps, goal, settings, names, context)
    answers = quotes(source, verdicts.conflicts.quoted_rows(), steps)
    ledger, private = Ledger(context.folder), PrivateFile(context.folder)
    with ledger, private:
        account = Account(verdicts, steps, ledger, private, names, answers)
        write_all(source, context.folder, verdicts, account, progress.second_pass)
    counts = settled_counts(context.folder, rows, collection.counts.get("examples"), ledger)
    _refuse_too_few(counts, collection, ledger, context.folder)
    if goal.output == "label":
        _refuse_one_label(counts, collection, ledger, context.folder)
    return counts


def _note_gone(context: Context, found: int) -> None:
    gone = sum(decision == "keep" for decision in context.decisions.values()) - found
    if gone > 0:
        context.note(f"{gone} rows that you decided to keep are no longer in the data")


class _Progress:
    """Tell how far the two passes are, in rows; the first takes most of the time."""

    FIRST = 0.9

    def __init__(self, context: Context, rows: int) -> None:
        self._context = context
        self._rows = rows
        self._pace = Pace(rows)

    def over(self, examples: Iterator[Example]) -> Iterator[Example]:
        for row, example in enumerate(examples):
            if row % 256 == 0 and self._pace.due():
                self._tell(int(row * self.FIRST))
            yield example

    def second_pass(self, done: int) -> None:
        if self._pace.due() or done == self._rows:
            self._tell(int(self._rows * self.FIRST + done * (1 - self.FIRST)))

    def _tell(self, done: int) -> None:
        self._context.progress(done, self._rows, "rows", self._pace.seconds_left(done))


def _refuse_too_few(counts: Mapping[str, Any], collection: Collection, ledger: Ledger, folder: Path) -> None:
    if counts["kept"] >= FEWEST:
        return
    reasons = ", ".join(f"{code}: {number}" for code, number in counts["by_code"].items())
    raise InputError(
        "too_few_examples",
        f"{counts['kept']} of {counts['in']} examples stay, and {FEWEST} are the least to learn from and to test on "
        f"({counts['merged']} merged, {counts['set_aside']} set aside{'; ' + reasons if reasons else ''})"
        f"{_taken_out(ledger, folder)}",
        _sources(collection),
        "add examples (some hundreds do well), or mend the rows that were taken out or the setting that they break",
    )


def _taken_out(ledger: Ledger, folder: Path) -> str:
    """The first row that was taken out for each reason. The stage fails, so nothing else can show them."""
    firsts = {id for id, _ in ledger.first_out.values()}
    places = {row.id: row.source.where for name in (MERGED, SET_ASIDE) for row in read_examples(folder / name, firsts)}
    return "".join(
        f"; the first {code} is {places[id]}: {evidence}" for code, (id, evidence) in sorted(ledger.first_out.items())
    )


def _refuse_one_label(counts: Mapping[str, Any], collection: Collection, ledger: Ledger, folder: Path) -> None:
    labels: set[str] = set()
    for example in read_examples(folder / KEPT):
        labels.add(example.answer or "")
        if len(labels) > 1:
            return
    raise InputError(
        "one_label",
        f"all {counts['kept']} examples that stay have the same label, {shorten(labels.pop())}: nothing to tell apart"
        f"{_taken_out(ledger, folder)}",
        _sources(collection),
        "add examples of at least one other label, or mend the rows that were taken out",
    )


def _sources(collection: Collection) -> str:
    return listed(str(source.get("path", "")) for source in collection.sources)
