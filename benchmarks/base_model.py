"""The folder of a base, as `tunesmith base` makes it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.command import environment, tunesmith
from benchmarks.figure import Skipped

ROWS = 20  # the fewest that a project may have is below this
SETTINGS = """\
version: 1
name: base
goal: {{input: text, output: {output}}}
base: {{model: {name}}}
collect: [{{path: rows.csv, input: q, output: a}}]
"""


def folder_of(name: str, output: str) -> Path:
    """A base of the catalogue in the cache, fetched where it is not there. Raises Skipped where it cannot be had."""
    with tempfile.TemporaryDirectory(prefix="tunesmith-base-") as temporary:
        folder = Path(temporary)
        lines = "".join(f"question {number},answer {number % 2}\n" for number in range(ROWS))
        (folder / "rows.csv").write_text("q,a\n" + lines, encoding="utf-8")
        (folder / "tunesmith.yaml").write_text(SETTINGS.format(name=name, output=output), encoding="utf-8")
        command = tunesmith("base", "--project", str(folder))
        if subprocess.run(command, stdout=sys.stderr, env=environment(), check=False).returncode != 0:
            raise Skipped(f"the base {name} could not be fetched: {' '.join(command)}")
        from tunesmith import Project

        return Path(Project.open(folder).product("base").folder)
