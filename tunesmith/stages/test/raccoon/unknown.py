"""Questions that should go to a person: how many do, and how right the model is on what it answers itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from tunesmith.example import Example, Score
from tunesmith.products import GoalSheet
from tunesmith.scoring.intervals import score
from tunesmith.scoring.measure import ROW_METRIC
from tunesmith.scoring.statistic import FloatArray, Mean
from tunesmith.stages.test.raccoon.judge import Judge, Judged, says_unknown
from tunesmith.stages.test.scored import Scored
from tunesmith.stages.test.wording import in_sentence, interval, number, plural

RECALL = "recall"


def marked(rows: Sequence[Example], mark: str) -> frozenset[int]:
    """The places of the rows that the user marked as unknown: by a tag, or by the answer itself."""
    return frozenset(
        place
        for place, row in enumerate(rows)
        if mark.casefold() in {tag.casefold() for tag in row.tags} or says_unknown(row.answer or "", mark)
    )


def unknown_questions(
    goal: GoalSheet,
    scored: Scored,
    own: frozenset[int],
    judge: Judge,
    suite: Sequence[Judged],
    *,
    resamples: int,
    seed: int,
) -> dict[str, Any] | None:
    """In-scope accuracy and out-of-scope recall, in figures and words; None unless the goal hands off.

    ``own``: places of test rows that the user marked. Without any, the suite's strangers stand in for them.
    """
    if goal.unknown != "hand_off":
        return None
    off = np.array([judge.handed_off(answer) for answer in scored.answers], dtype=bool)
    known = np.array([place not in own for place in range(len(off))], dtype=bool)
    answered = known & ~off
    metric = ROW_METRIC[goal.output]
    right = _score(metric, scored.by_row[answered], resamples, seed)
    strangers = [one for one in suite if one.case.family.nature == "unknown"]
    borrowed = not own
    asked = off[~known] if own else np.array([one.handed_off for one in strangers], dtype=bool)
    recall = _score(RECALL, asked.astype(np.float64), resamples, seed)
    if right is None and recall is None:
        return None
    words = [_in_scope(metric, right, int(answered.sum()), int(known.sum())), _out_of_scope(recall, borrowed)]
    return {
        "in_scope": asdict(right) if right else None,
        "in_scope_rows": int(known.sum()),
        "recall": asdict(recall) if recall else None,
        "borrowed": borrowed,
        "words": " ".join(words),
    }


def _score(metric: str, values: FloatArray, resamples: int, seed: int) -> Score | None:
    return score(metric, Mean(values), resamples=resamples, seed=seed) if len(values) else None


def _in_scope(metric: str, right: Score | None, answered: int, rows: int) -> str:
    if right is None:
        return f"Of {plural(rows, 'row')} in scope the model answers none itself."
    return (
        f"Of {plural(rows, 'row')} in scope the model answers {answered:,} itself, and there {in_sentence(metric)} is "
        f"{number(metric, right.value)} (95% interval {interval(right)})."
    )


def _out_of_scope(recall: Score | None, borrowed: bool) -> str:
    if recall is None:
        return "No question out of scope was asked: mark rows as unknown, or let the raccoon suite ask some."
    whose = "made up by the raccoon suite, as none of your test rows is marked unknown" if borrowed else "your own"
    return (
        f"Of {plural(recall.n, 'question')} out of scope ({whose}) {number('', recall.value)} go to a person "
        f"(95% interval {interval(recall)})."
    )
