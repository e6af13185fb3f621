"""`tunesmith base`: choose the model to start from, fetch it again, or list the catalogue."""

from __future__ import annotations

import argparse
from typing import Any

from tunesmith.cli.arguments import STAGES, add_verb, open_project
from tunesmith.cli.run import add_making_options
from tunesmith.cli.stage import make_and_show


def add_parser(verbs: Any) -> None:
    parser = add_verb(verbs, "base", run, f"make the stages up to base and show {STAGES['base']}")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--list", action="store_true", help="list the catalogue of bases instead")
    instead.add_argument("--refetch", action="store_true", help="throw the cached base away and fetch it again")
    add_making_options(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.list:
        _list()
        return 0
    if arguments.refetch:
        from tunesmith.cli.screen import Screen

        with Screen(stderr=True).waiting("fetching …"):
            open_project(arguments).refetch_base()
        Screen().say("The base was fetched again and verified.")
        return 0
    return make_and_show(arguments, "base")


def _list() -> None:
    from tunesmith.catalog import entries
    from tunesmith.cli.screen import Screen

    screen = Screen()
    screen.table(
        ["name", "makes", "parameters", "context", "memory to train", "licence", "languages", "checked"],
        [
            [
                entry.name,
                ", ".join(entry.outputs),
                f"{entry.parameters / 1e6:,.0f} M",
                f"{entry.context:,} tokens",
                f"{entry.memory_to_train:,} MB",
                entry.licence,
                ", ".join(entry.languages),
                "yes" if entry.checked else "no",
            ]
            for entry in entries()
        ],
        right=(2, 3, 4),
    )
    screen.say()
    screen.say(
        "checked: whether it was fetched and run for Tunesmith. Choose with base.model in tunesmith.yaml.", wrap=True
    )
