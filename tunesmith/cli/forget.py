"""`tunesmith clean --forget`: remove rows for good, after saying what goes and what cannot be reached."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from tunesmith.cli.arguments import open_project, screen_for
from tunesmith.errors import InputError

if TYPE_CHECKING:
    from tunesmith.cli.screen import Screen
    from tunesmith.forget.plan import Plan

SHOWN = 20


def forget(arguments: argparse.Namespace) -> int:
    """Show what will go, ask unless `--yes` was given, remove it, and tell of the receipt. Returns the exit code."""
    from tunesmith.cli.screen import Screen
    from tunesmith.cli.words import near_path

    if not (arguments.yes or sys.stdin.isatty()):
        raise InputError(
            "not_a_terminal", "rows are removed for good, and nobody can be asked", "--forget", "give --yes as well"
        )
    screen = screen_for(arguments)
    project = open_project(arguments)
    with ExitStack() as stack:
        with Screen(stderr=True).waiting("looking for the rows …"):
            plan = stack.enter_context(project.forgetting(arguments.forget))
        _tell(screen, plan)
        if not (arguments.yes or _agreed()):
            screen.say("Nothing was removed.")
            return 0
        receipt = plan.carry_out()
    screen.say(f"Removed. Receipt: {near_path(receipt)}")
    _tell_left(screen, plan)
    screen.say(f"Next: {screen.command('run')} makes anew what was removed, without these rows.")
    return 0


def _tell(screen: Screen, plan: Plan) -> None:
    requests = len(plan.intent.served)
    served = f" and {requests:,} of the server's requests and remarks" if requests else ""
    screen.say(f"{_rows(plan.rows)}{served} will be removed for good, from {plan.files:,} files that Tunesmith made:")
    folders = [*plan.intent.removed, *plan.intent.rewritten]
    for folder in folders[:SHOWN]:
        screen.say(f"  {folder}")
    if len(folders) > SHOWN:
        screen.say(f"  … and {len(folders) - SHOWN:,} more", "dim")


def _tell_left(screen: Screen, plan: Plan) -> None:
    """Tell what no command of Tunesmith can or should remove."""
    if plan.places:
        screen.say()
        screen.heading("Still in your own files; delete it there:")
        for place in plan.places[:SHOWN]:
            screen.say(f"  {place}")
        if len(plan.places) > SHOWN:
            screen.say(f"  … and {len(plan.places) - SHOWN:,} more, in the receipt", "dim")
    if plan.models:
        screen.say()
        screen.heading("Models that were trained on it; the next run trains anew, then delete these:")
        for model in plan.models:
            screen.say(f"  {model}")
    screen.say()
    screen.say("Not reached: backups, snapshots, the history of version control, and copies outside this project.")


def _agreed() -> bool:
    return input("Remove for good? This cannot be undone. [y/N] ").strip().lower() in ("y", "yes")


def _rows(number: int) -> str:
    return f"{number:,} {'row' if number == 1 else 'rows'}"
