"""Are the statistics right: how often do 95% intervals hold the truth, how often do tests alarm falsely, and do the
rows that are said to be needed settle it as often as they promise?

All by simulation, on rows whose truth is known, but for Wilson's interval, whose coverage is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.figure import Figure, at_least, at_most
from benchmarks.overrides import numbers

SIMULATIONS = 3000
RESAMPLES = 600
COVERED = (94.0, 96.0)  # %
FALSE_ALARMS = 5.0  # %
POWER = 78.0  # %; 80 is promised

Interval = tuple[float, float]


def run(overrides: Sequence[str] = ()) -> list[Figure]:
    """``--set simulations=300`` for a shorter look."""
    count = numbers(overrides, simulations=SIMULATIONS)["simulations"]
    return [*proportions(), *coverages(count), *false_alarms(count), *powers(count)]


def proportions() -> Iterator[Figure]:
    """Wilson's interval, the mean over truths of 50% to 95%: for one truth it jumps with every row more."""
    from scipy.stats import binom

    from tunesmith.scoring.intervals import wilson

    for n in (50, 200, 1000):
        low, high = np.array([wilson(count, n) for count in range(n + 1)]).T
        covers = [
            float(binom.pmf(np.arange(n + 1), n, truth)[(low <= truth) & (truth <= high)].sum())
            for truth in np.linspace(0.5, 0.95, 451)
        ]
        note = f"computed; from {100 * min(covers):.1f} to {100 * max(covers):.1f} % by truth"
        yield covered(f"a proportion, Wilson, n = {n:,}", 100 * float(np.mean(covers)), note)


def covered(name: str, value: float, note: str) -> Figure:
    low, high = COVERED
    return Figure(f"95% interval of {name}", value, "%", f"{low:g} to {high:g} %", low <= value <= high, note)


def coverages(count: int) -> Iterator[Figure]:
    """Simulated coverage of the intervals of means, macro-F1 and paired differences."""
    from tunesmith.scoring.intervals import score
    from tunesmith.scoring.paired import difference
    from tunesmith.scoring.statistic import Mean

    def of_score(draw: Callable[[], Any]) -> Callable[[int], Interval]:
        def interval(seed: int) -> Interval:
            found = score("f", draw(), resamples=RESAMPLES, seed=seed)
            return found.low, found.high

        return interval

    def of_difference(draw: Callable[[], tuple[Any, Any]]) -> Callable[[int], Interval]:
        def interval(seed: int) -> Interval:
            ours, theirs = draw()
            found = difference("f", ("a", Mean(ours)), ("b", Mean(theirs)), resamples=RESAMPLES, seed=seed)
            return found.low, found.high

        return interval

    random = np.random.default_rng(1)
    macro_f1, truth_of_f1 = macro_f1_of(random)
    half_right = 0.6 + 0.4 * 0.5
    cases: list[tuple[str, float, Callable[[int], Interval]]] = [
        ("a skewed mean, n = 40", 4 / 5.5, of_score(lambda: Mean(random.beta(4, 1.5, 40)))),
        (
            "a mean of which 60% of the rows are 1, n = 100",
            half_right,
            of_score(lambda: Mean(np.where(random.random(100) < 0.6, 1.0, random.beta(2, 2, 100)))),
        ),
        ("macro-F1, n = 80", truth_of_f1, of_score(lambda: macro_f1(80))),
        ("macro-F1, n = 300", truth_of_f1, of_score(lambda: macro_f1(300))),
        ("a paired difference of proportions, n = 100", 0.06, of_difference(lambda: pairs(random, 100, 0.3))),
        ("the same, n = 400, of which 40 differ", 0.02, of_difference(lambda: pairs(random, 400, 0.1))),
        ("a paired difference of scores, n = 60", 0.1, of_difference(lambda: moved(random, 60))),
        ("the same, n = 400, of which 40 differ", 0.005, of_difference(lambda: moved_few(random, 400, 0.1))),
    ]
    for name, truth, interval in cases:
        held = [low <= truth <= high for low, high in map(interval, range(count))]
        yield covered(name, 100 * float(np.mean(held)), f"{count:,} simulations")


def macro_f1_of(random: np.random.Generator) -> tuple[Callable[[int], Any], float]:
    """Draws of answers with three labels of unequal frequency, and the macro-F1 that they come to."""
    from tunesmith.scoring.statistic import MacroF1

    right = np.array([0.9, 0.8, 0.6])

    def draw(n: int) -> MacroF1:
        references = random.choice(3, size=n, p=[0.5, 0.3, 0.2])
        other = (references + random.integers(1, 3, n)) % 3
        return MacroF1(references, np.where(random.random(n) < right[references], references, other), 3)

    return draw, draw(2_000_000).estimate()


