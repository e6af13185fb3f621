"""Compare what an exported form answers with what the trained model answers, token by token."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tunesmith.export.forms import TIE, Form
from tunesmith.learners.protocol import Replayed

Cause = Literal["tie", "rounding", "quantised", "unexplained"]

#: Gives the log probability of each token of an answer to a prompt in the trained model, and how far another token
#: lies behind the last of them, in logits.
LogProbabilities = Callable[[Sequence[int], Sequence[int], int | None], tuple[list[float], float | None]]
_SHOWN = 80  # characters of an answer, around where it differs


@dataclass(frozen=True)
class RowDifference:
    """A row whose answer is not the trained model's: from token ``place`` on, or, for a label, as a whole.

    ``gap``: how far the token (or label) that the form chose lies behind in the trained model, in logits. ``cause``:
    tie (the gap is nothing), rounding (the form's precision can close it; `rounding.measured` then finds out whether it
    did), quantised, or unexplained.
    """

    id: str
    place: int
    expected: str
    got: str
    gap: float
    cause: Cause


@dataclass(frozen=True)
class Comparison:
    """``prompts``: rows whose prompt has the same token ids, None where they are not known; ``answers``: rows with the
    same answer, of ``rows``.

    ``shifts``: how far the form moved the log probability of each token up to the first that differs, where it is told;
    for labels, the probability of each.
    """

    rows: int
    prompts: int | None
    answers: int
    other_prompts: tuple[str, ...]
    differences: tuple[RowDifference, ...]
    shifts: tuple[float, ...]

    @property
    def explained(self) -> int:
        """Rows that differ by a tie or by rounding alone."""
        return sum(one.cause in ("tie", "rounding") for one in self.differences)


def compare_texts(
    form: Form,
    ids: Sequence[str],
    trained: Sequence[Replayed],
    exported: Sequence[Replayed],
    end: int,
    log_probabilities: LogProbabilities,
) -> Comparison:
    """Compare answers of tokens; ``end`` is the token that ends one."""
    shifts: list[float] = []
    differences = []
    for id, ours, theirs in zip(ids, trained, exported, strict=True):
        if ours.tokens == theirs.tokens and ours.finished == theirs.finished:
            found, _ = log_probabilities(ours.prompt, ours.tokens, None) if theirs.logprobs else ([], None)
            shifts += _moved(found, theirs.logprobs)
            continue
        left, right = [*ours.tokens, end], [*theirs.tokens, end]
        place = next((at for at, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), None)
        if place is None:  # only one of them ended: the other was cut by its limit
            differences.append(_difference(form, id, ours, theirs, min(len(left), len(right)) - 1, float("inf")))
            continue
        found, gap = log_probabilities(ours.prompt, left[: place + 1], right[place])
        shifts += _moved(found[:place], theirs.logprobs)
        differences.append(_difference(form, id, ours, theirs, place, abs(gap or 0.0)))
    return _comparison(ids, trained, exported, differences, shifts)


def compare_labels(
    form: Form, ids: Sequence[str], trained: Sequence[Replayed], exported: Sequence[Replayed]
) -> Comparison:
    """Compare labels and their probabilities."""
    shifts: list[float] = []
    differences = []
    for id, ours, theirs in zip(ids, trained, exported, strict=True):
        shifts += [abs(value - theirs.scores.get(label, 0.0)) for label, value in ours.scores.items()]
        if ours.text != theirs.text:
            behind = ours.scores.get(theirs.text, 0.0)
            gap = math.log(ours.scores[ours.text] / behind) if behind > 0 else math.inf
            differences.append(_difference(form, id, ours, theirs, 0, gap))
    return _comparison(ids, trained, exported, differences, shifts)


def _comparison(
    ids: Sequence[str],
    trained: Sequence[Replayed],
    exported: Sequence[Replayed],
    differences: Sequence[RowDifference],
    shifts: Sequence[float],
) -> Comparison:
    pairs = list(zip(ids, trained, exported, strict=True))
    other = tuple(id for id, ours, theirs in pairs if not _same_prompt(ours, theirs))
    prompts = len(pairs) - len(other) if all(theirs.prompt for theirs in exported) else None
    return Comparison(len(pairs), prompts, len(pairs) - len(differences), other, tuple(differences), tuple(shifts))


def _same_prompt(ours: Replayed, theirs: Replayed) -> bool:
    """Whether the prompts have the same tokens, as far as they are known."""
    return not theirs.prompt or ours.prompt == theirs.prompt


def _moved(ours: Sequence[float], theirs: Sequence[float | None]) -> list[float]:
    return [abs(left - right) for left, right in zip(ours, theirs, strict=False) if right is not None]


def _difference(form: Form, id: str, ours: Replayed, theirs: Replayed, place: int, gap: float) -> RowDifference:
    same = _same_prompt(ours, theirs)
    cause: Cause = "unexplained"
    if same and gap <= TIE:
        cause = "tie"
    elif same and form.rounding is None:
        cause = "quantised"
    elif same and form.rounding is not None and gap <= form.rounding:
        cause = "rounding"
    return RowDifference(id, place, *_around(ours.text, theirs.text), gap, cause)


def _around(ours: str, theirs: str) -> tuple[str, str]:
    """Both texts from a little before they part."""
    shorter = min(len(ours), len(theirs))
    part = next((at for at in range(shorter) if ours[at] != theirs[at]), shorter)
    start = max(0, part - _SHOWN // 4)
    return tuple(("…" if start else "") + text[start : start + _SHOWN] for text in (ours, theirs))  # type: ignore[return-value]


def spread(shifts: Sequence[float]) -> dict[str, Any] | None:
    """Median, 99th percentile and largest of the shifts; None where there are none."""
    if not shifts:
        return None
    ordered = sorted(shifts)
    return {
        "median": ordered[len(ordered) // 2],
        "percentile_99": ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)],
        "largest": ordered[-1],
        "n": len(ordered),
    }
