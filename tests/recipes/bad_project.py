"""Projects with something wrong, and the command run on them as a user runs it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.recipes.small_project import environment
from tests.recipes.wholeness import artifacts_of
from tunesmith.pipeline.order import MAKING

WORDS = {
    "billing": ("refund", "invoice", "charge", "card", "payment"),
    "delivery": ("parcel", "courier", "late box", "tracking", "address"),
}
OPENINGS = ("where is my", "problem about the", "please change", "question on")
#: 40 rows, two labels, none nearly equal to another.
ROWS = [(f"{opening} {word}", label) for label, words in WORDS.items() for opening in OPENINGS for word in words]
PLAIN = """\
version: 1
name: tickets
goal:
  input: text
  output: label
base:
  model: all-minilm-l6-v2
collect:
  - path: tickets.csv
"""


def csv_text(rows: Sequence[tuple[str, ...]] = ROWS, header: str = "text,label") -> str:
    return "".join(",".join(cells) + "\n" for cells in [(header,), *rows])


def write_files(folder: Path, settings: str | bytes = PLAIN, files: Mapping[str, str | bytes] | None = None) -> Path:
    """Write a project: its tunesmith.yaml, and ``files`` (without them a sound tickets.csv)."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in {"tunesmith.yaml": settings, **(files or {"tickets.csv": csv_text()})}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def snapshot(folder: Path) -> dict[str, bytes | str]:
    """Every name below a folder, and what it holds."""
    found: dict[str, bytes | str] = {}
    for path in sorted(folder.rglob("*")):
        kind = "folder" if path.is_dir() else str(path.readlink()) if path.is_symlink() else "special"
        found[str(path.relative_to(folder))] = path.read_bytes() if path.is_file() else kind
    return found


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err


class Command:
    """`tunesmith` in a process of its own, with the tests' bases and without the hub."""

    def __init__(self, cache: Path) -> None:
        self.environment = {**environment(cache), "TUNESMITH_OFFLINE": "1", "PYTHONIOENCODING": "utf-8"}

    def words(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "tunesmith.cli", *words]

    def run(self, folder: Path, *words: str, **more: str) -> Ended:
        """Run a command in a folder; ``more`` is added to the environment."""
        done = subprocess.run(
            self.words(*words),
            cwd=folder,
            env={**self.environment, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=120,
        )
        ended = Ended(done.returncode, done.stdout.decode(), done.stderr.decode())
        assert "Traceback" not in ended.said, ended.said
        assert "a bug in Tunesmith" not in ended.said, ended.said
        assert "\x1b" not in ended.said, "a control character reached the terminal"
        return ended

    def refuse(self, folder: Path, *words: str, **more: str) -> str:
        """A command that must end with code 2 and a told fault, and write nothing. Returns what it told."""
        before = snapshot(folder)
        ended = self.run(folder, *words, **more)
        assert ended.code == 2, ended.said
        assert re.search(r" \[[a-z_0-9]+\]\n +fix: \S", ended.err), ended.err
        assert snapshot(folder) == before
        return ended.err

    def refuse_late(self, folder: Path, *words: str, made: Sequence[str] | None = None, **more: str) -> str:
        """The same of a fault that shows later: the finished stages are whole, and nothing else is left.

        ``made`` are these stages; without it any that come first may be.
        """
        before = own_files(folder)
        ended = self.run(folder, *words, **more)
        assert ended.code == 2, ended.said
        assert re.search(r" \[[a-z_0-9]+\]\n +fix: \S", ended.err), ended.err
        found = {artifact.kind for artifact in artifacts_of(folder)}
        assert found == (set(MAKING[: len(found)]) if made is None else set(made)), ended.said
        assert_nothing_half_made(folder)
        assert own_files(folder) == before
        return ended.err


def own_files(folder: Path) -> dict[str, bytes | str]:
    """What the user gave, but for the file into which labels are written back."""
    own = snapshot(folder).items()
    return {name: held for name, held in own if not name.startswith((".tunesmith", "tunesmith."))}


def assert_nothing_half_made(folder: Path) -> None:
    """No work is left over, and no file of a write that was cut off."""
    assert list((folder / ".tunesmith" / "work").glob("*")) == []
    assert [path.name for path in folder.rglob("*.tmp")] == []
