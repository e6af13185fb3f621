"""What a stage is given besides its inputs and settings.

A stage is a module ``stages/<word>/run.py`` with ``VERSION`` (raised when its output changes for
the same input) and ``run(inputs, settings, context) -> counts``. ``inputs`` maps a stage's word to
its product. It writes only inside ``context.folder``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tunesmith.decisions import Decisions
from tunesmith.errors import Cancelled
from tunesmith.events import Event, Kind, Sink, ignore
from tunesmith.training.ranks import ALONE, Ranks


@dataclass(frozen=True)
class Context:
    """``project`` holds tunesmith.yaml; ``folder`` is the stage's own new directory.

    ``cache`` is shared between projects (fetched bases). ``decisions`` are the user's, on rows and
    by reason. ``stopping`` says whether the user asked to stop. ``ranks`` are the processes that
    train together: but for its share of the training, the first of them does a stage's work.
    """

    stage: str
    project: Path
    folder: Path
    cache: Path
    seed: int = 0
    sink: Sink = ignore
    decisions: Decisions = field(default_factory=Decisions)
    stopping: Callable[[], bool] = lambda: False
    facts: Mapping[str, Any] = field(default_factory=dict)
    ranks: Ranks = ALONE

    def emit(self, kind: Kind, **data: Any) -> None:
        """Send one event of this stage."""
        self.sink(Event(kind, self.stage, data))

    def progress(self, done: int, total: int | None, unit: str, seconds_left: float | None = None) -> None:
        """Tell how far the stage is, and stop here when the user asked for it."""
        self.emit("progress", done=done, total=total, unit=unit, seconds_left=seconds_left)
        self.check()

    def note(self, text: str) -> None:
        self.emit("note", text=text)

    def warn(self, text: str) -> None:
        self.emit("warning", text=text)

    def check(self) -> None:
        """Raise Cancelled when the user asked to stop."""
        if self.stopping():
            raise Cancelled()
