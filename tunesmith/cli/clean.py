"""`tunesmith clean`: show what was fixed and taken out, or take rows back in."""

from __future__ import annotations

import argparse
from typing import Any

from tunesmith.cli.arguments import STAGES, add_verb, open_project
from tunesmith.cli.run import add_making_options
from tunesmith.cli.stage import make_and_show


def add_parser(verbs: Any) -> None:
    parser = add_verb(verbs, "clean", run, f"make the stages up to clean and show {STAGES['clean']}")
    parser.add_argument(
        "--restore",
        metavar="ID|REASON",
        nargs="+",
        action="extend",
        help="keep rows that were taken out, by their id or by the reason (such as duplicate)",
    )
    parser.add_argument(
        "--fix",
        metavar="CODE",
        nargs="+",
        action="extend",
        help="write fixes into clean.fix: what `show clean` proposes (such as quotes), or markup",
    )
    add_making_options(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.fix:
        return _fix(arguments)
    if arguments.restore:
        return _restore(arguments)
    return make_and_show(arguments, "clean")


def _restore(arguments: argparse.Namespace) -> int:
    from tunesmith.cli.screen import Screen

    ids = open_project(arguments).restore(arguments.restore)
    shown = ", ".join(ids[:10]) + (f", … ({len(ids):,} in all)" if len(ids) > 10 else "")
    screen = Screen()
    screen.say(f"{len(ids):,} {'row is' if len(ids) == 1 else 'rows are'} kept from now on: {shown}")
    screen.say("Next: tunesmith run makes again what follows from it.")
    return 0


def _fix(arguments: argparse.Namespace) -> int:
    from tunesmith.cli.screen import Screen

    fixes = open_project(arguments).fix(arguments.fix)
    screen = Screen()
    screen.say(f"tunesmith.yaml: clean.fix is now [{', '.join(fixes)}]")
    screen.say("Next: tunesmith run applies it; what it changes is recorded, before and after.")
    return 0
