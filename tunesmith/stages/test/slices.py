"""How the tuned model does on slices of the test part, and the worst of them.

Slices are the rows of one label (or listed field value), tag or source, short and long ones, and those whose words
training saw or did not see. Many slices are looked at, so that one of them is low by chance: a slice is called worse
only where a test says so after Holm's correction over all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from tunesmith.example import Example, Score
from tunesmith.products import CleanSet, GoalSheet, Splits
from tunesmith.scoring.groups import members, told_apart
from tunesmith.scoring.intervals import score
from tunesmith.scoring.paired import mcnemar, sign_flip
from tunesmith.scoring.several import holm
from tunesmith.scoring.statistic import FloatArray, Mean
from tunesmith.scoring.unpaired import two_samples
from tunesmith.scoring.words import words
from tunesmith.stages.test.wording import number, p_value

#: Of fewer rows nothing is told apart.
FEWEST = 5
#: Draws for the intervals and tests of one slice.
RESAMPLES = 2000
LEVEL = 0.05

Shown = Literal["better", "worse", "not_shown"]


@dataclass(frozen=True)
class Slice:
    """``n`` test rows of one kind: the tuned model's score with its 95% interval, and its rival's.

    ``below``: the p-value of "as good as the other rows"; ``p``: of "as good as the rival on these rows"; both
    corrected for the number of slices. ``change``: tuned minus rival. An empty ``name``: all groups too small to tell.
    """

    kind: str
    name: str
    n: int
    value: float
    low: float
    high: float
    rival: float
    change: float
    below: float
    p: float

    @property
    def shown(self) -> Shown:
        """What is shown of tuned against its rival here."""
        if self.p >= LEVEL or self.change == 0:
            return "not_shown"
        return "better" if self.change > 0 else "worse"


def slices(
    rows: Sequence[Example], ours: FloatArray, theirs: FloatArray, goal: GoalSheet, seen: Iterable[str], seed: int
) -> list[Slice]:
    """Every slice of at least five rows, by kind; within a kind the lowest score comes first.

    ``ours`` and ``theirs`` ``[rows]`` are the scores of the tuned model and its rival. ``seen`` are the inputs of the
    training rows. A kind whose rows are all in one slice is left out.
    """
    place = {row.id: number for number, row in enumerate(rows)}
    kinds: dict[str, dict[str, Sequence[str]]] = {}
    for kind, groups in members(rows, goal).items():
        kinds[kind] = told_apart(groups, FEWEST)
    kinds["length"] = _thirds(rows, lambda row: len(row.input), ("short", "middling", "long"))
    kinds["words"] = _by_new_words(rows, seen)
    cut = [
        (kind, name, np.array([place[id] for id in ids]))
        for kind, groups in kinds.items()
        if len(groups) > 1
        for name, ids in groups.items()
    ]
    below = holm([_below(ours, chosen, seed) for _, _, chosen in cut])
    against = holm([_against(ours[chosen], theirs[chosen], seed) for _, _, chosen in cut])
    found = []
    for (kind, name, chosen), low, p in zip(cut, below, against, strict=True):
        measured = score("slice", Mean(ours[chosen]), resamples=RESAMPLES, seed=seed)
        rival = float(theirs[chosen].mean())
        found.append(_slice(kind, name, measured, rival, low, p))
    order = {kind: number for number, kind in enumerate(kinds)}
    return sorted(found, key=lambda one: (order[one.kind], not one.name, one.value))


def _slice(kind: str, name: str, measured: Score, rival: float, below: float, p: float) -> Slice:
    value = measured.value
    return Slice(kind, name, measured.n, value, measured.low, measured.high, rival, value - rival, below, p)


def _below(values: FloatArray, chosen: Any, seed: int) -> float:
    """The p-value of "these rows are as good as the others"; 1 where they are better."""
    others = np.delete(values, chosen)
    if not len(others) or values[chosen].mean() >= others.mean():
        return 1.0
    return two_samples(values[chosen], others, resamples=RESAMPLES, seed=seed)


def _against(ours: FloatArray, theirs: FloatArray, seed: int) -> float:
    if np.isin(ours, (0.0, 1.0)).all() and np.isin(theirs, (0.0, 1.0)).all():
        return mcnemar(ours, theirs)
    return sign_flip(ours - theirs, resamples=RESAMPLES, seed=seed)


def _thirds(
    rows: Sequence[Example], size: Callable[[Example], float], names: tuple[str, str, str]
) -> dict[str, Sequence[str]]:
    """The rows by size in three equal parts; rows of one size stay together. None where a part is too small."""
    sizes = np.array([size(row) for row in rows])
    low, high = np.quantile(sizes, [1 / 3, 2 / 3], method="lower")
    cuts = [sizes <= low, (sizes > low) & (sizes <= high), sizes > high]
    found = {
        name: [row.id for row, of in zip(rows, cut, strict=True) if of] for name, cut in zip(names, cuts, strict=True)
    }
    kept: dict[str, Sequence[str]] = {name: ids for name, ids in found.items() if len(ids) >= FEWEST}
    return kept if sum(map(len, kept.values())) == len(rows) else {}


def _by_new_words(rows: Sequence[Example], seen: Iterable[str]) -> dict[str, Sequence[str]]:
    """The rows all of whose words some training input has, and the others; too small a part is none."""
    known: set[str] = set()
    for text in seen:
        known.update(words(text))
    found: dict[str, list[str]] = {"all seen in training": [], "some new to it": []}
    for row in rows:
        found["all seen in training" if known.issuperset(words(row.input)) else "some new to it"].append(row.id)
    return dict(found) if min(map(len, found.values())) >= FEWEST else {}


def training_inputs(clean: CleanSet, split: Splits) -> Iterable[str]:
    return (example.input for example in clean.examples(frozenset(split.ids("train"))))


def worst(found: Sequence[Slice]) -> Slice | None:
    """The slice that is shown to do worse than the other rows, the lowest of these; None where none is."""
    shown = [one for one in found if one.below < LEVEL and one.name]
    return min(shown, key=lambda one: one.value, default=None)


def losing(found: Sequence[Slice]) -> list[Slice]:
    """The slices on which the tuned model is shown to be worse than its rival."""
    return [one for one in found if one.shown == "worse"]


def as_facts(found: Sequence[Slice]) -> list[Mapping[str, Any]]:
    return [{**asdict(one), "shown": one.shown} for one in found]


def in_words(found: Sequence[Slice], metric: str, rival: str) -> str:
    """The worst slice, and those on which the rival is better; nothing where there is but one slice.

    ``metric``: that of ``found``; ``rival``: what the tuned model is compared with, in words.
    """
    named = [one for one in found if one.name]
    if not named:
        return ""
    low = worst(named)
    shown = low or min(named, key=lambda one: one.value)
    interval = f"{number(metric, shown.low)} to {number(metric, shown.high)}"
    figures = f"{title(shown)}: {number(metric, shown.value)} ({interval}, n = {shown.n:,})"
    said = [
        f"Worst slice: {figures}, {p_value(shown.below)} after correction for {len(found)} slices."
        if low
        else f"None of {len(found)} slices is shown to do worse than the other rows; the lowest is {figures}."
    ]
    if lost := losing(named):
        listed = "; ".join(
            f"{title(one)} ({number(metric, one.value)} against {number(metric, one.rival)}, n = {one.n:,})"
            for one in lost
        )
        said.append(f"Worse than {rival} on: {listed}.")
    return " ".join(said)


def title(one: Slice) -> str:
    return f"{one.kind} “{one.name}”"
