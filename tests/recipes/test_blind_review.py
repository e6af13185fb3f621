"""`tunesmith review` in a real terminal: blind, one key a rating, each durable at once, and resumed where it was."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.recipes.bad_project import Command
from tests.recipes.test_review import Terminal
from tests.recipes.tiny_project import KINDS, write_base, write_tiny_project
from tunesmith import Project
from tunesmith.errors import InputError

MENU = "[q]uit"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("blind")
    kind = KINDS["classifier"]
    folder = write_tiny_project(root / "made", kind, write_base(root / "base", kind))
    text = (
        (folder / "tunesmith.yaml").read_text().replace("test: 0.15", "test: 0.3").replace("train: 0.7", "train: 0.55")
    )
    (folder / "tunesmith.yaml").write_text(text + "test: {resamples: 1000, raccoon: off}\n")
    Project.open(folder).run()
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "project"))


def lines(project: Path) -> list[dict[str, object]]:
    path = project / "ratings.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def pair(project: Path) -> str:
    """Two candidates whose answers differ on some row."""
    rows = list(Project.open(project).product("test").predictions())
    rival = next(
        name for name in ("base", "commonest answer") if any(r[name]["answer"] != r["tuned"]["answer"] for r in rows)
    )
    return f"tuned,{rival}"


def terminal(project: Path, cache: Path, *words: str, **more: str) -> Terminal:
    return Terminal(project, cache, "--candidates", pair(project), *words, verb=("review",), **more)


def test_keys_rate_and_names_are_told_at_the_end_alone(project: Path, bases_cache: Path) -> None:
    opened = Project.open(project)
    cases = opened.rating(reviewer="ana", candidates=pair(project).split(",")).cases
    assert len(cases) >= 3
    shown = terminal(project, bases_cache, "--as", "ana", "--rows", "3")
    try:
        said = shown.until(MENU)
        assert "3 of 3 rows" in said
        shown.press("a")
        said += shown.until(MENU)
        assert lines(project)[-1]["choice"] == "A"
        shown.press("z")
        said += shown.until(MENU)
        assert lines(project)[-1]["choice"] is None
        shown.press("bx")  # x means nothing
        said += shown.until(MENU)
        shown.press("c")
        said += shown.until("> ")
        shown.press("too short\n")
        said += shown.until(MENU)
        assert "your comment: too short" in said
        shown.press("s")
        said += shown.until(MENU)
        shown.press("q")
        code, end = shown.end()
        assert (code, "2 rated, 1 left" in end) == (0, True)
        assert "tuned" not in said + end.replace("tunesmith", "")
    finally:
        shown.close()
    assert [line.get("choice", line.get("comment")) for line in lines(project)] == ["A", None, "B", "too short", "same"]
    again = terminal(project, bases_cache, "--as", "ana", "--rows", "3")
    try:
        assert "1 of 3 rows to compare, 2 done before" in again.until(MENU)
        again.press("n")
        code, end = again.end()
    finally:
        again.close()
    assert code == 0
    assert "compared tuned and" in end
    assert "on 1 neither was good" in end


def test_a_better_answer_becomes_a_proposed_example_that_may_not_be_trained_on(
    project: Path, bases_cache: Path
) -> None:
    editor = project / "editor.sh"
    editor.write_text('#!/bin/sh\nprintf " Delivery " > "$1"\n')
    editor.chmod(0o755)
    shown = terminal(project, bases_cache, "--as", "ana", EDITOR=str(editor))
    try:
        shown.until(MENU)
        shown.press("w")
        shown.until("[n]othing?")
        shown.press("a")
        assert "your answer:\n     delivery" in shown.until(MENU)
        shown.press("q")
        shown.end()
    finally:
        shown.close()
    [found] = Project.open(project).ratings().corrections
    assert (found.answer, found.part) == ("delivery", "test")
    test = {row["id"]: row["input"] for row in Project.open(project).product("test").predictions()}
    assert test[found.id] == found.input


def test_two_reviewers_see_the_same_rows_with_sides_of_their_own(project: Path, command: Command) -> None:
    opened, names = Project.open(project), pair(project).split(",")
    ana, ben = (opened.rating(reviewer=name, candidates=names) for name in ("ana", "ben"))
    assert [case.id for case in ana.cases] == [case.id for case in ben.cases]
    assert all(set(case.shown) == set(names) for case in ana.cases)
    assert ana.alike + len(ana.cases) == opened.product("test").facts["rows"]
    sides = {case.shown for case in ana.cases} | {case.shown for case in ben.cases}
    assert len(sides) == 2
    for review in (ana, ben):
        while review.case is not None:
            review.choose("A" if review.case.shown[0] == "tuned" else "B")
    assert opened.rating(reviewer="ana", candidates=names).left == 0
    ended = command.run(project, "review", "--results", "--candidates", ",".join(names))
    assert f"tuned was better on {len(ana.cases)}" in ended.out
    assert "ana and ben: " in ended.out


def test_a_comment_on_a_row_that_is_not_rated_yet_is_there_the_next_time(project: Path) -> None:
    opened, names = Project.open(project), pair(project).split(",")
    review = opened.rating(reviewer="eve", candidates=names)
    review.comment("both are rude")
    again = opened.rating(reviewer="eve", candidates=names)
    assert again.left == len(again.cases)
    assert again.state.comment == "both are rude"


def test_what_cannot_be_reviewed_is_told(project: Path, command: Command) -> None:
    assert "not_a_terminal" in command.refuse(project, "review")
    opened = Project.open(project)
    for words, code in [
        ({"candidates": ("tuned", "nobody")}, "unknown_candidate"),
        ({"candidates": ("tuned", "tuned")}, "unknown_candidate"),
        ({"reviewer": " "}, "no_reviewer"),
    ]:
        with pytest.raises(InputError, match=code):
            opened.rating(**words)  # type: ignore[arg-type]
    assert not (project / "ratings.jsonl").exists()
