"""Review: what `clean` changed, merged, set aside or flagged, as cases to decide on, one after the other.

A case is one row and the reason it is shown for; rows in conflict (one input, several answers) are one case, which
one pick settles. Each decision is durable when `decide` returns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from tunesmith import decisions
from tunesmith.decisions import Decision, Decisions, RuleAction, withdrawal
from tunesmith.example import Example
from tunesmith.example_parquet import example_from_row
from tunesmith.products import CleanSet, GoalSheet
from tunesmith.stages.clean.row_steps import RowSteps

if TYPE_CHECKING:
    from tunesmith.project import Project

#: What stands for the user's own decisions in the ledger: shown again only when asked for.
OWN = ("restored", "dropped", "edited")
_STATES = ("set_aside", "merged", "flagged", "kept", "changed")
_WINDOW = 64


@dataclass(frozen=True, slots=True)
class Case:
    """``ids`` are one row's, or those of all rows in conflict with each other."""

    state: str
    reason: str
    ids: tuple[str, ...]


@dataclass(frozen=True)
class ShownRow:
    """A row as the user is shown it: masked. ``before`` are its messages as they came in, where they may be shown;
    ``into`` is the row that it was merged into."""

    example: Example
    evidence: str
    before: str | None = None
    into: Example | None = None


@dataclass(frozen=True, slots=True)
class _Step:
    """Where the user was, the lines that take back what was decided there, and the cases that this settled."""

    at: int
    before: tuple[Mapping[str, Any], ...] = ()
    settled: tuple[int, ...] = ()


