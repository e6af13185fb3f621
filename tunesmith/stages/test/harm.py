"""What forbids to ship whatever the criteria say: the model is shown to do harm.

Worse than its rival, worse than the version in use, or much worse than its rival on a slice. Many are looked at,
so their p-values are corrected together. What is suspected, and not shown after that, keeps a model from being
called fit to ship, and is no ground to say that it is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tunesmith.products import Forgetting
from tunesmith.scoring.paired import Difference
from tunesmith.scoring.several import holm
from tunesmith.scoring.threshold import ONE_SIDED
from tunesmith.stages.test.rivals import Rival
from tunesmith.stages.test.slices import Slice
from tunesmith.stages.test.slices import title as slice_title
from tunesmith.stages.test.wording import in_sentence, number, p_value, points

#: From this loss on a slice is much worse than its rival: ten points.
MUCH_WORSE = 0.10


@dataclass(frozen=True)
class Harm:
    """``p``: of "no harm", one-sided; ``corrected`` for all harms that were looked at. ``words`` end without a stop."""

    code: str
    words: str
    p: float
    corrected: float = 1.0

    @property
    def shown(self) -> bool:
        return self.corrected <= ONE_SIDED

    @property
    def suspected(self) -> bool:
        return self.p <= ONE_SIDED and not self.shown


def harms(
    against_rival: Difference, rival: Rival, against_in_use: Sequence[Difference], cut: Sequence[Slice], metric: str
) -> list[Harm]:
    """Every harm that was looked at, corrected together by Holm's procedure.

    ``cut``: the slices, whose p-values are corrected among themselves already, by ``metric``; the smallest of these
    stands for all of them.
    """
    found = [_worse("worse_than_rival", rival.words, against_rival)]
    found += [_worse("worse_than_in_use", "the version in use", one) for one in against_in_use]
    found.append(_slices(cut, rival, metric))
    corrected = holm([one.p for one in found])
    return [replace(one, corrected=p) for one, p in zip(found, corrected, strict=True)]


def _worse(code: str, than: str, found: Difference) -> Harm:
    harmed = found.value < 0 and found.high < 0
    words = (
        f"it is worse than {than}: {in_sentence(found.metric)} by {points(found.value)} points "
        f"(95% interval {points(found.low)} to {points(found.high)}, {p_value(found.p)}, n = {found.n:,})"
    )
    return Harm(code, words, found.p / 2 if harmed else 1.0)


def _slices(cut: Sequence[Slice], rival: Rival, metric: str) -> Harm:
    much = [one for one in cut if one.name and one.change <= -MUCH_WORSE and one.p / 2 <= ONE_SIDED]
    listed = "; ".join(
        f"{slice_title(one)}, {number(metric, one.value)} against {number(metric, one.rival)} (n = {one.n:,}, "
        f"{p_value(one.p)} after correction)"
        for one in sorted(much, key=lambda one: one.change)
    )
    words = f"it is much worse than {rival.words} on {'a slice' if len(much) == 1 else 'slices'}: {listed}"
    return Harm("worse_on_slice", words, min((one.p / 2 for one in much), default=1.0))


def forgot(forgetting: Forgetting | None) -> str:
    """What became of general ability, in words, where much of it is shown to be lost; else nothing."""
    if forgetting is None or forgetting.code != "much_lost" or forgetting.low <= 0:
        return ""
    return f"{forgetting.words} If the model is to do its task alone, `test.forgetting: false` leaves this aside."
