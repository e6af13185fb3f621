"""How much data: train on nested parts of the rows, measure on the validation part, say what more rows are worth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tunesmith.artifact import make_folder, write_json
from tunesmith.errors import InputError
from tunesmith.events import duration
from tunesmith.example import Score
from tunesmith.scoring.groups import members
from tunesmith.scoring.intervals import score
from tunesmith.scoring.learning_curve import FEWEST_SIZES, Expected, LearningCurve, Point, fit
from tunesmith.scoring.measure import ROW_METRIC
from tunesmith.scoring.slice_slopes import Worth, slices_of, worth
from tunesmith.trials.budget import Budget
from tunesmith.trials.rows import Prepared
from tunesmith.trials.trial import Outcome, Trial, carry_out, find

#: Each part is half of the next larger one, and the smallest has so many rows, and one for each label.
HALVINGS, FEWEST_ROWS = 4, 20
#: Draws of each part but the whole, in the order in which time is spent on them.
MOST_DRAWS = 3
#: What the slices are compared by.
LABELS = 50
RESULT = "more_data.json"


@dataclass(frozen=True)
class MeasuredPart:
    """One nested part: ``rows`` trained on, the ``draw``, and its score on the validation rows."""

    rows: int
    draw: int
    score: Score
    seconds: float


@dataclass(frozen=True)
class Forecast:
    """With so many ``examples`` in all (``rows`` of them to train on): the score, and the gain over now."""

    examples: int
    rows: int
    score: Expected
    gain: Expected
    words: str


@dataclass(frozen=True)
class MoreData:
    """What was measured, what is forecast, and where the next labels bring most, the most first."""

    metric: str
    examples: int
    rows: int
    parts: tuple[MeasuredPart, ...]
    forecasts: tuple[Forecast, ...]
    slices: tuple[Worth, ...]
    slice_words: str
    left_out: str


def sizes(rows: int, labels: int) -> list[int]:
    """The sizes of the nested parts, the largest first: the whole, a half, … a sixteenth."""
    fewest = max(FEWEST_ROWS, labels)
    halved = [round(rows / 2**halving) for halving in range(HALVINGS + 1)]
    return [size for size in halved if size >= fewest]


def plan(rows: int, labels: int) -> list[tuple[int, int]]:
    """(size, draw) of every training, in the order in which time is spent: one of each size, the small ones first,
    since they tell how fast the others will be; then more draws."""
    found = sizes(rows, labels)[::-1]
    first = [(size, 0) for size in found]
    return first + [(size, draw) for draw in range(1, MOST_DRAWS) for size in found if size < rows]


def more_data(prepared: Prepared, *, examples: int | None = None, budget: Budget) -> MoreData:
    """Measure the learning curve within the budget, and forecast.

    ``examples``: how many there would be in all; by default twice and four times as many. Raises InputError when
    there are too few rows for a curve, or too little time.
    """
    goal = prepared.material.goal
    rows = len(prepared.material.train)
    if examples is not None and examples <= prepared.examples:
        raise InputError(
            "not_more_data",
            f"there are {prepared.examples:,} examples already, and {examples:,} are not more",
            "--more-data",
            f"give a number above {prepared.examples}, or none for twice and four times as many",
        )
    planned = plan(rows, len(goal.labels))
    if len({size for size, _ in planned}) < FEWEST_SIZES:
        raise InputError(
            "too_few_for_a_curve",
            f"{rows:,} rows to train on cannot be halved twice and leave {max(FEWEST_ROWS, len(goal.labels))}",
            "--more-data",
            "add examples; with so few, more of them will help",
        )
    done = list(_carried_out(prepared, planned, budget))
    points = [Point(outcome.rows, outcome.scores) for _, outcome in done]
    if len({point.rows for point in points}) < FEWEST_SIZES:
        raise InputError(
            "too_little_time",
            f"in {budget.minutes:g} min only {len(points)} of the trainings that a curve needs were made",
            "--minutes",
            "give more minutes: what was made is kept, and it goes on from there",
        )
    curve = fit(points, seed=prepared.seed)
    found = MoreData(
        metric=ROW_METRIC[goal.output],
        examples=prepared.examples,
        rows=rows,
        parts=tuple(_measured(draw, outcome, prepared) for draw, outcome in done),
        forecasts=tuple(_forecasts(prepared, curve, rows, examples)),
        **_slices(prepared, points, curve),
        left_out=_left_out(planned, done, budget),
    )
    make_folder(prepared.folder)
    write_json(prepared.folder / RESULT, asdict(found))
    return found


def _carried_out(
    prepared: Prepared, planned: Sequence[tuple[int, int]], budget: Budget
) -> Iterator[tuple[int, Outcome]]:
    """Each training that fits into the budget, with its draw."""
    for number, (size, draw) in enumerate(planned, 1):
        trial = part(prepared, size, draw)
        if find(prepared, trial) is None and not budget.allows(trial):
            continue
        outcome = carry_out(prepared, trial)
        budget.learn(trial, outcome)
        took = "made before" if outcome.cached else duration(outcome.seconds)
        prepared.note(
            f"training {number} of {len(planned)}: {size:,} rows, draw {draw + 1}: "
            f"{outcome.scores.mean():.1%} on {len(outcome.scores):,} validation rows ({took})"
        )
        yield draw, outcome


def part(prepared: Prepared, size: int, draw: int) -> Trial:
    """The training on the first ``size`` rows of a draw: the parts of one draw lie in each other."""
    material = prepared.material
    order = np.random.default_rng([prepared.seed, draw]).permutation(len(material.train))
    chosen = sorted(order[:size].tolist())
    return Trial(material, tuple(material.train[place] for place in chosen), prepared.settings, prepared.seed + draw)


def _measured(draw: int, outcome: Outcome, prepared: Prepared) -> MeasuredPart:
    metric = ROW_METRIC[prepared.material.goal.output]
    measured = score(metric, outcome.statistic, resamples=2000, seed=prepared.seed)
    return MeasuredPart(outcome.rows, draw, measured, outcome.seconds)


def _forecasts(prepared: Prepared, curve: LearningCurve, rows: int, examples: int | None) -> Iterator[Forecast]:
    wanted = [examples] if examples is not None else [2 * prepared.examples, 4 * prepared.examples]
    for total in wanted:
        trained = round(rows * total / prepared.examples)
        forecast, gain = curve.score(trained), curve.gain(trained)
        times = total / prepared.examples
        verb = {2.0: "Doubling", 4.0: "Four times as many:"}.get(times, "Going")
        yield Forecast(total, trained, forecast, gain, in_words(verb, total, gain, forecast))


def in_words(verb: str, examples: int, gain: Expected, forecast: Expected) -> str:
    """The forecast as a sentence; a gain that may be next to nothing is called so."""
    points = f"{100 * gain.value:+.1f} points ({100 * gain.low:.1f} to {100 * gain.high:.1f})"
    to = f"to {examples:,} examples is" if not verb.endswith(":") else f"{examples:,} examples are"
    reach = f"{forecast.value:.1%} ({forecast.low:.1%} to {forecast.high:.1%})"
    said = f"{verb} {to} worth {points}, to {reach}."
    if gain.low < 0.0005:
        said += " It is not shown to bring anything."
    return said


def _slices(prepared: Prepared, points: Sequence[Point], curve: LearningCurve) -> dict[str, Any]:
    goal, measured = prepared.material.goal, prepared.material.measured
    place = {example.id: at for at, example in enumerate(measured)}
    cut = slices_of(members(prepared.train, goal), members(measured, goal), place)
    found = worth(points, curve, cut, LABELS, seed=prepared.seed)
    return {"slices": tuple(found), "slice_words": slices_in_words(found)}


def slices_in_words(found: Sequence[Worth]) -> str:
    """Where the next labels bring most, or that it cannot be told."""
    if not found:
        return f"Where the next {LABELS} labels bring most is not shown: no slice has rows enough."
    shown = [one for one in found if one.shown]
    if not shown:
        return (
            f"Where the next {LABELS} labels bring most is not shown: by these validation rows no slice is worth more "
            "than spreading them evenly."
        )
    names = "; ".join(
        f"{one.kind} “{one.name}” ({100 * one.gain.value:+.2f} points, {100 * one.gain.low:.2f} to "
        f"{100 * one.gain.high:.2f}; {one.trained:,} rows now)"
        for one in shown[:3]
    )
    return f"The next {LABELS} labels bring most in {names}."


def _left_out(planned: Sequence[tuple[int, int]], done: Sequence[Any], budget: Budget) -> str:
    missing = len(planned) - len(done)
    if not missing:
        return ""
    return (
        f"{missing} of {len(planned)} trainings did not fit into {budget.minutes:g} min; with more minutes the "
        "interval is narrower, and what was made is kept."
    )
