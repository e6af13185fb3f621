"""Is what comes in still what the model was trained on: the last requests of a version against its training.

A look is taken at each `STEP`-th answered request of a version, at the last ``window`` of them, whoever asks and
however often. So the looks that share a request are ``window / STEP`` (each is corrected for so many), and with what is
looked at in each (Holm's correction) the chance of a false alarm within one window is at most ``level``. A change that
chance does not explain is an alarm where it is large as well: with enough requests any difference is no chance.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tunesmith.deployment.log_settings import DriftSettings
from tunesmith.deployment.profile import FEWEST, UNSURE, Profile
from tunesmith.deployment.state import State
from tunesmith.example import messages_from_json
from tunesmith.scoring.several import holm
from tunesmith.scoring.shift import REST, Shift, grouped, of_kinds, of_numbers

#: Answered requests from one look to the next; the first look needs as many.
STEP = 100
#: From this population stability index on a change is large.
LARGE = 0.2
#: Distances are looked for in the last so many windows.
MEASURED_WITHIN = 100
#: Rows that are shown behind an alarm.
SHOWN = 10

#: What is looked at, by its column in the log, in words.
NAMES = {
    "characters": "input length",
    "language": "language",
    "distance": "distance from the training inputs",
    "label": "label mix",
    "confidence": "confidence",
    "fits_schema": "share within the schema",
}


@dataclass(frozen=True)
class Behind:
    """A request behind an alarm: its id, when it came, its value; its text where texts are kept."""

    id: str
    at: float
    value: str
    text: str | None


@dataclass(frozen=True)
class Looked:
    """One thing that was looked at. ``p`` is corrected; ``usual`` and ``now`` say it in words."""

    name: str
    index: float
    p: float
    n: int
    reference: int
    of: str
    usual: str
    now: str
    alarm: bool
    rows: tuple[Behind, ...] = ()


@dataclass(frozen=True)
class Drift:
    """The last look at one version. ``requests``: how many were looked at; ``until``: when the last of them came.

    ``found`` is empty where there are too few requests, and ``why`` says what is missing.
    """

    version: str
    requests: int
    until: float | None
    found: tuple[Looked, ...]
    why: str = ""

    @property
    def alarms(self) -> list[Looked]:
        return [one for one in self.found if one.alarm]


def look(state: State, version: str, profile: Profile, settings: DriftSettings) -> Drift:
    """Hold the last requests of a version against its training."""
    rows = state.look(lambda connection: _last_rows(connection, version, settings.window))
    if not rows:
        return Drift(version, 0, None, (), f"a first look needs {STEP:,} answered requests")
    columns = {name: [(row, row[name]) for row in rows] for name in NAMES}
    measured = state.look(lambda connection: _last_measured(connection, version, settings.window, rows[0]["answered"]))
    columns["distance"] = [(row, row["distance"]) for row in measured]
    columns["language"] = [(row, row["language"] or UNSURE) for row in rows if row["characters"] is not None]
    tried = {}
    for name, pairs in columns.items():
        there = [(row, value) for row, value in pairs if value is not None]
        usual = profile.kinds.get(name) or profile.numbers.get(name) or ()
        if len(there) >= STEP and len(usual) >= FEWEST:
            tried[name] = (there, usual, _shift(name, [value for _, value in there], usual, profile))
    looks = max(1, settings.window // STEP)
    ps = holm([min(1.0, shift.p * looks) for *_, shift in tried.values()])
    found = []
    for (name, (there, usual, shift)), p in zip(tried.items(), ps, strict=True):
        alarm = p < settings.level and shift.index >= LARGE
        behind = _behind(state, name, there, usual, profile) if alarm else ()
        words = _in_words(name, usual), _in_words(name, [value for _, value in there])
        found.append(
            Looked(NAMES[name], shift.index, p, shift.n, shift.reference, profile.of[name], *words, alarm, behind)
        )
    return Drift(version, len(rows), rows[0]["at"], tuple(found))


_COLUMNS = "number, id, at, answered, characters, language, distance, label, confidence, fits_schema"


def _last_measured(connection: sqlite3.Connection, version: str, window: int, until: int) -> list[sqlite3.Row]:
    """The last requests whose distance is known: where many come, it is that of a part alone."""
    return connection.execute(
        f"SELECT {_COLUMNS} FROM traffic WHERE version = ? AND answered > ? AND answered <= ? AND distance IS NOT NULL "
        "ORDER BY answered DESC LIMIT ?",
        (version, until - MEASURED_WITHIN * window, until, window),
    ).fetchall()


def _last_rows(connection: sqlite3.Connection, version: str, window: int) -> list[sqlite3.Row]:
    """The requests of the last look, the latest first: those after it wait for the next."""
    counted = "FROM traffic WHERE version = ? AND answered IS NOT NULL"
    [count] = connection.execute(f"SELECT MAX(answered) {counted}", (version,)).fetchone()
    return connection.execute(
        f"SELECT {_COLUMNS} {counted} AND answered <= ? ORDER BY answered DESC LIMIT ?",
        (version, (count or 0) // STEP * STEP, window),
    ).fetchall()


def _shift(name: str, values: Sequence[Any], usual: Sequence[Any], profile: Profile) -> Shift:
    if name in profile.kinds:
        return of_kinds([str(value) for value in values], usual)
    if name == "fits_schema":
        return of_kinds([str(bool(value)) for value in values], [str(bool(value)) for value in usual])
    return of_numbers(np.array(values, np.float64), np.array(usual, np.float64))


def _in_words(name: str, values: Sequence[Any]) -> str:
    """The middle of numbers, or the most frequent kinds."""
    if name == "fits_schema":
        return f"{sum(map(bool, values)) / len(values):.0%}"
    if isinstance(values[0], str):
        kinds, counts = np.unique(np.array(values), return_counts=True)
        most = sorted(zip(counts.tolist(), kinds.tolist(), strict=True), key=lambda pair: (-pair[0], pair[1]))[:3]
        return ", ".join(f"{kind} {count / len(values):.0%}" for count, kind in most)
    low, middle, high = np.quantile(np.array(values, np.float64), [0.1, 0.5, 0.9])
    return f"median {middle:.4g} ({low:.4g} to {high:.4g})"


def _behind(
    state: State, name: str, there: Sequence[tuple[sqlite3.Row, Any]], usual: Sequence[Any], profile: Profile
) -> tuple[Behind, ...]:
    """The requests that lie furthest out, or are of the kinds that have grown most."""
    weight = _weights(name, [value for _, value in there], usual, profile)
    order = sorted(range(len(there)), key=lambda place: (-weight[place], -there[place][0]["number"]))[: 10 * SHOWN]
    texts = texts_of(state, [there[place][0]["number"] for place in order])
    chosen: list[tuple[sqlite3.Row, Any]] = []
    said: set[str | None] = set()
    for row, value in (there[place] for place in order):
        text = texts.get(row["number"])
        if len(chosen) < SHOWN and (text is None or text not in said):  # one text that came often is shown once
            said.add(text)
            chosen.append((row, value))
    return tuple(
        Behind(
            row["id"], row["at"], f"{value:.4g}" if isinstance(value, float) else str(value), texts.get(row["number"])
        )
        for row, value in chosen
    )


def _weights(name: str, values: Sequence[Any], usual: Sequence[Any], profile: Profile) -> Sequence[float]:
    if name in profile.kinds or name == "fits_schema":
        now, before = [str(value) for value in values], [str(value) for value in usual]
        if name == "fits_schema":
            return [float(not value) for value in values]
        names, first, second = grouped(now, before)
        grown = dict(zip(names, (first / first.sum() - second / second.sum()).tolist(), strict=True))
        return [grown.get(value, grown.get(REST, 0.0)) for value in now]
    numbers, middle = np.array(values, np.float64), float(np.median(np.array(usual, np.float64)))
    sign = 1.0 if np.median(numbers) >= middle else -1.0
    found: Sequence[float] = (sign * (numbers - middle)).tolist()
    return found


def texts_of(state: State, numbers: Sequence[int]) -> dict[int, str]:
    """What the user said in these requests, as far as it is kept, by their numbers."""
    marks = ", ".join("?" * len(numbers))
    found: Mapping[int, str] = state.look(
        lambda connection: {
            row["number"]: row["prompt"]
            for row in connection.execute(
                f"SELECT number, prompt FROM traffic_texts WHERE number IN ({marks})", numbers
            )
        }
    )
    return {
        number: "\n".join(message.text for message in messages_from_json(prompt) if message.role != "system")
        for number, prompt in found.items()
    }
