"""How the model does when answers it is unsure of go to a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tunesmith.example import Score
from tunesmith.products import GoalSheet
from tunesmith.stages.test.scored import Scored, score_answers
from tunesmith.stages.test.wording import in_sentence, interval, number, plural


def hand_off(
    goal: GoalSheet,
    inputs: Sequence[str],
    references: Sequence[str],
    scored: Scored,
    metric: str,
    *,
    resamples: int,
    seed: int,
) -> dict[str, Any] | None:
    """Answers below the goal's confidence, and the score of the rest; None unless the goal hands off.

    ``inputs``, ``references`` and the answers of ``scored`` are those of the same rows, in one order.
    """
    if goal.unknown != "hand_off":
        return None
    kept = [index for index, answer in enumerate(scored.answers) if answer.confidence >= goal.confidence]
    rest: Score | None = None
    if kept:
        answered = [scored.answers[index] for index in kept]
        known, asked = [references[index] for index in kept], [inputs[index] for index in kept]
        rest = score_answers(goal, known, answered, asked, resamples=resamples, seed=seed).score(metric)
    total = len(scored.answers)
    below = total - len(kept)
    words = (
        f"Answers below a confidence of {goal.confidence:g} go to a person: "
        f"{below:,} of {plural(total, 'row')} ({100 * below / total:.1f}%). "
    )
    words += (
        f"On the other {len(kept):,}, {in_sentence(metric)} is {number(metric, rest.value)} "
        f"(95% interval {interval(rest)})."
        if rest
        else "None is left that the model would answer."
    )
    return {
        "confidence": goal.confidence,
        "below": below,
        "rows": total,
        "rest": asdict(rest) if rest else None,
        "words": words,
    }
