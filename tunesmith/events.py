"""Event and its sinks: one stream that the command line, the studio and the server render.

A long run emits typed events; ``events.jsonl`` keeps them. Nothing in the library prints.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from os import SEEK_END
from pathlib import Path
from typing import Any, BinaryIO, Literal

Kind = Literal[
    "run_started",
    "stage_started",
    "stage_skipped",
    "progress",
    "metric",
    "note",
    "warning",
    "stage_finished",
    "stage_failed",
    "run_finished",
]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. ``at`` is seconds since the epoch.

    ``progress`` carries ``done``, ``total`` (or None), ``unit`` and ``seconds_left`` (or None);
    ``metric`` carries named numbers and ``step``; ``note`` and ``warning`` carry ``text``.
    """

    kind: Kind
    stage: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    at: float = field(default_factory=time.time)


Sink = Callable[[Event], None]


class JsonLines:
    """A sink that appends each event to a file. The file is made at the first event.

    A line that a kill or a full disk cut off is ended first, so that it spoils no other.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, event: Event) -> None:
        line = json.dumps(asdict(event), ensure_ascii=True, separators=(",", ":"), default=str) + "\n"
        with self.path.open("ab+") as file:
            file.write(("\n" + line if _ends_amid_a_line(file) else line).encode())


def _ends_amid_a_line(file: BinaryIO) -> bool:
    if file.seek(0, SEEK_END) == 0:
        return False
    file.seek(-1, SEEK_END)
    return file.read(1) != b"\n"


def fan_out(*sinks: Sink) -> Sink:
    """One sink that hands each event to all."""

    def send(event: Event) -> None:
        for sink in sinks:
            sink(event)

    return send


def ignore(event: Event) -> None:
    """A sink for callers that do not listen."""


class Pace:
    """Estimate the time left from the work done so far, and say when a new progress event is due."""

    def __init__(self, total: int | None, interval: float = 0.5) -> None:
        self.total = total
        self.interval = interval
        self.started = time.monotonic()
        self._last = 0.0

    def due(self) -> bool:
        now = time.monotonic()
        if now - self._last < self.interval:
            return False
        self._last = now
        return True

    def seconds_left(self, done: int) -> float | None:
        if not self.total or done <= 0:
            return None
        return (time.monotonic() - self.started) / done * max(0, self.total - done)


def duration(seconds: float) -> str:
    """A time of any length: 3 ms, 0.4 s, 12 s, 3 min 20 s, 1 h 05 min."""
    if 0 < seconds < 0.0995:
        return f"{1000 * seconds:.1g} ms" if seconds < 0.00095 else f"{1000 * seconds:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
