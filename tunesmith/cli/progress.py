"""Render the event stream of a run: live in a terminal, plain lines in a pipe."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from tunesmith.cli.words import counts_in_words, done_of
from tunesmith.events import Event, Sink, duration

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress, TaskID

    from tunesmith.cli.screen import Screen

QUIET_SECONDS = 5.0  # at least this long between two progress lines in a pipe
LONGEST_SILENCE = 30.0  # after so many seconds a line comes however little was done
TENTHS = 10  # before that, only when another tenth is done
INDENT = "  "
PIPE_FIGURES = 60  # characters of figures in a progress line of a pipe


@contextmanager
def progress(screen: Screen) -> Iterator[Sink]:
    """Give a sink that shows a run's events on the screen while the block runs.

    A reader that goes away (`tunesmith run | head`) does not stop the run.
    """
    display: Display = LiveDisplay(screen) if screen.live else PlainLines(screen)

    def send(event: Event) -> None:
        try:
            display.show(event)
        except BrokenPipeError:
            pass

    try:
        yield send
    finally:
        display.close()


class Display(Protocol):
    """What renders events."""

    def show(self, event: Event) -> None: ...

    def close(self) -> None: ...


class Speed:
    """Tokens a second since a training began, from metrics that carry ``tokens`` and running ``seconds``.

    ``computed`` is the rate of the tokens that were computed: fewer, where rows share some. A stage may
    train twice (`train.refit`); its seconds then begin again.
    """

    def __init__(self) -> None:
        self._tokens = self._computed = 0.0
        self._first: float | None = None
        self._last = 0.0
        self.rate: float | None = None
        self.computed: float | None = None

    def add(self, data: Mapping[str, Any]) -> None:
        if "tokens" not in data or "seconds" not in data:
            return
        again = self._first is not None and data["seconds"] < self._last
        self._last = data["seconds"]
        if self._first is None or again:
            self._first, self._tokens, self._computed = data["seconds"], 0.0, 0.0
            return
        self._tokens += data["tokens"]
        self._computed += data.get("computed_tokens", data["tokens"])
        elapsed = data["seconds"] - self._first
        if elapsed > 0:
            self.rate, self.computed = self._tokens / elapsed, self._computed / elapsed

    def words(self) -> str:
        """2,310 tokens/s (770 computed)"""
        if self.rate is None or self.computed is None:
            return ""
        real, computed = f"{self.rate:,.0f}", f"{self.computed:,.0f}"
        return f"{real} tokens/s" + (f" ({computed} computed)" if computed != real else "")


class Stage:
    """What is known of the stage at work."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.done = 0.0
        self.total: float | None = None
        self.unit = ""
        self.seconds_left: float | None = None
        self.metrics: dict[str, Any] = {}
        self.speed = Speed()

    def hear(self, event: Event) -> None:
        """Take in a progress or a metric event."""
        data = event.data
        if event.kind == "progress":
            self.done, self.total, self.unit = data.get("done", 0), data.get("total"), data.get("unit", "")
            self.seconds_left = data.get("seconds_left")
        elif event.kind == "metric":
            self.metrics |= {name: value for name, value in data.items() if value is not None}
            self.speed.add(data)

    def figures(self, room: int, *, validation: bool = True) -> str:
        """What is measured, in at most ``room`` characters; what matters most comes first."""
        told = ""
        for words in self._figures(validation):
            longer = f"{told}, {words}" if told else words
            if len(longer) <= room:
                told = longer
        return told

    def _figures(self, validation: bool) -> Iterator[str]:
        known = self.metrics
        if "train_loss" in known:
            yield f"loss {known['train_loss']:.3f}"
        if "validation_loss" in known and validation:
            yield f"validation {known['validation_loss']:.3f}"
        if "train_accuracy" in known:
            yield f"accuracy {known['train_accuracy']:.0%}"
        if speed := self.speed.words():
            yield speed
        if "memory_bytes" in known:
            yield f"{known['memory_bytes'] / 1e9:.1f} GB (peak {known['peak_memory_bytes'] / 1e9:.1f} GB)"
        if "gradient_norm" in known:
            yield f"gradient {known['gradient_norm']:.2g}"
        if "learning_rate" in known:
            yield f"learning rate {known['learning_rate']:.2g}"


class Narration:
    """What both displays tell in lines: notes, warnings, and how each stage ended.

    Stages that were up to date are told only when another is made, so that a run with nothing to do says just that.
    """

    def __init__(self, screen: Screen, print_line: Callable[[str, str], None]) -> None:
        self.screen = screen
        self._print = print_line
        self._skipped: list[str] = []

    def tell(self, event: Event) -> None:
        """Write the line of an event that ends or annotates a stage; others have none."""
        data, name = event.data, event.stage
        if event.kind == "stage_skipped":
            self._skipped.append(f"{self.screen.sign(True)} {name:8} {data.get('why', 'up to date')}")
            return
        if event.kind == "stage_started":
            for line in self._skipped:
                self._print(line, "dim")
            self._skipped.clear()
        elif event.kind == "stage_finished":
            counts = counts_in_words(data.get("counts", {}))
            took = duration(data.get("seconds", 0.0))
            self._print(f"{self.screen.sign(True)} {name:8} {counts or 'done'} ({took})", "")
        elif event.kind == "stage_failed" and data.get("code") != "cancelled":  # a stop is no failure
            self._print(f"{self.screen.sign(False)} {name:8} {data.get('what', 'failed')}", "red")
        elif event.kind == "note":
            self._print(f"  {name:8} {data.get('text', '')}", "dim")
        elif event.kind == "warning":
            self._print(f"  {name:8} warning: {data.get('text', '')}", "yellow")


