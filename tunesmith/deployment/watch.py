"""What came in and what came of it, in figures: by version, by key, by error and by rule.

Quantiles are exact, from the rows themselves; of more than `MOST` requests they are those of every second, third …
request, evenly spread, so that memory stays within some tens of MB.
"""

from __future__ import annotations

import math
import sqlite3
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from tunesmith.deployment.state import State

#: Requests whose times are held in memory.
MOST = 1_000_000
_ROWS_AT_ONCE = 20_000
QUANTILES = {"median": 0.5, "p95": 0.95, "p99": 0.99}
TIMES = ("first_token", "between", "total")
Times = Mapping[str, float]


@dataclass(frozen=True)
class Price:
    """What an answer costs, as in `advise`: by tokens where that price is known, else by hours of this machine."""

    million_tokens: float | None = None
    hour: float | None = None

    @property
    def by(self) -> Literal["tokens", "hours", ""]:
        return "tokens" if self.million_tokens is not None else "hours" if self.hour is not None else ""


@dataclass(frozen=True)
class Line:
    """The requests of one version, key, or all. ``refused``: those that a rule answered in the model's place.

    ``first_token``, ``between`` (from one token to the next, the mean of each answer) and ``total`` have the median,
    p95 and p99 in seconds, of answered requests alone; empty without any. ``seconds``: of this machine's work, where
    requests that ran at once share it. ``cost``: None without a price.
    """

    name: str
    requests: int
    errors: int
    handed_off: int
    refused: int
    tokens_in: int
    tokens_out: int
    first_token: Times
    between: Times
    total: Times
    seconds: float
    cost: float | None

    @property
    def per_thousand(self) -> float | None:
        """What a thousand requests cost."""
        return None if self.cost is None or not self.requests else 1000 * self.cost / self.requests


@dataclass(frozen=True)
class Watch:
    """The traffic of a project from ``since`` to ``until`` (seconds since 1970).

    ``errors``: how often by status and code; ``rules``: how often each did what. ``every``: times are those of each so
    many-th request. ``shadow`` requests are counted there alone.
    """

    since: float
    until: float
    all: Line
    versions: Sequence[Line]
    keys: Sequence[Line]
    errors: Sequence[Mapping[str, Any]]
    rules: Sequence[Mapping[str, Any]]
    shadow: int
    every: int
    priced_by: str


@dataclass
class _Sum:
    """What is added up for one line."""

    requests: int = 0
    errors: int = 0
    handed_off: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    refused: int = 0
    seconds: float = 0.0
    times: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in TIMES})

    def add(self, row: sqlite3.Row) -> None:
        self.requests += row["requests"]
        self.errors += row["requests"] if row["status"] >= 400 else 0
        self.handed_off += row["handed_off"]
        self.tokens_in += row["tokens_in"]
        self.tokens_out += row["tokens_out"]


def watch(state: State, since: float, until: float, price: Price | None = None) -> Watch:
    """Look at the requests that came between two times."""
    return state.look(lambda connection: _watch(connection, since, until, price or Price()))


def _watch(connection: sqlite3.Connection, since: float, until: float, price: Price) -> Watch:
    span = (since, until)
    counted = list(connection.execute(_COUNTS, span))
    sums: dict[tuple[str, str], _Sum] = {}
    for row in counted:
        if not row["shadow"]:
            sums.setdefault((row["version"], row["key"]), _Sum()).add(row)
    every = max(1, math.ceil(sum(one.requests for one in sums.values()) / MOST))
    for row in connection.execute(_REFUSED, span):
        if (group := sums.get((row["version"], row["key"]))) is not None:
            group.refused = row["n"]
    busy = _take_times(connection, span, sums, every)
    versions: dict[str, list[_Sum]] = {}
    keys: dict[str, list[_Sum]] = {}
    for (version, key), one in sums.items():
        versions.setdefault(version, []).append(one)
        keys.setdefault(key, []).append(one)
    worked = sum(one.seconds for one in sums.values())

    def lines(found: Mapping[str, Sequence[_Sum]]) -> list[Line]:
        made = [_line(name, parts, price, busy, worked) for name, parts in found.items()]
        return sorted(made, key=lambda line: (-line.requests, line.name))

    return Watch(
        since,
        until,
        _line("all", list(sums.values()), price, busy, worked),
        lines(versions),
        lines(keys),
        _errors(counted),
        [dict(row) for row in connection.execute(_RULES, span)],
        sum(row["requests"] for row in counted if row["shadow"]),
        every,
        price.by,
    )


