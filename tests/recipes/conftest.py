"""The command line as a user runs it, and disks that are small or may not be written."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.recipes.bad_project import Command


@pytest.fixture(scope="session")
def command(bases_cache: Path) -> Command:
    return Command(bases_cache)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Mount a disk of so many pages (of 4 KB, mostly) at a folder of its own; skips where that is not allowed."""
    mounted: list[Path] = []

    def mount(pages: int) -> Path:
        folder = tmp_path / f"disk-{pages}"
        folder.mkdir()
        options = ["mount", "-t", "tmpfs", "-o", f"size={pages * resource.getpagesize()}", "tmpfs", str(folder)]
        try:
            done = subprocess.run(options, capture_output=True, text=True, check=False)
        except OSError as error:
            pytest.skip(f"mount: {error}")
        if done.returncode:
            pytest.skip(f"no disk may be mounted here: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)