class Review:
    """The cases of the latest clean set, and the decisions on them. Get one from `Project.reviewing`."""

    def __init__(self, project: Project, again: bool) -> None:
        self._file = project.root / decisions.FILE
        self.clean: CleanSet = project.product("clean")
        self.goal: GoalSheet = project.product("goal")
        self._steps = RowSteps(self.goal, project.settings.clean, project.settings.seed)
        self._again = again
        known = project.decisions()
        self._rows, self._rules = dict(known.rows), dict(known.rules)
        self._undo: list[_Step] = []
        self._window: dict[str, list[ShownRow]] = {}
        self.cases = self._cases()
        self._cases_of: dict[str, list[int]] = {}
        for number, case in enumerate(self.cases):
            for id in case.ids:
                self._cases_of.setdefault(id, []).append(number)
        self._done = [self._is_decided(case) and not again for case in self.cases]
        self.at = -1
        self.next()

    def _cases(self) -> list[Case]:
        """By state and reason, the most frequent reason first; then in the order of the file."""
        found: dict[tuple[str, str], list[str]] = {}
        for line in self.clean.ledger():
            if self._again or line.code not in OWN:
                found.setdefault((line.state, line.code), []).append(line.id)
        order = sorted(found, key=lambda key: (_STATES.index(key[0]), -len(found[key]), key[1]))
        cases: list[Case] = []
        for state, reason in order:
            ids = found[state, reason]
            groups = self._conflicts(ids) if reason == "conflict" else ((id,) for id in ids)
            cases += [Case(state, reason, group) for group in groups]
        return cases

    def _conflicts(self, ids: list[str]) -> list[tuple[str, ...]]:
        """The rows by their input, as `clean` compares it."""
        groups: dict[bytes, list[str]] = {}
        for id, example in self._examples(ids).items():
            given, _ = self._steps.fingerprints(self._steps.check(example))
            groups.setdefault(given, []).append(id)
        return [tuple(group) for group in groups.values()]

    def _is_decided(self, case: Case) -> bool:
        return case.reason in self._rules or all(id in self._rows for id in case.ids)

    @property
    def case(self) -> Case | None:
        """The case that is shown, None when all are decided."""
        return self.cases[self.at] if self.at < len(self.cases) else None

    @property
    def left(self) -> int:
        """How many cases are not decided."""
        return len(self._done) - sum(self._done)

    def left_by_reason(self) -> Counter[str]:
        return Counter(case.reason for case, done in zip(self.cases, self._done, strict=True) if not done)

    def next(self) -> None:
        """Go to the next case that is not decided."""
        self.at += 1
        while self.at < len(self.cases) and self._done[self.at]:
            self.at += 1

    def skip(self) -> None:
        """Leave the case for another time."""
        self._undo.append(_Step(self.at))
        self.next()

    def back(self) -> bool:
        """Go back to the case before, and withdraw what was decided on it. False at the first one."""
        if not self._undo:
            return False
        step = self._undo.pop()
        if step.before:
            self._write(step.before)
        for number in step.settled:
            self._done[number] = False
        self.at = step.at
        return True

    def decide(self, made: dict[str, Decision]) -> None:
        """Record decisions on the case's rows, and go to the next. A row shown for two reasons is decided once."""
        before = [self._rows[id].line(id) if id in self._rows else withdrawal(id=id) for id in made]
        self._write([one.line(id) for id, one in made.items()])
        others = {number for id in made for number in self._cases_of[id]}
        self._settle(before, {number for number in others if all(id in made for id in self.cases[number].ids)})

    def always(self, action: RuleAction) -> None:
        """Make it the rule for every row of the case's reason, from now on, and go to the next."""
        reason = self._here().reason
        known = self._rules.get(reason)
        before = {"rule": reason, "decision": known} if known else withdrawal(rule=reason)
        self._write([{"rule": reason, "decision": action}])
        self._settle([before], {number for number, case in enumerate(self.cases) if case.reason == reason})

    def _settle(self, before: list[dict[str, Any]], cases: set[int]) -> None:
        settled = tuple(number for number in sorted({self.at, *cases}) if not self._done[number])
        self._undo.append(_Step(self.at, tuple(before), settled))
        for number in settled:
            self._done[number] = True
        self.next()

    def _here(self) -> Case:
        case = self.case
        if case is None:
            raise IndexError("all cases are decided")
        return case

    def _write(self, lines: Sequence[Mapping[str, Any]]) -> None:
        decisions.append(self._file, lines)
        known = Decisions(self._rows, self._rules).after(lines)
        self._rows, self._rules = dict(known.rows), dict(known.rules)

    def rows(self) -> list[ShownRow]:
        """The rows of the case, read a window of cases at a time."""
        case = self._here()
        key = f"{case.state} {case.reason} {case.ids[0]}"
        if key not in self._window:
            self._window = self._read(case for case in self.cases[self.at : self.at + _WINDOW])
        return self._window[key]

    def _read(self, cases: Iterable[Case]) -> dict[str, list[ShownRow]]:
        cases = list(cases)
        ids = {id for case in cases for id in case.ids}
        table = pq.read_table(self.clean.path / "ledger.parquet", filters=[("id", "in", sorted(ids))])
        lines = {(line["state"], line["code"], line["id"]): line for line in table.to_pylist()}
        wanted = ids | {line["into"] for line in lines.values() if line["into"]}
        examples = self._examples(wanted)
        found = {}
        for case in cases:
            told = [lines[case.state, case.reason, id] for id in case.ids]
            found[f"{case.state} {case.reason} {case.ids[0]}"] = [
                ShownRow(examples[line["id"]], line["evidence"], line["before"], examples.get(line["into"] or ""))
                for line in told
            ]
        return found

    def _examples(self, ids: Iterable[str]) -> dict[str, Example]:
        """The rows by id, in the order of the clean set's files."""
        wanted = sorted(set(ids))
        found = {}
        for path in self._files():
            for row in pq.read_table(path, filters=[("id", "in", wanted)]).to_pylist():
                found[row["id"]] = example_from_row(row)
        return found

    def _files(self) -> Iterator[Path]:
        return (self.clean.path / f"{name}.parquet" for name in ("set_aside", "merged", "examples"))

    def edited(self, example: Example, answer: str) -> tuple[str, str | None]:
        """An answer as it would be kept: masked and mended; and what speaks against it, or None.

        What spoke against the row before, such as a long input, is pardoned with an edit.
        """
        before, checked = self._steps.check(example).fault, self._steps.check(example.with_answer(answer))
        fault = checked.fault
        pardoned = fault is None or (fault == before and fault.code != "off_goal")
        return checked.example.answer or "", None if pardoned or fault is None else fault.evidence


@contextmanager
def reviewing(project: Project, *, again: bool = False) -> Iterator[Review]:
    """Open the review of the latest clean set; no other process may work on the project meanwhile.

    Raises InputError ``not_made`` when there is no clean set, and Busy.
    """
    with project.store.lock():
        yield Review(project, again)
