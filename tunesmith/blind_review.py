"""Blind review: rows of the last test with two candidates' answers side by side, without their names.

Which answer is A is drawn for each reviewer and row; the order of the rows is the same for all, so that several who
look at a few rows each look at the same ones. Each rating is durable when the call that made it returns.
"""

from __future__ import annotations

import getpass
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunesmith import ratings
from tunesmith.artifact import hash_of
from tunesmith.errors import InputError
from tunesmith.example_parquet import read_rows
from tunesmith.products import CleanSet, Report
from tunesmith.ratings import Choice, Rating, Ratings
from tunesmith.scoring.preferences import People, people
from tunesmith.stages.clean.row_steps import RowSteps

if TYPE_CHECKING:
    from tunesmith.project import Project

#: Columns of the predictions that are no candidate.
_PLAIN = frozenset({"id", "input", "reference"})
#: The part whose rows are reviewed, as the lines of the file name it.
_PART = "test"
LONGEST_NAME = 80


@dataclass(frozen=True)
class Case:
    """One row: ``answers`` are A's and B's, ``shown`` the candidates behind them, ``known`` what is said of it."""

    id: str
    input: str
    reference: str
    shown: tuple[str, str]
    answers: tuple[str, str]


@dataclass
class _State:
    """What the reviewer has said of a case so far."""

    choice: Choice | None = None
    comment: str = ""
    correction: str | None = None


@dataclass(frozen=True)
class Answers:
    """Where the answers of the last test lie, and what each candidate said: ``texts[id][candidate]``."""

    folder: Path
    candidates: tuple[str, ...]
    rows: Sequence[Mapping[str, Any]]

    @property
    def texts(self) -> dict[str, dict[str, str]]:
        return {row["id"]: {name: row[name]["answer"] for name in self.candidates} for row in self.rows}


@dataclass
class BlindReview:
    """The cases for one reviewer, in the order in which they are shown. Get one from `Project.rating`.

    ``alike``: rows that are not shown, since both answers are the same.
    """

    project: Project
    reviewer: str
    pair: tuple[str, str]
    folder: Path
    cases: list[Case]
    alike: int
    at: int = -1
    _states: dict[str, _State] = field(default_factory=dict)
    _undo: list[int] = field(default_factory=list)
    _steps: RowSteps | None = None

    @property
    def case(self) -> Case | None:
        """The case that is shown, None when all are rated or skipped."""
        return self.cases[self.at] if self.at < len(self.cases) else None

    @property
    def state(self) -> _State:
        return self._states.setdefault(self._here().id, _State())

    @property
    def left(self) -> int:
        """How many cases this reviewer has not rated."""
        return sum(self._states.get(case.id, _State()).choice is None for case in self.cases)

    @property
    def ended(self) -> bool:
        return self.left == 0

    def next(self) -> None:
        """Go to the next case that is not rated."""
        self.at += 1
        while self.at < len(self.cases) and self._states.get(self.cases[self.at].id, _State()).choice is not None:
            self.at += 1

    def skip(self) -> None:
        """Leave the case for another time."""
        self._undo.append(self.at)
        self.next()

    def back(self) -> bool:
        """Go back to the case before, and withdraw the choice that was made there. False at the first one."""
        if not self._undo:
            return False
        self.at = self._undo.pop()
        if self.state.choice is not None:
            self._write(ratings.rating_line(self._rating(None)))
            self.state.choice = None
        return True

    def choose(self, choice: Choice) -> None:
        """Record which answer is better, and go to the next case."""
        self._write(ratings.rating_line(self._rating(choice)))
        self._undo.append(self.at)
        self.state.choice = choice
        self.next()

    def comment(self, text: str) -> None:
        """Record a remark on the two answers; an empty one takes it back."""
        self._write(ratings.comment_line(replace(self._rating(None), comment=text.strip())))
        self.state.comment = text.strip()

    def checked(self, answer: str) -> tuple[str, str | None]:
        """A better answer as it would be kept, masked and mended like any example; and what speaks against it."""
        if self._steps is None:
            project = self.project
            self._steps = RowSteps(project.product("goal"), project.settings.clean, project.settings.seed)
        clean: CleanSet = self.project.product("clean")
        example = next(clean.examples({self._here().id}), None)
        if example is None:
            return answer, "the row is no longer among the examples"
        checked = self._steps.check(example.with_answer(answer))
        return checked.example.answer or "", checked.fault.evidence if checked.fault else None

    def correct(self, answer: str | None) -> None:
        """Record a better answer as it was given (see `checked`); None takes it back."""
        case = self._here()
        self._write(ratings.correction_line(case.id, self.reviewer, _PART, case.input, answer))
        self.state.correction = answer

    def results(self) -> People | None:
        """What this reviewer and all others said of the two candidates: their names are known from here on."""
        return results(self.project, candidates=self.pair)

    def _here(self) -> Case:
        case = self.case
        if case is None:
            raise IndexError("all cases are rated")
        return case

    def _rating(self, choice: Choice | None) -> Rating:
        case = self._here()
        hashes = (hash_of(case.answers[0]), hash_of(case.answers[1]))
        return Rating(case.id, self.reviewer, _PART, case.shown, hashes, choice)

    def _write(self, line: Mapping[str, Any]) -> None:
        ratings.append(self.project.root / ratings.FILE, [line], source=self.folder)


