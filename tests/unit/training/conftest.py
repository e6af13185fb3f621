"""Checkpoints of a real run, to be damaged."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.unit.training.checkpoints import Two, write_two


@pytest.fixture(scope="session")
def two(tmp_path_factory: pytest.TempPathFactory) -> Two:
    return write_two(tmp_path_factory.mktemp("two"))


@pytest.fixture
def damaged(two: Two, tmp_path: Path) -> Path:
    return shutil.copytree(two.folder, tmp_path / "damaged")
