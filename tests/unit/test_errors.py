"""Errors come through to another process as they were raised."""

from __future__ import annotations

import pytest

from tunesmith.errors import Cancelled, Faults, InputError, MissingExtra, TestPartLocked, TunesmithError
from tunesmith.stages.base.unavailable import Unavailable

BAD = InputError("bad", "it is bad", "a.csv:3", "mend it")


@pytest.mark.parametrize(
    "error",
    [
        TunesmithError("broken", "it broke", "here", "try again"),
        BAD,
        Faults([BAD, InputError("worse", "it is worse")], more=2),
        MissingExtra("mlflow", "mlflow"),
        TestPartLocked("train"),
        Cancelled(),
        Cancelled("stopped at step 3"),
        Unavailable("no network", "try later"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_is_the_same_in_another_process(error: TunesmithError) -> None:
    make, given = error.__reduce__()  # what processes hand each other
    found = make(*given)
    assert type(found) is type(error)
    assert str(found) == str(error)
    assert (found.code, found.what, found.where, found.fix) == (error.code, error.what, error.where, error.fix)
    assert found.exit_code == error.exit_code
    assert [str(fault) for fault in getattr(found, "faults", [])] == [
        str(fault) for fault in getattr(error, "faults", [])
    ]
