"""Starting the command in a process of its own: time, imports, exit codes, broken pipes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

HEAVY = ("torch", "transformers", "pyarrow", "sklearn", "rich", "numpy", "pydantic", "ruamel", "peft", "scipy")


def tunesmith(*words: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return run([sys.executable, "-m", "tunesmith.cli", *words], cwd, **environment)


def run(words: list[str], cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    settings = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), **environment}
    return subprocess.run(words, capture_output=True, text=True, cwd=cwd, env=settings, check=False)


def test_help_is_there_within_half_a_second() -> None:
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        ended = tunesmith("--help")
        seconds.append(time.perf_counter() - began)
        assert ended.returncode == 0
    # The least of five: what the machine is busy with besides is not our start-up time.
    assert min(seconds) < 0.5, seconds


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["show", "--help"], ["--version"], ["run", "--nope"]])
def test_help_and_wrong_arguments_import_nothing_heavy(words: list[str]) -> None:
    script = f"import sys; from tunesmith.cli.main import main; main({words!r}); print(*sys.modules, file=sys.stderr)"
    ended = run([sys.executable, "-c", script])
    loaded = {module.partition(".")[0] for module in ended.stderr.splitlines()[-1].split()}
    assert "tunesmith" in loaded
    assert sorted(loaded & set(HEAVY)) == []


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["dance"],
        ["run", "--nope"],
        ["run", "--to", "nowhere"],
        ["show"],
        ["show", "nowhere"],
        ["new", "x"],
        ["new", "x", "--output", "image"],
        ["add"],
        ["add", "x.csv", "--delimiter", "::"],
        ["ask"],
        ["format", "--show", "none"],
        ["format", "--show", "0"],
        ["base", "--list", "--refetch"],
        ["run", "--proj", "x"],
    ],
    ids=" ".join,
)
def test_wrong_arguments_end_with_2(words: list[str]) -> None:
    ended = tunesmith(*words)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "usage: tunesmith" in ended.stderr


def test_no_project_is_told_without_a_traceback(tmp_path: Path) -> None:
    ended = tunesmith("run", cwd=tmp_path)
    assert ended.returncode == 2
    assert "no Tunesmith project here" in ended.stderr
    assert "fix: name its folder with --project DIR, or make one: tunesmith new DIR" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["--debug", "status"], ["status", "--debug"]])
def test_debug_shows_the_traceback_wherever_it_stands(tmp_path: Path, words: list[str]) -> None:
    ended = tunesmith(*words, cwd=tmp_path)
    assert ended.returncode == 2
    assert "Traceback" in ended.stderr


def test_new_makes_a_project_that_status_opens_from_below(tmp_path: Path) -> None:
    made = tunesmith("new", "my desk", "--output", "json", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert "cd 'my desk'" in made.stdout
    below = tmp_path / "my desk" / "deep" / "er"
    below.mkdir(parents=True)
    assert tunesmith("new", "my desk", "--output", "json", cwd=tmp_path).returncode == 2
    opened = tunesmith("base", "--list", "--project", str(tmp_path / "my desk"), cwd=below)
    assert opened.returncode == 0, opened.stderr
    assert "smollm2-135m-instruct" in opened.stdout


def test_a_reader_that_stops_early_leaves_no_error_behind(tmp_path: Path) -> None:
    line = f"{sys.executable} -m tunesmith.cli base --list | true; echo ${{PIPESTATUS[0]}}"
    ended = run(["bash", "-c", line], tmp_path)
    assert ended.stdout.strip() == "0"
    assert ended.stderr == ""


def test_an_encoding_without_our_signs_is_no_error(tmp_path: Path) -> None:
    ended = tunesmith("new", "desk", "--output", "label", cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert ended.returncode == 0
    assert "text \\u2192 label" in ended.stdout