class PlainLines:
    """For a pipe or a file: one line for what begins and ends, progress now and then."""

    def __init__(self, screen: Screen, clock: Callable[[], float] = time.monotonic) -> None:
        self.screen = screen
        self.clock = clock
        self.narration = Narration(screen, lambda text, style: screen.say(text, style))
        self.stage = Stage("")
        self._told_at = 0.0
        self._told_tenth = 0

    def show(self, event: Event) -> None:
        self.narration.tell(event)
        if event.kind == "stage_started":
            self.screen.say(f"  {event.stage:8} started")
            self.stage = Stage(event.stage)
            self._told_at, self._told_tenth = self.clock(), 0
        self.stage.hear(event)
        if event.kind == "progress" and self._due():
            self._tell_progress()
        elif event.kind == "metric" and "validation_loss" in event.data:
            self._tell_validation(event.data)

    def _due(self) -> bool:
        waited = self.clock() - self._told_at
        return waited >= LONGEST_SILENCE or (waited >= QUIET_SECONDS and self._tenth() > self._told_tenth)

    def _tenth(self) -> int:
        return int(TENTHS * self.stage.done / self.stage.total) if self.stage.total else 0

    def _tell_progress(self) -> None:
        stage = self.stage
        words = [done_of(stage.done, stage.total, stage.unit)]
        if stage.total:
            words[0] += f" ({stage.done / stage.total:.0%})"
        if figures := stage.figures(PIPE_FIGURES, validation=False):  # a validation has a line of its own
            words.append(figures)
        if stage.seconds_left is not None:
            words.append(f"{duration(stage.seconds_left)} left")
        self.screen.say(f"  {stage.name:8} {', '.join(words)}")
        self._told_at, self._told_tenth = self.clock(), self._tenth()

    def _tell_validation(self, data: Mapping[str, Any]) -> None:
        accuracy = f", accuracy {data['validation_accuracy']:.3f}" if "validation_accuracy" in data else ""
        step = data.get("step", 0)
        self.screen.say(f"  {self.stage.name:8} step {step}: validation loss {data['validation_loss']:.3f}{accuracy}")

    def close(self) -> None:
        """Nothing is left to be taken down."""


class LiveDisplay:
    """For a terminal: two lines that are painted over for the stage at work, ticked lines above them.

    The first says how far it is, the second what it measures.
    """

    def __init__(self, screen: Screen) -> None:
        from rich.live import Live

        self.screen = screen
        self.bar = _bar(screen)
        self.figures = ""
        self.live = Live(
            console=screen.console,
            get_renderable=self.painted,
            transient=True,
            refresh_per_second=4,
            vertical_overflow="crop",
        )
        self.narration = Narration(screen, lambda text, style: screen.say(text, style, wrap=True))
        self.stage = Stage("")
        self.task: TaskID | None = None
        self.live.start()

    def painted(self) -> RenderableType:
        """The lines as they stand now."""
        from rich.console import Group
        from rich.text import Text

        figures = [Text(f"{INDENT}{self.figures}", "dim", no_wrap=True)] if self.figures else []
        return Group(self.bar.make_tasks_table(self.bar.tasks), *figures)

    def show(self, event: Event) -> None:
        if event.kind in ("stage_finished", "stage_failed") and self.task is not None:
            self.bar.remove_task(self.task)
            self.task, self.figures = None, ""
        self.narration.tell(event)
        if event.kind == "stage_started":
            self.stage = Stage(event.stage)
            self.task = self.bar.add_task(event.stage, total=None, amount="", left="")
        self.stage.hear(event)
        if self.task is not None and event.kind in ("progress", "metric"):
            self._update(self.task)

    def _update(self, task: TaskID) -> None:
        stage = self.stage
        left = f"{duration(stage.seconds_left)} left" if stage.seconds_left is not None else ""
        self.bar.update(
            task,
            completed=stage.done,
            total=stage.total,
            amount=done_of(stage.done, stage.total, stage.unit) if stage.unit else "",
            left=left,
        )
        self.figures = stage.figures(self.screen.console.width - len(INDENT))

    def close(self) -> None:
        self.live.stop()


def _bar(screen: Screen) -> Progress:
    """How far the stage at work is, without a bar where the terminal is narrow."""
    from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn

    columns: list[ProgressColumn] = [SpinnerColumn(), TextColumn("{task.description}", style="bold", markup=False)]
    if screen.console.width >= 70:
        columns.append(BarColumn(bar_width=20))
    columns += [TextColumn(f"{{task.fields[{name}]}}", markup=False) for name in ("amount", "left")]
    return Progress(*columns, console=screen.console)