def pairs(random: np.random.Generator, n: int, differing: float) -> tuple[Any, Any]:
    """Right or wrong by two models: they differ on this share of rows, and the first is right on 60% of these."""
    theirs = random.random(n) < 0.8
    apart, wins = random.random(n) < differing, random.random(n) < 0.6
    return np.where(apart, wins, theirs).astype(float), np.where(apart, ~wins, theirs).astype(float)


def moved(random: np.random.Generator, n: int) -> tuple[Any, Any]:
    theirs = 0.3 + 0.2 * random.random(n)
    return theirs + random.normal(0.1, 0.08, n), theirs


def moved_few(random: np.random.Generator, n: int, differing: float) -> tuple[Any, Any]:
    sign = np.where(random.random(n) < 0.6, 1, -1) * (random.random(n) < differing)
    return 0.5 + 0.5 * sign * random.beta(2, 2, n), np.full(n, 0.5)


def false_alarms(count: int) -> Iterator[Figure]:
    """How often tests find a difference where there is none, and Holm's correction any among eight."""
    from tunesmith.scoring.paired import label_swap, mcnemar, sign_flip
    from tunesmith.scoring.several import holm
    from tunesmith.scoring.statistic import MacroF1

    random = np.random.default_rng(2)

    def right(n: int) -> Any:
        return (random.random(n) < 0.8).astype(float)

    def answered(references: Any) -> MacroF1:
        return MacroF1(references, np.where(random.random(len(references)) < 0.8, references, (references + 1) % 3), 3)

    def of_labels(seed: int) -> float:
        references = random.integers(0, 3, 80)
        return label_swap(answered(references), answered(references), resamples=300, seed=seed)

    def of_scores(seed: int) -> float:
        return sign_flip(random.beta(2, 2, 40) - random.beta(2, 2, 40), resamples=400, seed=seed)

    cases: list[tuple[str, Callable[[int], float]]] = [
        ("McNemar's exact test, n = 200", lambda seed: mcnemar(right(200), right(200))),
        ("random signs, n = 40", of_scores),
        ("label swap for macro-F1, n = 80", of_labels),
        (
            "any of eight McNemar tests, by Holm",
            lambda _: min(holm([mcnemar(right(100), right(100)) for _ in range(8)])),
        ),
    ]
    for name, p in cases:
        alarms = sum(p(seed) < 0.05 for seed in range(count))
        note = f"{alarms:,} of {count:,} simulations"
        yield at_most(f"false alarms of {name}", 100 * alarms / count, "%", FALSE_ALARMS, note)


def powers(count: int) -> Iterator[Figure]:
    """How often the rows that are said to be needed settle a criterion, where the true value is what was assumed."""
    from tunesmith.scoring.intervals import score
    from tunesmith.scoring.needed import rows_needed
    from tunesmith.scoring.statistic import Mean
    from tunesmith.scoring.threshold import ONE_SIDED, p_missed, p_reached

    random = np.random.default_rng(3)
    cases: list[tuple[str, float, float, Any]] = [
        ("90% beside 80%", 0.9, 0.8, None),
        ("97% beside 95%", 0.97, 0.95, None),
        ("70% beside 80%, as missed", 0.7, 0.8, None),
        ("a mean, 4 points above", 4 / 5.5, 4 / 5.5 - 0.04, random.beta(4, 1.5, 100_000)),
        ("a mean, 4 points below, as missed", 4 / 5.5, 4 / 5.5 + 0.04, random.beta(4, 1.5, 100_000)),
    ]
    for name, truth, asked, values in cases:
        known = Mean((np.arange(1000) < round(1000 * truth)).astype(float)) if values is None else Mean(values)
        rows = rows_needed(known, asked) or 0
        hits = 0
        for seed in range(count):
            drawn = (random.random(rows) < truth).astype(float) if values is None else random.beta(4, 1.5, rows)
            found = score("f", Mean(drawn), resamples=RESAMPLES, seed=seed)
            claim, clears = (p_reached, found.low >= asked) if truth > asked else (p_missed, found.high < asked)
            hits += clears and claim(found, asked, proportion=values is None) <= ONE_SIDED
        note = f"{rows:,} rows, {count:,} simulations; 80 % is promised"
        yield at_least(f"power of the rows needed, {name}", 100 * hits / count, "%", POWER, note)
