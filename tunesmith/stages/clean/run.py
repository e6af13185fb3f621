"""The stage `clean`: fixed and deduplicated; what was taken out, and why.

A survey of some rows tells what is usual in the set. Then there are two passes over the collection. The first checks
each row and keeps its fingerprints; then duplicates and conflicts are decided, and all rows are looked at together;
the second writes. Memory is about 100 bytes a row, and 1 kB for each row that is compared by its meaning
(`clean.encoder_rows`).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from tunesmith.artifact import write_json
from tunesmith.errors import InputError
from tunesmith.events import Pace
from tunesmith.example_parquet import count_rows, read_examples
from tunesmith.language import can_tell
from tunesmith.products import LEDGER_SUM, Collection, GoalSheet
from tunesmith.stages.clean.conflicts import quotes
from tunesmith.stages.clean.decided import DecidedSteps
from tunesmith.stages.clean.first_pass import first_pass
from tunesmith.stages.clean.ledger import KEPT, MERGED, SET_ASIDE, Ledger, settled_counts
from tunesmith.stages.clean.private_data import PrivateFile
from tunesmith.stages.clean.settings import CleanSettings
from tunesmith.stages.clean.shorten import listed, shorten
from tunesmith.stages.clean.survey import spread, write_survey
from tunesmith.stages.clean.verdicts import decide
from tunesmith.stages.clean.whole_set import look_at_whole_set
from tunesmith.stages.clean.write import Account, Names, write_all
from tunesmith.stages.context import Context

VERSION = 3
FEWEST = 10
#: Rows on which it is measured how long the search for names takes.
SAMPLE = 128


def run(inputs: Mapping[str, Any], settings: CleanSettings, context: Context) -> dict[str, Any]:
    """Clean the collection into ``context.folder``. Returns the counts.

    Raises InputError ``too_few_examples`` or ``one_label`` when what stays cannot be learned from.
    """
    collection: Collection = inputs["collect"]
    goal: GoalSheet = inputs["goal"]
    source = collection.path / "examples.parquet"
    rows = count_rows(source)
    steps = DecidedSteps(goal, settings, context.seed, context.decisions)
    _note_names(context, steps.seconds_for_names(list(islice(collection.examples(), SAMPLE)), rows), rows)
    write_survey(context.folder, rows, steps.survey(steps.prepared(spread(source, rows))))
    _note_no_language(context, settings)
    progress = _Progress(context, rows)
    marks = first_pass(source, goal, settings, context.seed, context.decisions, steps.learned, progress.first_pass)
    _note_gone(context, int(marks.decided.sum()))
    verdicts, names = decide(marks, goal, settings, context.decisions), Names(source)
    verdicts = look_at_whole_set(source, verdicts, steps, goal, settings, names, context)
    answers = quotes(source, verdicts.conflicts.quoted_rows(), steps)
    ledger, private = Ledger(context.folder), PrivateFile(context.folder)
    with ledger, private:
        account = Account(verdicts, steps, ledger, private, names, answers)
        write_all(source, context.folder, verdicts, account, progress.second_pass)
    counts = settled_counts(context.folder, rows, collection.counts.get("examples"), ledger)
    write_json(context.folder / LEDGER_SUM, {key: value for key, value in counts.items() if key != "by_code"})
    _refuse_too_few(counts, collection, ledger, context.folder)
    if goal.output == "label":
        _refuse_one_label(counts, collection, ledger, context.folder)
    return counts


def _note_names(context: Context, seconds: float, rows: int) -> None:
    if seconds >= 60:
        context.note(f"names are looked for in {rows:,} rows: about {seconds / 60:.0f} minutes on one core")


def _note_gone(context: Context, found: int) -> None:
    gone = len(context.decisions.rows) - found
    if gone > 0:
        context.note(f"{gone} rows that you decided on are no longer in the data")


def _note_no_language(context: Context, settings: CleanSettings) -> None:
    if "language" in (*settings.flag, *settings.drop) and not can_tell():
        context.note("the language of rows is not looked at: pycld2 is not installed")


class _Progress:
    """Tell how far the two passes are, in rows; the first takes most of the time."""

    FIRST = 0.9

    def __init__(self, context: Context, rows: int) -> None:
        self._context = context
        self._rows = rows
        self._pace = Pace(rows)

    def first_pass(self, done: int) -> None:
        if self._pace.due():
            self._tell(int(done * self.FIRST))

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
