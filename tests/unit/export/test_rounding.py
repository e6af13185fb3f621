"""A difference is called rounding only where it goes away in float32 arithmetic."""

from __future__ import annotations

from collections.abc import Sequence

from tunesmith.export import rounding
from tunesmith.export.compare import Cause, Comparison, RowDifference


def comparison(**causes: Cause) -> Comparison:
    differences = tuple(RowDifference(id, 3, "ours", "theirs", 0.01, cause) for id, cause in causes.items())
    return Comparison(10, 10, 10 - len(differences), (), differences, ())


def test_what_still_differs_without_the_rounding_is_unexplained() -> None:
    asked: list[Sequence[str]] = []

    def again(ids: Sequence[str]) -> Comparison:
        asked.append(ids)
        return comparison(b="unexplained", c="tie")

    found = rounding.measured(comparison(a="rounding", b="rounding", c="rounding", d="tie", e="unexplained"), again)
    assert {one.id: one.cause for one in found.differences} == {
        "a": "rounding",
        "b": "unexplained",
        "c": "rounding",
        "d": "tie",
        "e": "unexplained",
    }
    assert asked == [["a", "b", "c"]]
    assert found.explained == 3
    assert "(2)" in (rounding.note(found) or "")


def test_nothing_is_asked_again_where_rounding_explains_nothing() -> None:
    def never(ids: Sequence[str]) -> Comparison:
        raise AssertionError

    one = comparison(a="tie", b="quantised")
    assert rounding.measured(one, never) is one
    assert rounding.note(one) is None
