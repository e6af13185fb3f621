"""A test double for Project, and a way to run the command in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tunesmith.artifact import Artifact
from tunesmith.ask import Answer
from tunesmith.cli.main import main
from tunesmith.events import Event, Sink, ignore
from tunesmith.pipeline.run import RunResult
from tunesmith.pipeline.stale import StageStatus
from tunesmith.shown_batch import ShownBatch
from tunesmith.shown_rows import ShownRow


@dataclass
class FakeProject:
    """What the verbs call, with settable answers; ``calls`` records how it was called."""

    root: Path
    name: str = "support-desk"
    finished_forgetting: Path | None = None
    result: RunResult = field(default_factory=lambda: RunResult([], []))
    events: Sequence[Event] = ()
    products: dict[str, Any] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    rows: list[ShownRow] = field(default_factory=list)
    batch: ShownBatch = field(default_factory=lambda: ShownBatch(64, 900, 990, False, True, []))
    looks: list[Any] = field(default_factory=list)
    error: BaseException | None = None
    store: Any = field(default_factory=lambda: SimpleNamespace(latest=lambda stage: None))
    calls: list[tuple[str, Any]] = field(default_factory=list)

    def open(self, folder: Path | str | None = None) -> FakeProject:
        self.calls.append(("open", folder))
        return self

    def create(self, folder: Path, **keys: Any) -> FakeProject:
        self.calls.append(("create", keys))
        return self

    def run(
        self,
        *,
        to: str | None = None,
        overrides: Sequence[str] = (),
        from_scratch: bool = False,
        on_event: Sink = ignore,
    ) -> RunResult:
        self.calls.append(("run", {"to": to, "overrides": list(overrides), "from_scratch": from_scratch}))
        for event in self.events:
            on_event(event)
        if self.error is not None:
            raise self.error
        return self.result

    def add(self, paths: Sequence[str], **keys: Any) -> list[Any]:
        self.calls.append(("add", (list(paths), keys)))
        return self.looks

    def status(self) -> list[StageStatus]:
        artifact = Artifact("1", "collect", self.root, {}, {"rows": 312, "set_aside": 2})
        return [
            StageStatus("collect", "made", "up to date", artifact),
            StageStatus("clean", "stale", "tickets.csv changed", artifact),
            StageStatus("train", "missing", "not made yet", None),
        ]

    def product(self, stage: str) -> Any:
        return self.products[stage]

    def ask(self, text: str) -> list[Answer]:
        self.calls.append(("ask", text))
        return self.answers

    def use(self, arm: str) -> str:
        self.calls.append(("use", arm))
        return f"the base with {arm}"

    def undo(self, words: Sequence[str]) -> tuple[list[str], list[str]]:
        self.calls.append(("undo", list(words)))
        return ["a1"], ["conflict"]

    def restore(self, ids: Sequence[str]) -> list[str]:
        self.calls.append(("restore", list(ids)))
        return list(ids)

    def show_rows(self, count: int) -> list[ShownRow]:
        self.calls.append(("show_rows", count))
        return self.rows[:count]

    def show_batch(self, overrides: Sequence[str] = ()) -> ShownBatch:
        self.calls.append(("show_batch", list(overrides)))
        return self.batch

    def refetch_base(self) -> None:
        self.calls.append(("refetch_base", None))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeProject:
    """The project that every verb opens."""
    for name in ("COLUMNS", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    fake = FakeProject(tmp_path)
    monkeypatch.setattr("tunesmith.project.Project", fake)
    return fake


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Run one command as a user in a pipe would."""

    def run(*words: str) -> Ended:
        code = main(list(words))
        out, err = capfd.readouterr()
        return Ended(code, out, err)

    return run
