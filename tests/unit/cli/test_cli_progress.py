"""The event stream on a screen: plain lines in a pipe, a live line in a terminal."""

from __future__ import annotations

import io
import re

import pytest

from tunesmith.cli.progress import LiveDisplay, PlainLines, progress
from tunesmith.cli.screen import Screen
from tunesmith.events import Event, Kind


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")


def event(kind: Kind, stage: str = "train", **data: object) -> Event:
    return Event(kind, stage, dict(data))


def a_run() -> list[Event]:
    """Two stages: one up to date, one made."""
    return [
        event("run_started", ""),
        event("stage_skipped", "collect", why="up to date"),
        event("stage_started"),
        event("note", text="40 steps of 8 rows"),
        event("metric", step=0, validation_loss=2.5, validation_accuracy=0.25),
        event("metric", step=1, train_loss=2.25, tokens=500, computed_tokens=200, seconds=1.0),
        event(
            "metric",
            step=2,
            train_loss=2.125,
            train_accuracy=0.706,
            tokens=600,
            computed_tokens=200,
            seconds=1.5,
            memory_bytes=2_060_000_000,
            peak_memory_bytes=2_400_000_000,
            gradient_norm=0.8312,
            learning_rate=0.00052,
        ),
        event("progress", done=20, total=40, unit="steps", seconds_left=75.2),
        event("warning", text="a damaged checkpoint"),
        event("stage_finished", counts={"rows": 240, "steps": 40, "verdict": "learned"}, seconds=100.0),
        event("run_finished", ""),
    ]


def in_a_pipe(events: list[Event], clock: Clock | None = None) -> list[str]:
    file = io.StringIO()
    lines = PlainLines(Screen(file=file), clock or Clock())
    for one in events:
        lines.show(one)
    return file.getvalue().splitlines()


def test_a_pipe_gets_one_line_for_each_thing_that_happened() -> None:
    lines = in_a_pipe(a_run())
    assert [line.split(maxsplit=2)[-1] if "✓" in line else line.strip() for line in lines] == [
        "up to date",
        "train    started",
        "train    40 steps of 8 rows",
        "train    step 0: validation loss 2.500, accuracy 0.250",
        "train    warning: a damaged checkpoint",
        "240 rows, 40 steps, verdict learned (1 min 40 s)",
    ]


def test_a_pipe_gets_no_colour_codes() -> None:
    assert "\x1b" not in "".join(in_a_pipe(a_run()))


def test_progress_in_a_pipe_comes_at_most_every_five_seconds_and_every_tenth() -> None:
    clock = Clock()
    file = io.StringIO()
    lines = PlainLines(Screen(file=file), clock)
    lines.show(event("stage_started"))
    for step in range(1, 1001):
        clock.now = step * 0.2  # 200 seconds in all
        lines.show(event("progress", done=step, total=1000, unit="steps", seconds_left=200 - clock.now))
    told = [line for line in file.getvalue().splitlines() if " of " in line]
    assert len(told) == 10
    assert told[0].strip() == "train    100 of 1,000 steps (10%), 3 min 00 s left"


def test_fast_progress_in_a_pipe_is_left_out() -> None:
    clock = Clock()
    begun = [event("stage_started")]
    assert len(in_a_pipe(begun + [event("progress", done=n, total=9, unit="rows") for n in range(9)], clock)) == 1


def test_slow_progress_in_a_pipe_is_told_after_half_a_minute() -> None:
    clock = Clock()
    file = io.StringIO()
    lines = PlainLines(Screen(file=file), clock)
    lines.show(event("stage_started", "collect"))
    clock.now = 29.0
    lines.show(event("progress", "collect", done=5_000_000, total=None, unit="rows"))
    clock.now = 30.0
    lines.show(event("progress", "collect", done=6_000_000, total=None, unit="rows"))
    assert file.getvalue().splitlines()[1:] == ["  collect  6,000,000 rows"]


def test_progress_in_a_pipe_carries_loss_accuracy_speed_and_time_left() -> None:
    clock = Clock()
    file = io.StringIO()
    lines = PlainLines(Screen(file=file), clock)
    for one in a_run()[:7]:
        lines.show(one)
    clock.now = 6.0
    lines.show(a_run()[7])
    last = file.getvalue().splitlines()[-1].strip()
    figures = "loss 2.125, accuracy 71%, 1,200 tokens/s (400 computed)"
    assert last == f"train    20 of 40 steps (50%), {figures}, 1 min 15 s left"


