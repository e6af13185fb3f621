"""Several processes that change one project file at the same time: each change is in it at the end."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from tests.recipes.bad_project import PLAIN, Command, csv_text, write_files
from tunesmith import Project, project_file
from tunesmith.artifact import one_at_a_time
from tunesmith.errors import InputError

ADDS = """\
import sys
from tunesmith import Project
sys.stdin.readline()
for name in sys.argv[1:]:
    Project.open(".").add([name])
"""


def test_sources_that_are_added_at_once_are_all_there(command: Command, tmp_path: Path) -> None:
    names = [f"{side}{number}.csv" for side in "ab" for number in range(8)]
    project = write_files(tmp_path, files={name: csv_text() for name in ["tickets.csv", *names]})
    begun = [
        subprocess.Popen(
            [sys.executable, "-c", ADDS, *(name for name in names if name[0] == side)],
            cwd=project,
            env=command.environment,
            stdin=subprocess.PIPE,
        )
        for side in "ab"
    ]
    for process in begun:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
    assert [process.wait(60) for process in begun] == [0, 0]
    found = [source.path for source in Project.open(project).settings.collect]
    assert sorted(found) == sorted(["tickets.csv", *names])


def test_a_source_that_another_adds_meanwhile_is_not_added_twice(tmp_path: Path) -> None:
    project = Project.open(write_files(tmp_path, files={"tickets.csv": csv_text(), "more.csv": csv_text()}))
    told: list[InputError] = []

    def add() -> None:
        try:
            project.add([str(tmp_path / "more.csv")])
        except InputError as error:
            told.append(error)

    with one_at_a_time(project.root):  # both have looked at the file before either may write
        adding = [threading.Thread(target=add) for _ in range(2)]
        for thread in adding:
            thread.start()
        adding[0].join(1)
        assert all(thread.is_alive() for thread in adding)
    for thread in adding:
        thread.join(60)
    assert [error.code for error in told] == ["already_added"]
    assert [source.path for source in project.settings.collect] == ["tickets.csv", "more.csv"]


def test_changes_of_one_file_lose_none_of_each_other(tmp_path: Path) -> None:
    file = write_files(tmp_path, PLAIN) / "tunesmith.yaml"

    def change(number: int) -> None:
        project_file.edit(file, lambda document: document["goal"].setdefault("labels", []).append(f"label {number}"))

    changing = [threading.Thread(target=change, args=(number,)) for number in range(12)]
    for thread in changing:
        thread.start()
    for thread in changing:
        thread.join(60)
    assert sorted(project_file.load(file)["goal"]["labels"]) == sorted(f"label {number}" for number in range(12))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tickets.csv", "tunesmith.yaml"]
