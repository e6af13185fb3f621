"""`tunesmith improve --label`: one row of the pool at a time; one key is its label, and is durable at once."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunesmith.accept import read_labels, take_labels, wanted_files
from tunesmith.artifact import write_text
from tunesmith.cli.keys import Keys, keys_at_once, require_terminal
from tunesmith.errors import InputError

if TYPE_CHECKING:
    from tunesmith.cli.screen import Screen
    from tunesmith.project import Project

#: A label's key: digits first, then letters that no command has.
KEYS = "123456789acdefghijklmnoprtuvwxyz"


def label(project: Project, screen: Screen) -> int:
    """Ask for the labels that are not filled in yet. Returns the exit code."""
    require_terminal("--label", ", or fill in the answers in the file")
    labels = project.settings.goal.labels or list(project.product("goal").labels)
    if not labels or len(labels) > len(KEYS):
        raise InputError(
            "too_many_to_press",
            f"{len(labels)} labels cannot each have a key" if labels else "these answers are no labels",
            "--label",
            f"fill in the answers in improve/to-label-N.jsonl; up to {len(KEYS)} labels have keys",
        )
    files = wanted_files(project)
    open_before = sum(not line["answer"] for path in files for line in read_labels(path))
    if not open_before:
        screen.say(f"No row is left to label; `{screen.command('improve --accept label')}` takes rows of the pool.")
        return 0
    with keys_at_once(sys.stdin.fileno()) as keys:
        for path in files:
            if not _walk(screen, keys, path, labels):
                break
    take_labels(project)
    left = sum(not line["answer"] for path in files for line in read_labels(path))
    screen.say()
    run = screen.command("run")
    screen.say(f"{open_before - left:,} labelled, {left:,} left. {run} learns those that have a label.")
    return 0


def _walk(screen: Screen, keys: Keys, path: Path, labels: list[str]) -> bool:
    """Label the rows of one file; False when the user has seen enough."""
    lines = read_labels(path)
    waiting = [at for at, line in enumerate(lines) if not line["answer"]]
    done: list[int] = []
    legend = "   ".join(f"[{key}] {name}" for key, name in zip(KEYS, labels, strict=False))
    number = 0
    while number < len(waiting):
        at = waiting[number]
        screen.say()
        screen.say(f"{len(waiting) - number:,} left", "dim")
        screen.indented(str(lines[at]["input"]), 2)
        screen.say(f"{legend}   [s]kip   [b]ack   [q]uit", "dim")
        known = {*KEYS[: len(labels)], "s", "b", "q"}
        while (key := keys.read()) not in known:
            pass  # a key that means nothing here
        if key == "q":
            return False
        if key == "b":
            number = max(0, number - 1)
            if done and done[-1] == waiting[number]:
                lines[done.pop()]["answer"] = ""
                _save(path, lines)
            continue
        if key != "s":
            lines[at]["answer"] = labels[KEYS.index(key)]
            done.append(at)
            _save(path, lines)
        number += 1
    return True


def _save(path: Path, lines: list[dict[str, Any]]) -> None:
    write_text(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
