"""A version is taken back when it is clearly worse, and hardly ever when it is not."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tunesmith.deployment.deploy_settings import DeploySettings
from tunesmith.deployment.judging import GROWTH, judge, look_of
from tunesmith.deployment.outcomes import Outcome

SETTINGS = DeploySettings()
Draw = Callable[[random.Random], dict[str, object]]


def outcomes(draw: Draw, count: int, seed: int, users: int = 0) -> list[Outcome]:
    rng = random.Random(seed)
    plain = {"failed": False, "misfit": False, "handed_off": False, "seconds": 1.0}
    told = []
    for number in range(count):
        who = str(rng.randrange(users)) if users else str(number)
        told.append(Outcome("a", float(number), who, **{**plain, **draw(rng)}))  # type: ignore[arg-type]
    return told


def nothing(rng: random.Random) -> dict[str, object]:
    return {"failed": rng.random() < 0.01, "seconds": rng.lognormvariate(0, 0.5)}


def broken(new: Draw, before: Draw = nothing, requests: int = 200, seed: int = 0) -> list[str]:
    found = judge(outcomes(new, requests, seed), outcomes(before, 1000, seed + 1), SETTINGS, 1)
    return [one.rule for one in found if one.broken]


@pytest.mark.parametrize(
    ("new", "rule"),
    [
        (lambda rng: {**nothing(rng), "failed": rng.random() < 0.15}, "errors"),
        (lambda rng: {**nothing(rng), "seconds": 2.5 * rng.lognormvariate(0, 0.5)}, "p95_latency"),
        (lambda rng: {**nothing(rng), "misfit": rng.random() < 0.2}, "format_failures"),
        (lambda rng: {**nothing(rng), "handed_off": rng.random() < 0.3}, "hand_offs"),
    ],
)
def test_a_version_that_is_clearly_worse_is_found(new: Draw, rule: str) -> None:
    assert broken(new) == [rule]


def test_a_difference_that_does_not_matter_is_let_be_however_sure_it_is() -> None:
    settings = DeploySettings(more_errors=0.05)
    new = outcomes(lambda rng: {"failed": rng.random() < 0.03}, 5000, 0)
    assert not any(one.broken for one in judge(new, outcomes(lambda rng: {}, 5000, 1), settings, 1))


def test_a_rule_that_is_switched_off_says_nothing() -> None:
    settings = DeploySettings(more_errors=None, slower=None)
    new = outcomes(lambda rng: {"failed": True, "seconds": None}, 100, 0)
    found = judge(new, outcomes(nothing, 100, 1), settings, 1)
    assert [(one.rule, one.broken) for one in found] == [("format_failures", False), ("hand_offs", False)]


def test_without_anything_to_compare_with_nothing_is_broken() -> None:
    assert judge(outcomes(lambda rng: {"failed": True}, 100, 0), [], SETTINGS, 1) == []


def test_one_user_s_many_requests_count_as_one() -> None:
    """A single user whose requests all fail is no evidence about the others."""
    new = [*outcomes(nothing, 60, 0), *(Outcome("a", 0.0, "she", True, None, None, None) for _ in range(60))]
    assert not any(one.broken for one in judge(new, outcomes(nothing, 500, 1), SETTINGS, 1))


def test_looks_are_taken_at_a_quarter_more_each_time() -> None:
    assert [look_of(count, 50) for count in (0, 49, 50, 62, 63, 78, 79)] == [0, 0, 1, 1, 2, 2, 3]


@pytest.mark.slow
def test_of_versions_that_are_as_good_hardly_any_is_taken_back() -> None:
    """Looked at as often as a server looks up to a thousand requests; 300 of them, 20% allowed so that it shows."""
    settings = DeploySettings(false_alarms=0.2, more_errors=0, more_hand_offs=0, more_format_failures=0, slower=1)

    def draw(rng: random.Random) -> dict[str, object]:
        shares = {name: rng.random() < 0.1 for name in ("failed", "misfit", "handed_off")}
        return {**shares, "seconds": rng.lognormvariate(0, 0.5)}

    taken_back = 0
    for seed in range(300):
        new, before = outcomes(draw, 1000, 2 * seed), outcomes(draw, 1000, 2 * seed + 1)
        count = 50.0
        while count <= 1000:
            look = look_of(int(count) + 1, 50)
            if any(one.broken for one in judge(new[: int(count) + 1], before[: int(count) + 1], settings, look)):
                taken_back += 1
                break
            count *= GROWTH
    assert taken_back <= 60 + 21  # 20% of 300, and three standard deviations
