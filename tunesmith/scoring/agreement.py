"""Agreement between people (or between people and a judge model) who put the same rows into the same few categories.

Both figures are 1 for full agreement and 0 for what chance would give. Where all ratings fall into one
category, chance agrees fully too, and neither figure is defined.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tunesmith.example import Score
from tunesmith.scoring.intervals import RESAMPLES, bootstrap
from tunesmith.scoring.statistic import FloatArray, IntArray, Statistic

#: Stands where a rater did not rate the row.
MISSING = -1
#: Below this, the agreement that chance would miss counts as none.
_NOTHING = 1e-12


@dataclass(frozen=True, eq=False)
class CohensKappa:
    """Two raters' categories, int64 ``[rows]`` each, 0 to ``categories`` - 1.

    (p_o - p_e) / (1 - p_e), with p_o the share of rows on which both agree, p_e what their own shares of each
    category would give by chance: J. Cohen, "A coefficient of agreement for nominal scales", Educational and
    Psychological Measurement 20 (1960).
    """

    first: IntArray
    second: IntArray
    categories: int
    bounds: tuple[float, float] = (-1.0, 1.0)

    @property
    def rows(self) -> int:
        return len(self.first)

    def estimate(self) -> float:
        return float(self.resampled(np.ones((1, self.rows)))[0])

    def resampled(self, weights: FloatArray) -> FloatArray:
        one, other = (np.eye(self.categories)[codes] for codes in (self.first, self.second))
        drawn = weights.sum(axis=1)
        agreed = (weights @ (self.first == self.second)) / drawn
        by_chance = ((weights @ one) * (weights @ other)).sum(axis=1) / drawn**2
        return _beyond_chance(agreed, by_chance)

    def leave_one_out(self) -> FloatArray:
        return self.resampled(np.ones((self.rows, self.rows)) - np.eye(self.rows))


@dataclass(frozen=True, eq=False)
class KrippendorffsAlpha:
    """Any number of raters, each of whom rated some of the rows: ``counts`` are how many put each row into each
    category, float64 ``[rows, categories]``. A row that fewer than two rated says nothing and may not be among them.

    1 - D_o / D_e of nominal data, from the coincidences within rows: K. Krippendorff, "Computing Krippendorff's
    alpha-reliability" (2011), https://repository.upenn.edu/handle/20.500.14332/2089
    """

    counts: FloatArray
    bounds: tuple[float, float] = (-1.0, 1.0)

    @property
    def rows(self) -> int:
        return len(self.counts)

    def estimate(self) -> float:
        return float(self.resampled(np.ones((1, self.rows)))[0])

    def resampled(self, weights: FloatArray) -> FloatArray:
        raters = self.counts.sum(axis=1)
        alike = (self.counts * (self.counts - 1)).sum(axis=1) / (raters - 1)
        ratings = weights @ raters
        observed = 1 - (weights @ alike) / ratings
        of_category = weights @ self.counts
        expected = (ratings**2 - (of_category**2).sum(axis=1)) / (ratings * (ratings - 1))
        return _beyond_chance(1 - observed, 1 - expected)

    def leave_one_out(self) -> FloatArray:
        return self.resampled(np.ones((self.rows, self.rows)) - np.eye(self.rows))


def _beyond_chance(agreed: FloatArray, by_chance: FloatArray) -> FloatArray:
    """What was agreed on beyond chance; 1 where all is one category, as nobody disagreed there."""
    left = 1 - by_chance
    varied = left > _NOTHING
    found: FloatArray = np.where(varied, (agreed - by_chance) / np.where(varied, left, 1.0), 1.0)
    return np.maximum(found, -1.0)


def cohens_kappa(
    first: Sequence[int], second: Sequence[int], *, resamples: int = RESAMPLES, seed: int = 0
) -> Score | None:
    """Cohen's kappa of the rows that both rated, with its bootstrap interval; MISSING marks a row that one did not.

    None where they share fewer than two rows, or all their ratings are of one category. Raises ValueError when the
    two are not of one length.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} ratings cannot be paired with {len(second)}")
    one, other = np.asarray(first, np.int64), np.asarray(second, np.int64)
    both = (one != MISSING) & (other != MISSING)
    one, other = one[both], other[both]
    if len(one) < 2 or len(np.unique(np.concatenate([one, other]))) < 2:
        return None
    kappa = CohensKappa(one, other, int(max(one.max(), other.max())) + 1)
    return _score("cohens_kappa", kappa, resamples, seed)


def krippendorffs_alpha(ratings: Sequence[Sequence[int]], *, resamples: int = RESAMPLES, seed: int = 0) -> Score | None:
    """Krippendorff's alpha of nominal ratings, one sequence a rater, with its bootstrap interval over rows.

    MISSING marks a row that a rater did not rate. None where fewer than two rows were rated twice, or all ratings
    are of one category. ``n`` of the score is the number of rows that at least two rated.
    """
    codes = np.asarray(ratings, np.int64)
    if codes.ndim != 2 or codes.max(initial=MISSING) == MISSING:
        return None
    counts = np.stack([(codes == category).sum(axis=0) for category in range(codes.max() + 1)], axis=1)
    counts = counts[counts.sum(axis=1) >= 2].astype(np.float64)
    if len(counts) < 2 or np.count_nonzero(counts.sum(axis=0)) < 2:
        return None
    return _score("krippendorffs_alpha", KrippendorffsAlpha(counts), resamples, seed)


def _score(name: str, statistic: Statistic, resamples: int, seed: int) -> Score:
    low, high = bootstrap(statistic, resamples=resamples, seed=seed)
    return Score(name, statistic.estimate(), statistic.rows, low, high)
