"""Rounds on the same test rows: what each scores there, and what it brought beside the round that it went on from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tunesmith.errors import InputError
from tunesmith.example import Score
from tunesmith.pipeline import rounds
from tunesmith.pipeline.in_use import in_use
from tunesmith.pipeline.rounds import Round
from tunesmith.products import Report
from tunesmith.scoring.intervals import score
from tunesmith.scoring.paired import Difference
from tunesmith.scoring.same_rows import Pairs, Tested, common_rows, later_less_earlier, mean_of, paired, read_tested
from tunesmith.scoring.several import holm

if TYPE_CHECKING:
    from tunesmith.project import Project


@dataclass(frozen=True)
class ShownRound:
    """One round beside the others.

    ``score``: the mean of ``metric`` on the ``score.n`` rows that all rounds shown have tested, with its 95% interval;
    where there are none, on its own rows (``same_rows`` is False). ``own_rows`` is how many it tested. ``against``:
    this round minus the one that it went on from, on the rows that both have tested; ``p`` is its p-value after Holm's
    correction over the rounds shown. ``note`` says what cannot be compared, and why. A round whose report is gone has
    no score.
    """

    round: Round
    in_use: bool
    rejected: bool
    at: bool
    metric: str = ""
    own_rows: int = 0
    same_rows: bool = True
    score: Score | None = None
    against: Difference | None = None
    p: float | None = None
    note: str = ""

    @property
    def shown(self) -> str:
        """What the rows show of this round beside the one before: better, worse, or not_shown."""
        if self.against is None or self.p is None or self.p >= 0.05:
            return "not_shown"
        return replace(self.against, p=self.p).shown


@dataclass(frozen=True)
class ChangedRow:
    """A test row whose score is not the same in two rounds."""

    id: str
    input: str
    reference: str
    before: str
    after: str
    score_before: float
    score_after: float


@dataclass(frozen=True)
class Comparison:
    """Two rounds, row by row. ``better`` and ``worse`` hold what changed most first; ``difference`` is right minus
    left. ``left_alone`` and ``right_alone`` count rows that only one of them tested (or under another reference)."""

    left: int
    right: int
    difference: Difference
    better: list[ChangedRow]
    worse: list[ChangedRow]
    left_alone: int
    right_alone: int


def show_rounds(project: Project) -> list[ShownRound]:
    """All rounds in their order, on the same test rows."""
    log = rounds.read(project.store)
    tested = {number: found for number, one in log.known.items() if (found := _tested(project, one)) is not None}
    used = (in_use(project) or {}).get("round")
    shown = []
    common = common_rows(tested, max(tested)) if tested else {}
    for number, one in log.known.items():
        mine = ShownRound(one, used == number, number in log.rejected, log.at == number)
        if number not in tested:
            gone = ", ".join(rounds.missing(project.store, one)) or "test"
            shown.append(replace(mine, note=f"gone or damaged: {gone}"))
            continue
        own = tested[number]
        rows = common.get(number) or list(own.rows.values())
        value = score(own.metric, mean_of(rows), resamples=own.resamples)
        mine = replace(mine, metric=own.metric, own_rows=len(own.rows), same_rows=bool(common.get(number)), score=value)
        shown.append(_beside(mine, own, tested.get(one.after) if one.after is not None else None))
    compared = [one for one in shown if one.against is not None]
    corrected = holm([one.against.p for one in compared if one.against is not None])
    p_of = {one.round.round: p for one, p in zip(compared, corrected, strict=True)}
    return [replace(one, p=p_of.get(one.round.round)) for one in shown]


def _beside(mine: ShownRound, own: Tested, before: Tested | None) -> ShownRound:
    """The round with what it brought."""
    after = mine.round.after
    if after is None:
        return mine
    if before is None:
        return replace(mine, note=f"the report of round {after} is gone")
    if before.metric != own.metric:
        return replace(mine, note=f"round {after} was measured by another metric")
    pairs = paired(before.rows, own.rows)
    if not pairs:
        return replace(mine, note=f"no test row in common with round {after}")
    note = ""
    if len(pairs) < len(own.rows) or len(pairs) < len(before.rows):
        note = f"compared on {len(pairs):,} rows, which both rounds tested ({len(before.rows):,} and {len(own.rows):,})"
    return replace(mine, against=_difference(own, (mine.round.round, after), pairs), note=note)


def _difference(own: Tested, numbers: tuple[int, int], pairs: Pairs) -> Difference:
    """The later round minus the one before."""
    return later_less_earlier(own, (f"round {numbers[0]}", f"round {numbers[1]}"), pairs)


def _tested(project: Project, one: Round) -> Tested | None:
    """The rows that a round tested; None where its report is gone."""
    artifact = project.store.find("test", one.artifacts["test"])
    if artifact is None:
        return None
    facts = Report.open(artifact).facts
    return read_tested(artifact.path / "predictions.parquet", str(facts["row_metric"]), int(facts["resamples"]))


def compare(project: Project, left: int, right: int) -> Comparison:
    """The rows that changed from one round to the other. Raises InputError when they cannot be compared."""
    log = rounds.read(project.store)
    found = []
    for number in (left, right):
        one = _tested(project, log.get(number))
        if one is None:
            raise InputError(
                "round_gone",
                f"the report of round {number} is gone: {', '.join(rounds.missing(project.store, log.get(number)))}",
                str(project.store.artifacts),
                "what was deleted or forgotten cannot be compared; `tunesmith rounds` shows what is there",
            )
        found.append(one)
    before, after = found
    pairs = paired(before.rows, after.rows)
    if before.metric != after.metric or not pairs:
        why = "they have no test row in common" if not pairs else f"{before.metric} and {after.metric} differ"
        raise InputError("rounds_not_alike", f"rounds {left} and {right} cannot be compared: {why}", fix="name others")
    changed = [
        ChangedRow(now.id, now.input, now.reference, was.answer, now.answer, was.score, now.score)
        for was, now in pairs
        if was.score != now.score
    ]
    changed.sort(key=lambda row: (-abs(row.score_after - row.score_before), row.id))
    return Comparison(
        left,
        right,
        _difference(after, (right, left), pairs),
        [row for row in changed if row.score_after > row.score_before],
        [row for row in changed if row.score_after < row.score_before],
        len(before.rows) - len(pairs),
        len(after.rows) - len(pairs),
    )