_WHERE = "FROM traffic WHERE at >= ? AND at < ?"
_COUNTS = (
    "SELECT version, key, shadow, status, COALESCE(error, '') code, COUNT(*) requests, SUM(handed_off) handed_off, "
    "SUM(prompt_tokens) tokens_in, SUM(completion_tokens) tokens_out, MAX(at) latest "
    f"{_WHERE} GROUP BY version, key, shadow, status, code"
)
_TIMES = (
    f"SELECT version, key, at, waited, total, first_token, between_tokens, status {_WHERE} AND shadow = 0 ORDER BY at"
)
_RULES = (
    "SELECT rule, did, place, COUNT(*) times FROM traffic_actions WHERE at >= ? AND at < ? "
    "GROUP BY rule, did, place ORDER BY times DESC, rule, did"
)
_REFUSED = (
    "SELECT version, key, COUNT(DISTINCT number) n FROM traffic_actions WHERE at >= ? AND at < ? AND did = 'refuse' "
    "GROUP BY version, key"
)


def _errors(counted: Sequence[sqlite3.Row]) -> list[dict[str, Any]]:
    """How often each error came, the most frequent first, and when the last time."""
    found: dict[tuple[int, str], dict[str, Any]] = {}
    for row in counted:
        if row["status"] >= 400 and not row["shadow"]:
            start = {"status": row["status"], "code": row["code"], "requests": 0, "latest": 0.0}
            one = found.setdefault((row["status"], row["code"]), start)
            one["requests"] += row["requests"]
            one["latest"] = max(one["latest"], row["latest"])
    return sorted(found.values(), key=lambda one: (-one["requests"], one["status"], one["code"]))


def _take_times(
    connection: sqlite3.Connection,
    span: tuple[float, float],
    sums: Mapping[tuple[str, str], _Sum],
    every: int,
) -> float:
    """Sort the times into the sums; return the seconds in which this machine answered at least one request."""
    cursor = connection.execute(_TIMES, span)
    busy, free_from, number = 0.0, -math.inf, 0
    while rows := cursor.fetchmany(_ROWS_AT_ONCE):
        taken: dict[tuple[str, str], dict[str, array[float]]] = {}
        for version, key, at, waited, total, first, between, status in map(tuple, rows):
            number += 1
            begins, ends = max(at + waited, free_from), at + total
            if ends > begins:
                busy += ends - begins
                free_from = ends
            group = (version, key)
            if group not in sums:  # it came since the requests were counted
                continue
            sums[group].seconds += max(0.0, total - waited)
            if status >= 400 or number % every:
                continue
            own = taken.get(group)
            if own is None:
                own = taken[group] = {name: array("f") for name in sums[group].times}
            own["total"].append(total)
            if first is not None:
                own["first_token"].append(first)
            if between is not None:
                own["between"].append(between)
        for group, own in taken.items():
            for name, values in own.items():
                sums[group].times[name].append(np.frombuffer(values, np.float32))
    return busy


def _line(name: str, parts: Sequence[_Sum], price: Price, busy: float, worked: float) -> Line:
    """Requests that ran at once share the machine's time, each by its own."""

    def total(what: str) -> Any:
        return sum(getattr(part, what) for part in parts)

    seconds = busy * total("seconds") / worked if worked else 0.0
    cost = None
    if price.million_tokens is not None:
        cost = (total("tokens_in") + total("tokens_out")) / 1e6 * price.million_tokens
    elif price.hour is not None:
        cost = seconds / 3600 * price.hour
    times = {what: _quantiles([values for part in parts for values in part.times[what]]) for what in TIMES}
    return Line(
        name,
        requests=total("requests"),
        errors=total("errors"),
        handed_off=total("handed_off"),
        refused=total("refused"),
        tokens_in=total("tokens_in"),
        tokens_out=total("tokens_out"),
        first_token=times["first_token"],
        between=times["between"],
        total=times["total"],
        seconds=seconds,
        cost=cost,
    )


def _quantiles(parts: Sequence[Any]) -> Times:
    values = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    if not len(values):
        return {}
    found = np.quantile(values, list(QUANTILES.values()))
    return {name: float(value) for name, value in zip(QUANTILES, found, strict=True)}
