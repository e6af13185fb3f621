"""`tunesmith clean`: show what was fixed and taken out, review it, take rows back in, or forget them for good."""

from __future__ import annotations

import argparse
from typing import Any

from tunesmith.cli.arguments import STAGES, add_verb, open_project, screen_for
from tunesmith.cli.run import add_making_options
from tunesmith.cli.stage import make_and_show


def add_parser(verbs: Any) -> None:
    parser = add_verb(verbs, "clean", run, f"make the stages up to clean and show {STAGES['clean']}")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument(
        "--review",
        action="store_true",
        help="decide row by row on what was changed, merged, set aside or flagged: keep, drop, edit, always",
    )
    choice.add_argument(
        "--restore",
        metavar="ID|REASON",
        nargs="+",
        action="extend",
        help="keep rows that were taken out, by their id or by the reason (such as duplicate)",
    )
    choice.add_argument(
        "--undo",
        metavar="ID|REASON",
        nargs="+",
        action="extend",
        help="withdraw decisions, by a row's id or by the reason that rows were decided for",
    )
    choice.add_argument(
        "--forget",
        metavar="ID|TEXT",
        nargs="+",
        action="extend",
        help="remove rows for good, by their id or by a text in them (such as an e-mail address), with a receipt",
    )
    parser.add_argument("--again", action="store_true", help="with --review: rows that are decided are shown too")
    parser.add_argument("--yes", action="store_true", help="with --forget: do not ask")
    choice.add_argument(
        "--fix",
        metavar="CODE",
        nargs="+",
        action="extend",
        help="write fixes into clean.fix: what `show clean` proposes (such as quotes), or markup",
    )
    add_making_options(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.review:
        from tunesmith.cli.review import review

        return review(arguments)
    if arguments.forget:
        from tunesmith.cli.forget import forget

        return forget(arguments)
    if arguments.fix:
        return _fix(arguments)
    if arguments.restore:
        return _restore(arguments)
    if arguments.undo:
        return _undo(arguments)
    return make_and_show(arguments, "clean")


def _restore(arguments: argparse.Namespace) -> int:
    ids = open_project(arguments).restore(arguments.restore)
    shown = ", ".join(ids[:10]) + (f", … ({len(ids):,} in all)" if len(ids) > 10 else "")
    screen = screen_for(arguments)
    screen.say(f"{len(ids):,} {'row is' if len(ids) == 1 else 'rows are'} kept from now on: {shown}")
    screen.say(f"Next: {screen.command('run')} makes again what follows from it.")
    return 0


def _undo(arguments: argparse.Namespace) -> int:
    rows, rules = open_project(arguments).undo(arguments.undo)
    screen = screen_for(arguments)
    if rows:
        screen.say(f"{len(rows):,} {'decision is' if len(rows) == 1 else 'decisions are'} withdrawn.")
    if rules:
        screen.say(f"Rules withdrawn: {', '.join(rules)}")
    screen.say(f"Next: {screen.command('run')} makes again what follows from it.")
    return 0


def _fix(arguments: argparse.Namespace) -> int:
    fixes = open_project(arguments).fix(arguments.fix)
    screen = screen_for(arguments)
    screen.say(f"tunesmith.yaml: clean.fix is now [{', '.join(fixes)}]")
    screen.say(f"Next: {screen.command('run')} applies it; what it changes is recorded, before and after.")
    return 0
