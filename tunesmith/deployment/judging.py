"""Is a new version at work clearly worse than the one before? Looked at again and again, with a bound on false alarms.

Each rule compares a share of requests in both versions by `scoring.unpaired.two_samples` (Fisher's exact test; random
exchanges where one user asked several times, since only users were drawn). A rule speaks when the new version's share
lies further above than the settings allow, and the difference would hardly come by chance.

Looks are taken when the new version has answered ``least_requests``, then a quarter more each time. The chance of a
false alarm is shared out over looks, 6 / (pi k)^2 to the k-th, which sums to 1 over all that may come, and evenly over
the rules (Bonferroni): so however long it goes on, a version that is as good is taken back by chance at most as often
as ``false_alarms`` says.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tunesmith.deployment.deploy_settings import DeploySettings
from tunesmith.deployment.outcomes import Outcome
from tunesmith.scoring.statistic import FloatArray
from tunesmith.scoring.unpaired import two_samples

RESAMPLES = 20_000
#: How much more evidence the next look wants.
GROWTH = 1.25
PERCENTILE = 0.95

Share = Callable[[Outcome], float | None]


@dataclass(frozen=True)
class Finding:
    """One rule: its value in both versions, how many requests (or users) that is, and by chance how likely (``p``).

    ``limit``: the p-value below which it speaks. ``broken``: the new version is clearly worse.
    """

    rule: str
    new: float
    before: float
    n_new: int
    n_before: int
    p: float
    limit: float
    broken: bool

    @property
    def words(self) -> str:
        seconds = self.rule == "p95_latency"
        new, before = (f"{value:.2f} s" if seconds else f"{value:.1%}" for value in (self.new, self.before))
        name = {
            "errors": "errors",
            "p95_latency": "95th percentile of the latency",
            "format_failures": "answers that miss the schema",
            "hand_offs": "requests handed to a person",
        }[self.rule]
        counted = f"n = {self.n_new:,} and {self.n_before:,}"
        return f"{name}: {new}, before {before} ({counted}, p = {self.p:.2g}, looked for below {self.limit:.2g})"


def look_of(requests: int, least: int) -> int:
    """The number of the last look that so many requests allow, from 1; 0 before the first."""
    if requests < least:
        return 0
    return 1 + int(math.log(requests / least) / math.log(GROWTH) + 1e-9)


def judge(new: Sequence[Outcome], before: Sequence[Outcome], settings: DeploySettings, look: int) -> list[Finding]:
    """What each rule finds at this look. A rule without anything to compare with says nothing."""
    margins: list[tuple[str, float | None, Share]] = [
        ("errors", settings.more_errors, lambda one: float(one.failed)),
        ("format_failures", settings.more_format_failures, lambda one: _share(one.misfit)),
        ("hand_offs", settings.more_hand_offs, lambda one: _share(one.handed_off)),
    ]
    rules = sum(margin is not None for _, margin, _ in margins) + (settings.slower is not None)
    limit = settings.false_alarms * 6 / (math.pi * look) ** 2 / max(1, rules)
    found = [
        _compare(rule, values, limit, margin, look)
        for rule, margin, share in margins
        if margin is not None and (values := _both(new, before, share)) is not None
    ]
    slow = _latency(new, before, limit, settings.slower, look) if settings.slower is not None else None
    return [*found, *([slow] if slow else [])]


def _share(told: bool | None) -> float | None:
    return None if told is None else float(told)


def _both(new: Sequence[Outcome], before: Sequence[Outcome], share: Share) -> tuple[FloatArray, FloatArray] | None:
    values = _by_user(new, share), _by_user(before, share)
    return values if all(len(one) for one in values) else None


def _by_user(outcomes: Sequence[Outcome], share: Share) -> FloatArray:
    """The mean of each who was drawn: requests of one user are not independent."""
    by_user: dict[str, list[float]] = {}
    for one in outcomes:
        if (value := share(one)) is not None:
            by_user.setdefault(one.who, []).append(value)
    return np.array([sum(values) / len(values) for values in by_user.values()], dtype=np.float64)


def _compare(rule: str, values: tuple[FloatArray, FloatArray], limit: float, margin: float, look: int) -> Finding:
    new, before = (float(one.mean()) for one in values)
    # without a difference that matters the test is not needed: it costs more than all the rest
    p = two_samples(*values, resamples=RESAMPLES, seed=look) if new > before + margin else 1.0
    return Finding(rule, new, before, len(values[0]), len(values[1]), p, limit, p < limit)


def _latency(
    new: Sequence[Outcome], before: Sequence[Outcome], limit: float, slower: float, look: int
) -> Finding | None:
    """Compare 95th percentiles: is what lies beyond that of both together more often the new version's?"""
    seconds = [np.array([one.seconds for one in some if one.seconds is not None]) for some in (new, before)]
    if not all(len(one) for one in seconds):
        return None
    bound = float(np.quantile(np.concatenate(seconds), PERCENTILE))
    high, low = (float(np.quantile(one, PERCENTILE)) for one in seconds)
    values = _both(new, before, lambda one: None if one.seconds is None else float(one.seconds > bound))
    p = 1.0
    if values is not None and high > slower * low:
        p = two_samples(*values, resamples=RESAMPLES, seed=look)
    counts = [len(one) for one in values] if values is not None else [0, 0]
    return Finding("p95_latency", high, low, counts[0], counts[1], p, limit, p < limit)
