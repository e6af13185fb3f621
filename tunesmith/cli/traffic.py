"""Traffic and drift as tables of a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tunesmith.cli.screen import Screen, brief, safe
from tunesmith.deployment.drift import LARGE, STEP, Drift
from tunesmith.deployment.log_settings import DriftSettings
from tunesmith.deployment.watch import Line, Times, Watch

#: Lines of a table; more versions or keys are counted.
MOST = 12


def tables(name: str, watch: Watch, drifts: Sequence[Drift], hours: float) -> RenderableType:
    """All of it, one table below the other."""
    parts: list[RenderableType] = [_head(name, watch, hours)]
    if watch.all.requests:
        parts += [_gap(), _counts("version", watch.versions, watch), _gap(), _times(watch)]
        parts += [_gap(), _counts("key", watch.keys, watch)]
    if watch.errors:
        rows = [[_status(one), f"{one['requests']:,}", _clock(one["latest"])] for one in watch.errors[:MOST]]
        parts += [_gap(), _table(["error", "requests", "latest"], rows, (1,))]
    if watch.rules:
        rows = [[one["rule"], one["did"], one["place"], f"{one['times']:,}"] for one in watch.rules[:MOST]]
        parts += [_gap(), _table(["rule", "did", "the model", "times"], rows, (3,))]
    return Group(*parts, *_alarms(drifts))


def _head(name: str, watch: Watch, hours: float) -> Text:
    count = watch.all.requests
    span = f"{hours:g} h" if hours < 48 else f"{hours / 24:g} days"
    told = f"{name}, the last {span}: {count:,} request{'s' * (count != 1)}"
    if watch.shadow:
        told += f", and {watch.shadow:,} in the shadow"
    if watch.every > 1:
        told += f" (times are those of every {watch.every}th)"
    return Text(safe(told), "bold")


def _counts(what: str, lines: Sequence[Line], watch: Watch) -> Table:
    headers = [what, "requests", "errors", "handed off", "refused", "tokens in", "tokens out", "busy"]
    if watch.priced_by:
        headers += ["cost", "per 1,000"]
    rows = []
    for line in [*lines[:MOST], *([watch.all] if len(lines) > 1 else [])]:
        counts = (line.requests, line.errors, line.handed_off, line.refused, line.tokens_in, line.tokens_out)
        row = [line.name or "(no model)", *(f"{count:,}" for count in counts), _seconds(line.seconds)]
        if line.cost is not None and line.per_thousand is not None:
            row += [f"{line.cost:,.4f}", f"{line.per_thousand:,.4f}"]
        rows.append(row)
    return _table(headers, rows, tuple(range(1, len(headers))))


def _times(watch: Watch) -> Table:
    headers = ["median / p95 / p99", "first token", "between tokens", "whole answer"]
    lines = [line for line in watch.versions[:MOST] if line.name and line.total]
    rows = [
        [line.name, *(_quantiles(times) for times in (line.first_token, line.between, line.total))] for line in lines
    ]
    return _table(headers, rows, (1, 2, 3))


def _quantiles(times: Times) -> str:
    return " / ".join(_seconds(value) for value in times.values()) if times else "–"


def _seconds(value: float) -> str:
    if value < 1:
        return f"{1000 * value:.{0 if value >= 0.1 else 1}f} ms"
    return f"{value:.2f} s" if value < 60 else f"{value / 60:.1f} min" if value < 3600 else f"{value / 3600:.1f} h"


def _status(one: Any) -> str:
    return f"{one['status']} {one['code']}".rstrip()


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M:%S")


def _alarms(drifts: Sequence[Drift]) -> list[RenderableType]:
    """One line for each alarm, or one that says that there is none; of the version that answered last."""
    if not drifts:
        return []
    latest = drifts[0]
    if latest.alarms:
        return [_gap(), *(Text(safe(_alarm(latest.version, one)), "red") for one in latest.alarms)]
    if not latest.found:
        why = latest.why or "there are too few answered requests or training rows to compare"
        return [_gap(), Text(safe(f"Drift of {latest.version}: not known; {why}."), "dim")]
    what = f"Drift of {latest.version}: none shown in its last {latest.requests:,} answered requests."
    return [_gap(), Text(safe(what), "dim")]


def _alarm(version: str, one: Any) -> str:
    return (
        f"DRIFT of {version}: {one.name} was {one.usual}, now {one.now} (index {one.index:.2f}, p {_p(one.p)}); "
        "`tunesmith monitor --drift` shows the rows"
    )


def show_drift(drifts: Sequence[Drift], settings: DriftSettings, screen: Screen) -> None:
    """Each version's last look, and the rows behind its alarms."""
    if not drifts:
        screen.say("No model has answered a request yet.")
    for number, drift in enumerate(drifts):
        if number:
            screen.say()
        when = f", until {_clock(drift.until)}" if drift.until else ""
        screen.heading(f"{drift.version}: its last {drift.requests:,} answered requests{when}")
        if not drift.found:
            screen.say(drift.why or f"Fewer than {STEP} of them can be compared with the training.")
            continue
        rows = [
            [
                one.name,
                f"{one.reference:,} {one.of}",
                one.usual,
                one.now,
                f"{one.index:.2f}",
                _p(one.p),
                "ALARM" if one.alarm else "",
            ]
            for one in drift.found
        ]
        screen.table(["", "held against", "then", "now", "index", "p", ""], rows, (4,))
        for one in drift.alarms:
            screen.say()
            screen.heading(f"Behind the alarm on {one.name}:")
            for row in one.rows:
                text = f"  {brief(row.text, 100)}" if row.text is not None else ""
                screen.say(f"  {row.id}  {_clock(row.at)}  {row.value}{text}")
    screen.say()
    screen.say(
        f"An alarm: the population stability index (less what chance gives) is {LARGE:g} or more, and p, corrected for "
        f"all that is looked at and for each look within {settings.window:,} requests, is below {settings.level:g}.",
        "dim",
        wrap=True,
    )


def _p(p: float) -> str:
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def _gap() -> Text:
    return Text("")


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for number, header in enumerate(headers):
        justify: Literal["right", "left"] = "right" if number in right else "left"
        table.add_column(Text(header), justify=justify, overflow="fold", no_wrap=number == 0)
    for row in rows:
        table.add_row(*(Text(safe(cell)) for cell in row))
    return table
