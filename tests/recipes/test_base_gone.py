"""A base that was deleted, as a cache may be, is told as such by all that would load it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.recipes.bad_project import Command
from tests.recipes.test_serve import QUICK
from tests.recipes.tiny_project import write_base, write_tiny_project
from tunesmith import Project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained classifier whose base is deleted."""
    root = tmp_path_factory.mktemp("gone")
    base = write_base(root / "base", QUICK["labels"])
    project = Project.open(write_tiny_project(root / "made", QUICK["labels"], base))
    project.run(to="train")
    shutil.rmtree(project.product("base").folder)
    return project.root


@pytest.mark.parametrize("words", [["ask", "Where is my tent?"], ["export", "--to", "hf"], ["serve"], ["deploy"]])
def test_a_base_that_is_gone_is_told_with_its_remedy(project: Path, words: list[str], command: Command) -> None:
    done = command.run(project, *words)
    assert (done.code, "base_gone" in done.err, "tunesmith base --refetch" in done.err) == (2, True, True), done.said
