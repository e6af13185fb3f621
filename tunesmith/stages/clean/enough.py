"""Whether the data is enough to begin, and whether more would help: from what half of it does beside all of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from tunesmith.scoring.intervals import score
from tunesmith.scoring.paired import difference
from tunesmith.scoring.statistic import Mean
from tunesmith.similarity.neighbours import Neighbours
from tunesmith.stages.clean.kept_rows import LABEL
from tunesmith.stages.clean.marks import Bools
from tunesmith.stages.clean.out_of_fold import OutOfFold

RESAMPLES = 1000
#: Twice the rows must bring at least so much, or no more than so much, to be called a gain, or level.
GAIN = 0.01
LEVEL = 0.03
#: An input is like another from this cosine on.
LIKE = 0.6
FEWEST = 50


def judge(found: Mapping[str, OutOfFold], neighbours: Neighbours | None) -> dict[str, Any]:
    """What the evidence says, in figures and words.

    ``begin``: yes, no, or unknown; ``more``: would_help, levels_off, or unknown. ``rests_on`` says what was measured.
    """
    if found:
        return _by_labels(found)
    if neighbours is None or len(neighbours.cosine) < FEWEST:
        why = "rows were not compared by meaning" if neighbours is None else f"fewer than {FEWEST} rows"
        words = f"Whether the rows are enough to begin is not measured ({why}): train, and look at the curve."
        return {"begin": "unknown", "more": "unknown", "rests_on": "nothing", "words": words}
    return _by_inputs(neighbours)


def _by_labels(found: Mapping[str, OutOfFold]) -> dict[str, Any]:
    """By the target that is learned least well."""
    name, hardest = min(found.items(), key=lambda item: item[1].right.mean())
    whole, half = (Mean(values.astype(np.float64)) for values in (hardest.right, hardest.right_by_half))
    scores = score("accuracy", whole, resamples=RESAMPLES), score("accuracy", half, resamples=RESAMPLES)
    gain = difference("accuracy", ("all", whole), ("half", half), resamples=RESAMPLES)
    guess = float(np.bincount(hardest.labels).max() / len(hardest.labels))
    begin = "yes" if scores[0].low > guess else "no"
    more = "would_help" if gain.low > GAIN else "levels_off" if gain.high < LEVEL else "unknown"
    what = f"the field {name}" if name != LABEL else "the label"
    told = {
        "yes": f"Enough to begin: a quick classifier gets {what} right for {_share(scores[0].value)} of rows "
        f"it has not seen (95% interval {_share(scores[0].low)} to {_share(scores[0].high)}; "
        f"always the commonest: {_share(guess)}).",
        "no": f"Not enough to begin, or {what} does not follow from the input: a quick classifier gets it right for "
        f"{_share(scores[0].value)} of rows it has not seen, and always the commonest would for {_share(guess)}.",
    }[begin]
    return {
        "begin": begin,
        "more": more,
        "rests_on": "a logistic regression on the encoder's vectors, five folds; the tuned model will do better",
        "target": name,
        "all": asdict(scores[0]),
        "half": asdict(scores[1]),
        "gain": {"value": gain.value, "low": gain.low, "high": gain.high, "n": gain.n},
        "commonest": guess,
        "words": f"{told} {_more(more, gain.value, gain.low, gain.high)}",
    }


def _more(code: str, value: float, low: float, high: float) -> str:
    points = f"{100 * value:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f})"
    return {
        "would_help": f"More rows would help: all of them brought {points} over half of them.",
        "levels_off": f"More of the same would bring little: all rows brought {points} over half of them.",
        "unknown": f"Whether more would help cannot be told: all rows brought {points} over half of them.",
    }[code]


def _by_inputs(neighbours: Neighbours) -> dict[str, Any]:
    """By how many inputs have none like them among the others, and among half of the others."""
    alone, by_half = alone_in(neighbours)
    whole, half = (Mean(values.astype(np.float64)) for values in (alone, by_half))
    scores = score("unlike_others", whole, resamples=RESAMPLES), score("unlike_others", half, resamples=RESAMPLES)
    fell = difference("unlike_others", ("half", half), ("all", whole), resamples=RESAMPLES)
    more = "would_help" if fell.low > GAIN else "levels_off" if fell.high < LEVEL else "unknown"
    told = {
        "would_help": "new kinds of input still turn up: more rows would cover more",
        "levels_off": "few new kinds of input turn up: more of the same inputs would bring little",
        "unknown": "whether new kinds of input still turn up cannot be told",
    }[more]
    return {
        "begin": "unknown",
        "more": more,
        "rests_on": f"inputs alone: whether another has a cosine of at least {LIKE}; answers are not judged",
        "all": asdict(scores[0]),
        "half": asdict(scores[1]),
        "gain": {"value": fell.value, "low": fell.low, "high": fell.high, "n": fell.n},
        "words": f"Beside half of the other rows {_share(scores[1].value)} of inputs have none like them, beside all "
        f"{_share(scores[0].value)}: {told}. Whether the answers can be learned shows in training.",
    }


def alone_in(neighbours: Neighbours, seed: int = 0) -> tuple[Bools, Bools]:
    """Whether each row has no other like it, and none in a random half of the others, both ``[rows]``."""
    in_half = np.random.default_rng(seed).random(len(neighbours.cosine)) < 0.5
    like = neighbours.cosine >= LIKE
    found: tuple[Bools, Bools] = (~np.any(like, axis=1), ~np.any(like & in_half[neighbours.index], axis=1))
    return found


def _share(value: float) -> str:
    return f"{100 * value:.0f}%"
