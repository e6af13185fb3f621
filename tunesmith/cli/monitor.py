"""`tunesmith monitor`: what the served model does out there, live in a terminal."""

from __future__ import annotations

import argparse
import json
import re
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tunesmith.cli.arguments import add_verb, open_project
from tunesmith.errors import InputError

if TYPE_CHECKING:
    from tunesmith.cli.screen import Screen
    from tunesmith.deployment.state import State
    from tunesmith.project import Project

UNITS = {"m": 1 / 60, "h": 1.0, "d": 24.0, "w": 168.0}
#: Seconds from one look to the next, and how many times a look's own time they are at least.
EVERY, IDLE = 2.0, 10.0


def add_parser(verbs: Any) -> None:
    parser = add_verb(verbs, "monitor", run, "show what the served model does: traffic, times, errors, cost, drift")
    parser.add_argument(
        "--since", metavar="TIME", default="24h", help="how far to look back: 30m, 24h (the default), 7d, 4w"
    )
    parser.add_argument("--drift", action="store_true", help="hold the traffic against the training data, with rows")
    parser.add_argument("--json", action="store_true", help="one JSON object, with every figure")
    parser.add_argument("--once", action="store_true", help="show it once and end, as in a pipe")


def run(arguments: argparse.Namespace) -> int:
    from tunesmith.cli.screen import Screen
    from tunesmith.deployment.tables import open_state
    from tunesmith.watching import require_traffic

    hours = hours_of(arguments.since)
    project = open_project(arguments)
    require_traffic(project)
    state = open_state(project.store.root, to_look=True)
    screen = Screen()
    try:
        if arguments.json:
            _write_json(project, state, hours, screen, drift=arguments.drift)
        elif arguments.drift:
            _show_drift(project, state, screen)
        elif arguments.once or not screen.live:
            screen.console.print(_shown(project, state, hours))
        else:
            _live(project, state, hours, screen)
    finally:
        state.close()
    return 0


def hours_of(text: str) -> float:
    """Hours from words such as 24h. Raises InputError ``wrong_number``."""
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?)([mhdw])", text)
    if found is None or float(found[1]) == 0:
        raise InputError("wrong_number", f"{text!r} is no time to look back", "--since", "such as 30m, 24h, 7d or 4w")
    return float(found[1]) * UNITS[found[2]]


def _shown(project: Project, state: State, hours: float) -> Any:
    from tunesmith.cli.traffic import tables
    from tunesmith.watching import look_at, look_for_drift

    return tables(project.name, look_at(project, state, hours), look_for_drift(project, state, make=False), hours)


def _live(project: Project, state: State, hours: float, screen: Screen) -> None:
    """Paint it anew until it is stopped; where a look takes long, there is more time between looks."""
    from rich.live import Live

    with Live(console=screen.console, auto_refresh=False, screen=False, vertical_overflow="crop") as live:
        try:
            while True:
                began = time.monotonic()
                live.update(_shown(project, state, hours), refresh=True)
                time.sleep(max(EVERY, IDLE * (time.monotonic() - began)))
        except KeyboardInterrupt:
            return


def _show_drift(project: Project, state: State, screen: Screen) -> None:
    from tunesmith.cli.traffic import show_drift
    from tunesmith.watching import look_for_drift

    with screen.waiting("looking at the training data"):
        found = look_for_drift(project, state, make=True)
    show_drift(found, project.settings.serve.drift, screen)


def _write_json(project: Project, state: State, hours: float, screen: Screen, *, drift: bool) -> None:
    from tunesmith.watching import look_at, look_for_drift

    found: dict[str, Any] = asdict(look_at(project, state, hours))
    looks = look_for_drift(project, state, make=drift)
    found["drift"] = [{**asdict(one), "alarms": [alarm.name for alarm in one.alarms]} for one in looks]
    screen.console.file.write(json.dumps(found, ensure_ascii=False) + "\n")
