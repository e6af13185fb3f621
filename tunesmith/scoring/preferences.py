"""Which of two candidates people (or a judge) preferred, row by row: counts, an interval, a sign test, agreement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from tunesmith.example import Score
from tunesmith.ratings import Rating
from tunesmith.scoring.agreement import MISSING, cohens_kappa, krippendorffs_alpha
from tunesmith.scoring.intervals import RESAMPLES, wilson

#: What a row may come to: the first of the pair is better, the second is, both are as good, neither is good.
LEFT, RIGHT, SAME, NEITHER = range(4)


@dataclass(frozen=True)
class Preference:
    """How ``left`` did against ``right`` on ``rows`` rows. ``share``: of the rows on which one was better, those on
    which it was ``left``; None where there is no such row. ``p``: two-sided, of "both are better equally often"."""

    left: str
    right: str
    wins: int
    losses: int
    same: int
    neither: int
    share: Score | None
    p: float

    @property
    def rows(self) -> int:
        return self.wins + self.losses + self.same + self.neither

    @property
    def shown(self) -> str:
        """better, worse or not_shown: both the interval and the test must say so."""
        if self.share is None or self.p >= 0.05 or self.share.low <= 0.5 <= self.share.high:
            return "not_shown"
        return "better" if self.wins > self.losses else "worse"


def preference(outcomes: Iterable[int], left: str, right: str) -> Preference:
    """Sum up one outcome a row: LEFT, RIGHT, SAME or NEITHER.

    The sign test leaves out rows on which neither is better: W. J. Dixon and A. M. Mood, "The statistical sign
    test", JASA 41 (1946).
    """
    from scipy.stats import binomtest

    counts = Counter(outcomes)
    wins, losses = counts[LEFT], counts[RIGHT]
    decided = wins + losses
    share = Score("preferred", wins / decided, decided, *wilson(wins, decided)) if decided else None
    p = float(binomtest(wins, decided, 0.5).pvalue) if decided else 1.0
    return Preference(left, right, wins, losses, counts[SAME], counts[NEITHER], share, p)


@dataclass(frozen=True)
class Pair:
    """How far two reviewers agree: ``kappa`` is None where they share fewer than two rows, or one category has all."""

    first: str
    second: str
    rows: int
    kappa: Score | None


@dataclass(frozen=True)
class People:
    """What reviewers said of two candidates: of each row what most said, and of each reviewer.

    ``agreement``: of each two reviewers; ``alpha``: of all, None where it cannot be said. ``first_shown``: ratings
    in which the answer shown first was preferred, of those with a preference: far from half, the place decided.
    """

    overall: Preference
    by_reviewer: Mapping[str, Preference]
    agreement: Sequence[Pair]
    alpha: Score | None
    first_shown: Score | None


def people(
    ratings: Sequence[Rating], left: str, right: str, *, resamples: int = RESAMPLES, seed: int = 0
) -> People | None:
    """Sum up the ratings of two candidates; None where there is none."""
    if not ratings:
        return None
    reviewers = sorted({one.reviewer for one in ratings})
    codes = {(one.reviewer, one.id): outcome_of(one, left) for one in ratings}
    ids = list(dict.fromkeys(one.id for one in ratings))
    table = {name: [codes.get((name, id), MISSING) for id in ids] for name in reviewers}
    draw = {"resamples": resamples, "seed": seed}
    pairs = [
        Pair(one, other, _shared(table[one], table[other]), cohens_kappa(table[one], table[other], **draw))
        for one, other in combinations(reviewers, 2)
    ]
    decided = [one for one in ratings if one.preferred]
    first = sum(one.choice == "A" for one in decided)
    return People(
        preference(by_row(ratings, left).values(), left, right),
        {name: preference([code for code in table[name] if code != MISSING], left, right) for name in reviewers},
        pairs,
        krippendorffs_alpha(list(table.values()), **draw) if len(reviewers) > 1 else None,
        Score("first_shown", first / len(decided), len(decided), *wilson(first, len(decided))) if decided else None,
    )


def outcome_of(rating: Rating, left: str) -> int:
    """The rating as one of LEFT, RIGHT, SAME and NEITHER."""
    if rating.preferred is not None:
        return LEFT if rating.preferred == left else RIGHT
    return NEITHER if rating.choice == "neither" else SAME


def by_row(ratings: Iterable[Rating], left: str) -> dict[str, int]:
    """What each row comes to: the side that more reviewers preferred; where none is ahead, SAME, or NEITHER where
    most found so. So a row that several looked at counts once."""
    said: dict[str, Counter[int]] = {}
    for one in ratings:
        said.setdefault(one.id, Counter())[outcome_of(one, left)] += 1
    return {id: _outcome(counts) for id, counts in said.items()}


def _outcome(counts: Counter[int]) -> int:
    if counts[LEFT] != counts[RIGHT]:
        return LEFT if counts[LEFT] > counts[RIGHT] else RIGHT
    return NEITHER if 2 * counts[NEITHER] > counts.total() else SAME


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    return sum(MISSING not in pair for pair in zip(one, other, strict=True))
