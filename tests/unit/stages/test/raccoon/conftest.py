"""The made-up desk, answered by labels and in prose."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.stages.test.raccoon.made_up_desk import SYSTEM, TROUBLES, Desk
from tunesmith.products import GoalSheet


@pytest.fixture
def labels(tmp_path: Path) -> Desk:
    """A desk whose answers are labels."""
    return Desk(GoalSheet("text", "label", SYSTEM, labels=tuple(TROUBLES), unknown="hand_off"), tmp_path)


@pytest.fixture
def prose(tmp_path: Path) -> Desk:
    """A desk whose answers are text."""
    return Desk(GoalSheet("text", "text", SYSTEM), tmp_path)
