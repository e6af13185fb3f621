"""What is found wrong with a version before any model is asked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tunesmith import InputError
from tunesmith.server.preparing import prepare
from tunesmith.server.served import Wanted


def test_a_classifier_has_no_precisions() -> None:
    version: Any = SimpleNamespace(name="routing", tuned=SimpleNamespace(learner="classifier"), setup=None)
    nothing: Any = None
    with pytest.raises(InputError, match="and routing is a classifier"):
        prepare(nothing, nothing, version, Wanted(precision="q8_0"))
