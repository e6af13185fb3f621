"""`tunesmith backup`: a copy of the project, whole although a server is at work in it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tunesmith.cli.arguments import add_verb, open_project


def add_parser(verbs: Any) -> None:
    parser = add_verb(verbs, "backup", run, "copy the project, also while it is served")
    parser.add_argument("to", metavar="DIR", type=Path, help="a folder that is not there yet")


def run(arguments: argparse.Namespace) -> int:
    from tunesmith.backup import back_up
    from tunesmith.cli.screen import Screen
    from tunesmith.cli.words import near_path

    project = open_project(arguments)
    with Screen(stderr=True).waiting("copying …"):
        made = back_up(project, arguments.to)
    gone = f" ({made.skipped:,} were deleted meanwhile)" if made.skipped else ""
    Screen().say(f"{made.files:,} files, {made.size / 1e6:,.1f} MB in {near_path(made.folder)}{gone}.")
    return 0
