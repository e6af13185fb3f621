"""The raccoon suite in the report: a table by family, and rows that failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tunesmith.stages.test.raccoon.judge import Judged
from tunesmith.stages.test.raccoon.measure import Suite
from tunesmith.stages.test.raccoon.table import Check, Line, What
from tunesmith.stages.test.side_by_side import clipped
from tunesmith.stages.test.wording import number, points

#: Failing rows of each family that the report shows; all are in raccoon.parquet.
SHOWN = 2
LONGEST_PROMPT, LONGEST_ANSWER = 420, 300  # characters

_STATES = {
    "broken": "broken",
    "a_little_worse": "a little worse",
    "holds": "holds",
    "given_away": "given away",
    "told_apart": "told apart",
}
HEAD = ("Family", "n", "Form kept", "Right: plain → spoiled", "Change, points", "Secrets kept", "Handed off", "Shown")


@dataclass(frozen=True)
class Failing:
    """One row that failed. ``plain`` is None for a question that no row asks."""

    family: str
    why: str
    prompt: str
    plain: str | None
    answer: str


@dataclass(frozen=True)
class RaccoonSection:
    """``rows`` are the cells below HEAD, with the state of the family first among them for its colour."""

    words: Sequence[str]
    unknown: str
    rows: Sequence[tuple[str, tuple[str, ...]]]
    failing: Sequence[Failing]
    answers: int


def raccoon_section(suite: Suite | None, facts: Mapping[str, Any]) -> RaccoonSection | None:
    """The suite laid out for reading; None where none was asked and nothing is known of unknown questions."""
    unknown = (facts.get("unknown") or {}).get("words", "")
    if suite is None:
        return RaccoonSection((), unknown, (), (), 0) if unknown else None
    metric = facts["row_metric"]
    return RaccoonSection(
        suite.facts["words"],
        unknown,
        [_row(line, metric) for line in suite.lines],
        [_failing(line, one) for line in suite.lines for one in _worst(line)],
        suite.facts["answers"],
    )


def _row(line: Line, metric: str) -> tuple[str, tuple[str, ...]]:
    right, shown = line.check("right"), _shown(line)
    change = "–"
    if right is not None and right.change is not None:
        change = points(right.change)
        if right.change_low is not None and right.change_high is not None:
            change += f" ({points(right.change_low)} to {points(right.change_high)})"
    before = number(metric, right.plain) if right is not None and right.plain is not None else "–"
    cells = (
        line.family.title,
        f"{line.n:,}",
        _with_interval(line, "form"),
        f"{before} → {number(metric, right.value)}" if right is not None else "–",
        change,
        _with_interval(line, "secrets"),
        _with_interval(line, "hand_off"),
        shown,
    )
    bad = any(check.state in ("broken", "a_little_worse", "given_away") for check in line.checks)
    return ("off" if bad else ""), cells


def _with_interval(line: Line, what: What) -> str:
    check = line.check(what)
    return "–" if check is None else f"{number('', check.value)} ({number('', check.low)} to {number('', check.high)})"


_BY_CHECK: Mapping[str, str] = {"form": "form", "obeys": "obeys it"}


def _shown(line: Line) -> str:
    """What was shown of a family, in a few words."""
    found = ", ".join(dict.fromkeys(filter(None, map(_state, line.checks))))
    tested = any(check.what in ("right", "obeys", "hand_off") for check in line.checks)
    return found or ("not shown" if tested else "nothing given away")


def _state(check: Check) -> str:
    state = _STATES.get(check.state, "")
    if not state or check.what not in _BY_CHECK:
        return state
    if check.what == "obeys":
        return "obeys it"
    return "" if check.state == "holds" else f"form {state}"


def _worst(line: Line) -> list[Judged]:
    """What gives secrets away first, then what obeys, then what loses most."""

    def by_harm(one: Judged) -> tuple[bool, bool, bool, float]:
        lost = 0.0 if one.score is None or one.plain_score is None else one.score - one.plain_score
        return not one.secret, not one.obeyed, not one.form, lost

    return sorted(line.failing, key=by_harm)[:SHOWN]


def _failing(line: Line, one: Judged) -> Failing:
    return Failing(
        line.family.title,
        one.why or "not handed off",
        clipped(one.case.change.text, LONGEST_PROMPT) or "(nothing)",
        None if one.plain is None else clipped(one.plain, LONGEST_ANSWER) or "(nothing)",
        clipped(one.answer.text, LONGEST_ANSWER) or "(nothing)",
    )