def blind_review(
    project: Project,
    *,
    reviewer: str | None = None,
    candidates: Sequence[str] | None = None,
    rows: int | None = None,
) -> BlindReview:
    """Open the rows for one reviewer, those that are rated marked so. ``rows``: no more than so many.

    Raises InputError when nothing was tested yet, or a candidate is not among the last test's.
    """
    name = name_of(reviewer)
    found = answers(project)
    pair = pair_of(project, found, candidates)
    texts = found.texts
    order = sorted(found.rows, key=lambda row: hash_of([project.settings.seed, row["id"]]))
    differing = [row for row in order if texts[row["id"]][pair[0]] != texts[row["id"]][pair[1]]]
    if not differing:
        raise InputError(
            "nothing_to_compare",
            f"{pair[0]} and {pair[1]} gave the same answer to each of {len(order):,} rows",
            str(found.folder),
            f"name two others with --candidates: {', '.join(found.candidates)}",
        )
    cases = [_case(row, name, pair, project.settings.seed) for row in differing[:rows]]
    review = BlindReview(project, name, pair, found.folder, cases, len(order) - len(differing))
    review._states.update(_known(project.ratings(), review, texts))
    review.next()
    return review


def _case(row: Mapping[str, Any], reviewer: str, pair: tuple[str, str], seed: int) -> Case:
    """The row with its answers as A and B; which is which is drawn by reviewer and row."""
    turned = int(hash_of([seed, reviewer, row["id"], sorted(pair)]), 16) % 2
    shown = (pair[1], pair[0]) if turned else pair
    texts = (row[shown[0]]["answer"], row[shown[1]]["answer"])
    return Case(row["id"], row["input"], row["reference"], shown, texts)


def _known(known: Ratings, review: BlindReview, texts: Mapping[str, Mapping[str, str]]) -> dict[str, _State]:
    states: dict[str, _State] = {}
    for rating in known.of_answers(texts, review.pair, only_commented=True):
        if rating.reviewer == review.reviewer:
            states[rating.id] = _State(rating.choice, rating.comment)
    for one in known.corrections:
        if one.reviewer == review.reviewer:
            states.setdefault(one.id, _State()).correction = one.answer
    return states


def name_of(reviewer: str | None) -> str:
    """The reviewer's name: as given, or the login's. Raises InputError ``no_reviewer``."""
    try:
        name = (getpass.getuser() if reviewer is None else reviewer).strip()
    except (KeyError, OSError):
        name = ""
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise InputError("no_reviewer", "a reviewer needs a name, on one line", "--as", "--as ana")
    return name


def answers(project: Project) -> Answers:
    """The answers that candidates gave to the test's rows. Raises InputError ``not_made``."""
    artifact = project.store.latest("test")
    path = artifact.path / "predictions.parquet" if artifact else None
    if path is None or not path.exists():
        raise InputError("not_made", "nothing was tested yet", "review", "`tunesmith test` makes the answers")
    rows = list(read_rows(path))
    names = tuple(name for name in (rows[0] if rows else {}) if name not in _PLAIN)
    return Answers(path.parent, names, rows)


def pair_of(project: Project, found: Answers, wanted: Sequence[str] | None) -> tuple[str, str]:
    """The two candidates to compare: as wanted, or the tuned model and what the verdict holds it against."""
    if wanted is None:
        report = project.store.latest("test")
        comparison = Report.open(report).verdict.get("comparison") if report else None
        wanted = ("tuned", str((comparison or {}).get("against", "base")))
    known = ", ".join(found.candidates)
    missing = [name for name in wanted if name not in found.candidates]
    if missing:
        what = f"{missing[0]!r} is no candidate of the last test"
        raise InputError("unknown_candidate", what, "--candidates", f"known: {known}")
    if len(wanted) != 2 or wanted[0] == wanted[1]:
        raise InputError("unknown_candidate", "two candidates are compared", "--candidates", f"two of: {known}")
    return wanted[0], wanted[1]


def results(project: Project, *, candidates: Sequence[str] | None = None) -> People | None:
    """What all reviewers said of two candidates' present answers; None where nothing was rated."""
    found = answers(project)
    pair = pair_of(project, found, candidates)
    return people(project.ratings().of_answers(found.texts, pair), *pair, seed=project.settings.seed)