def test_stages_that_are_up_to_date_are_not_told_when_nothing_is_made() -> None:
    assert in_a_pipe([event("run_started", ""), event("stage_skipped", "collect"), event("run_finished", "")]) == []


def test_a_failed_stage_is_told() -> None:
    assert "the disk is full" in in_a_pipe([event("stage_started"), event("stage_failed", what="the disk is full")])[-1]


def test_a_stage_that_was_stopped_is_not_told_as_failed() -> None:
    stopped = event("stage_failed", code="cancelled", what="stopped by you")
    assert in_a_pipe([event("stage_started"), stopped]) == ["  train    started"]


def test_a_note_cannot_paint_the_terminal() -> None:
    lines = in_a_pipe([event("note", text="label \x1b[2J[red]")])
    assert lines == ["  train    label ␛[2J[red]"]


def live(events: list[Event], columns: int, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", str(columns))
    file = Terminal()
    with progress(Screen(file=file)) as sink:
        for one in events:
            sink(one)
    return file.getvalue()


@pytest.mark.parametrize("columns", [20, 40, 60, 100, 300])
def test_a_terminal_of_any_width_gets_the_finished_stages(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = live(a_run(), columns, monkeypatch)
    assert "✓ train" in shown
    assert "\x1b[?25h" in shown  # the cursor is back


def painted(columns: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines that a terminal shows while a stage is at work."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    screen = Screen(file=Terminal())
    display = LiveDisplay(screen)
    for one in a_run()[:8]:
        display.show(one)
    display.close()
    with screen.console.capture() as captured:
        screen.console.print(display.painted())
    return [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in captured.get().splitlines()]


def test_the_live_lines_show_how_far_training_is_and_what_it_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    how_far, figures = painted(100, monkeypatch)
    assert how_far.split()[1] == "train"
    assert how_far.endswith(" 20 of 40 steps 1 min 15 s left")
    assert figures == (
        "  loss 2.125, validation 2.500, accuracy 71%, 1,200 tokens/s (400 computed), 2.1 GB (peak 2.4 GB)"
    )
    assert painted(140, monkeypatch)[1] == f"{figures}, gradient 0.83, learning rate 0.00052"


@pytest.mark.parametrize("columns", [30, 50, 70, 100])
def test_figures_that_do_not_fit_are_left_out_whole(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = painted(columns, monkeypatch)[1]
    assert len(figures) <= columns
    assert figures.startswith("  loss 2.125")
    whole = painted(300, monkeypatch)[1].strip().split(", ")
    # "1,200 tokens/s" holds a comma of its own, without a space behind it
    assert set(figures.strip().split(", ")) <= set(whole)


def test_nothing_is_called_computed_where_rows_share_nothing() -> None:
    events = [event("stage_started"), *(event("metric", tokens=9, computed_tokens=9, seconds=n) for n in (1.0, 2.0))]
    clock = Clock()
    file = io.StringIO()
    lines = PlainLines(Screen(file=file), clock)
    for one in events:
        lines.show(one)
    clock.now = 6.0
    lines.show(event("progress", done=2, total=4, unit="steps"))
    assert file.getvalue().splitlines()[-1].strip() == "train    2 of 4 steps (50%), 9 tokens/s"


def test_the_display_is_taken_down_when_the_run_fails() -> None:
    file = Terminal()

    def fail() -> None:
        with progress(Screen(file=file)) as sink:
            sink(event("stage_started"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    hidden, shown = file.getvalue().rfind("\x1b[?25l"), file.getvalue().rfind("\x1b[?25h")
    assert 0 <= hidden < shown


def test_a_dumb_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    shown = live(a_run(), 80, monkeypatch)
    assert "\x1b" not in shown
    assert "train    started" in shown


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    shown = live(a_run(), 80, monkeypatch)
    assert "✓ train" in shown
    assert "\x1b[3" not in shown
    assert "\x1b[9" not in shown


def test_a_reader_that_goes_away_does_not_stop_the_run() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    seen = []
    with progress(Screen(file=Gone())) as sink:
        for one in a_run():
            sink(one)
            seen.append(one)
    assert len(seen) == len(a_run())
