"""`tunesmith clean --review` in a real terminal: keys decide, decisions are durable at once, nothing is asked twice."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.recipes.bad_project import Command
from tests.recipes.small_project import environment
from tests.unit.stages.clean_project import filler
from tunesmith import Project
from tunesmith.decisions import Decision
from tunesmith.errors import Busy, InputError

SETTINGS = """\
version: 1
name: reviewed
goal: {input: text, output: label, labels: [refund, card lost, top_up]}
base: {model: all-minilm-l6-v2}
collect:
  - {path: rows.jsonl, input: text, output: label}
"""
MESS = [
    ("which one", "refund"),
    ("which one", "top_up"),
    ("Which  one", "card lost"),
    ("weather?", "sunny"),
    ("snow?", "white"),
    ("my card", "Card-Lost"),
    ("again", "refund"),
    ("again", "refund"),
    ("I am zq@example.com, where is my money", "refund"),
]
WAIT = 400  # seconds: a busy machine is no fault of the code


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("review") / "made"
    folder.mkdir()
    pairs = [(example.input, example.answer or "") for example in filler(number=14)] + MESS
    text = "".join(json.dumps({"text": given, "label": answer}) + "\n" for given, answer in pairs)
    (folder / "rows.jsonl").write_text(text, encoding="utf-8")
    (folder / "tunesmith.yaml").write_text(SETTINGS, encoding="utf-8")
    Project.open(folder).run(to="clean")
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "project"))


class Terminal:
    """The command in a terminal of 100 columns; ``said`` is all that it wrote, without colours."""

    def __init__(
        self, project: Path, cache: Path, *words: str, verb: tuple[str, ...] = ("clean", "--review"), **more: str
    ) -> None:
        self._screen, inner = pty.openpty()
        hidden = dict.fromkeys(("EDITOR", "VISUAL"), "")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tunesmith.cli", *verb, *words, "--project", str(project)],
            stdin=inner,
            stdout=inner,
            stderr=inner,
            env={**environment(cache), **hidden, "COLUMNS": "100", "TERM": "xterm", **more},
            start_new_session=True,
            preexec_fn=lambda: _take_terminal(0),
        )
        os.close(inner)
        self.said = ""

    def press(self, keys: str) -> None:
        os.write(self._screen, keys.encode())

    def until(self, words: str, times: int = 1) -> str:
        """Read until the words were written so often since the last call; returns what was written since."""
        start, end = len(self.said), time.monotonic() + WAIT
        while self.said.count(words, start) < times:
            assert time.monotonic() < end, f"{words!r} never came:\n{self.said[start:]}"
            if not self._read(1.0):
                assert self.process.poll() is None, f"it ended before {words!r}:\n{self.said[start:]}"
        return self.said[start:]

    def end(self) -> tuple[int, str]:
        start = len(self.said)
        while self._read(WAIT):
            pass
        return self.process.wait(WAIT), self.said[start:]

    def _read(self, seconds: float) -> bool:
        if not select.select([self._screen], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._screen, 65536)
        except OSError:  # the other side is closed
            return False
        self.said += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", data.decode("utf-8", "replace"))
        return bool(data)

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self._screen)


def _take_terminal(descriptor: int) -> None:
    import fcntl
    import termios

    fcntl.ioctl(descriptor, termios.TIOCSCTTY, 0)


@contextmanager
def reviewing(project: Path, cache: Path, *words: str, **more: str) -> Iterator[Terminal]:
    terminal = Terminal(project, cache, *words, **more)
    try:
        yield terminal
    finally:
        terminal.close()


MENU = "[q]uit"


def lines(project: Path) -> list[dict[str, str]]:
    path = project / "decisions.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def test_a_walk_through_all_cases(project: Path, bases_cache: Path) -> None:
    with reviewing(project, bases_cache) as terminal:
        shown = terminal.until(MENU)
        assert "set aside: conflict [conflict]" in shown
        assert "6 left, 1 of them for this reason" in shown
        assert [answer in shown for answer in ("refund", "top_up", "card lost")] == [True] * 3
        terminal.press("x2")  # x means nothing here
        shown = terminal.until(MENU)
        assert sorted(line["decision"] for line in lines(project)) == ["drop", "drop", "keep"]  # it is durable now
        with pytest.raises(Busy), Project.open(project).store.lock():
            pass
        assert "[off_goal]" in shown
        assert "weather?" in shown
        assert '"sunny" is not one of the 3 labels' in shown
        terminal.press("e")
        terminal.until("> sunny")
        terminal.press("\x15windy\r")
        assert "This answer cannot be kept" in terminal.until(MENU)
        terminal.press("e")
        terminal.until("> sunny")
        terminal.press("\x15top up\r")
        assert "snow?" in terminal.until(MENU)
        assert lines(project)[-1]["answer"] == "top_up"  # as it is kept
        terminal.press("k")
        assert "merged: duplicate" in terminal.until(MENU)
        terminal.press("b")
        assert "snow?" in terminal.until(MENU)
        assert lines(project)[-1]["decision"] == "none"
        terminal.press("d")
        terminal.until(MENU)
        terminal.press("s")
        shown = terminal.until(MENU)
        assert "before:" in shown or "[EMAIL_1]" in shown
        assert "zq@example" not in terminal.said
        terminal.press("ak")
        terminal.until(MENU)
        terminal.press("q")
        code, shown = terminal.end()
    assert code == 0
    assert "4 decided, 2 left." in shown
    assert [line["decision"] for line in lines(project)].count("edit") == 1
    assert lines(project)[-1] == {"rule": "label_spelling", "decision": "keep"}

    with reviewing(project, bases_cache) as terminal:  # it goes on where it was left
        assert "2 left, 1 of them for this reason" in terminal.until(MENU)
        terminal.press("k")
        terminal.until(MENU)
        terminal.press("k")
        assert "2 decided, 0 left." in terminal.end()[1]
    result = Project.open(project).run(to="clean")
    assert result.clean is not None
    answers = {example.input: example.answer for example in result.clean.examples()}
    assert (answers["which one"], answers["weather?"], answers["my card"]) == ("top_up", "top_up", "card lost")
    assert "snow?" not in answers
    assert sum(example.input == "again" for example in result.clean.examples()) == 2


def test_ctrl_c_and_a_kill_lose_nothing(project: Path, bases_cache: Path) -> None:
    with reviewing(project, bases_cache) as terminal:
        terminal.until(MENU)
        terminal.press("1")
        terminal.until(MENU)
        terminal.press("\x03")
        code, shown = terminal.end()
    assert code == 130
    assert "1 decided, 5 left." in shown
    assert len(lines(project)) == 3
    with reviewing(project, bases_cache) as terminal:
        terminal.until(MENU)
        terminal.press("d")
        terminal.until(MENU)
        terminal.process.kill()
        terminal.end()
    assert [line["decision"] for line in lines(project)[3:]] == ["drop"]
    with reviewing(project, bases_cache, "--again") as terminal:
        assert "6 left" in terminal.until(MENU)


def test_the_users_editor_is_given_the_answer(project: Path, bases_cache: Path, tmp_path: Path) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nprintf "refund\\n" > "$1"\n')
    editor.chmod(0o755)
    with reviewing(project, bases_cache, EDITOR=str(editor)) as terminal:
        terminal.until(MENU)
        terminal.press("s")
        assert "weather?" in terminal.until(MENU)
        terminal.press("e")
        terminal.until(MENU)
    assert [(line["decision"], line["answer"]) for line in lines(project)] == [("edit", "refund")]


def test_without_a_terminal_it_says_so(command: Command, project: Path) -> None:
    assert "not_a_terminal" in command.refuse(project, "clean", "--review")


def test_decisions_are_withdrawn_by_id_and_by_reason(project: Path) -> None:
    opened = Project.open(project)
    with opened.reviewing() as review:
        assert review.left == 6
        review.decide({id: Decision("keep", reason="conflict") for id in review.case.ids})  # type: ignore[union-attr]
        review.always("drop")
        assert review.left == 3
    with opened.reviewing() as review:
        assert review.left == 3
    assert opened.undo(["off_goal"]) == ([], ["off_goal"])
    first = next(iter(opened.decisions().rows))
    assert opened.undo([first]) == ([first], [])
    rows, _ = opened.undo(["conflict"])
    assert len(rows) == 2
    with opened.reviewing() as review:
        assert review.left == 6
    with pytest.raises(InputError, match="nothing_to_undo"):
        opened.undo(["conflict"])
