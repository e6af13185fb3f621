"""`tunesmith new`: make a project."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

from tunesmith.cli.arguments import add_verb


def add_parser(verbs: Any) -> None:
    parser = add_verb(verbs, "new", run, "make a project: a folder with a commented tunesmith.yaml")
    parser.add_argument("folder", metavar="DIR", type=Path, help="the folder to make it in")
    parser.add_argument("--input", default="text", choices=["text"], help="what goes in (default: text)")
    parser.add_argument("--output", required=True, choices=["json", "label", "text"], help="what comes out")
    parser.add_argument("--name", help="the project's name (default: the folder's)")


def run(arguments: argparse.Namespace) -> int:
    from tunesmith.cli.screen import Screen
    from tunesmith.cli.words import near_path
    from tunesmith.project import Project

    project = Project.create(arguments.folder, input=arguments.input, output=arguments.output, name=arguments.name)
    screen = Screen()
    screen.say(f"Made {near_path(project.root / 'tunesmith.yaml')}: {arguments.input} → {arguments.output}.")
    screen.say("Next:")
    if project.root != Path.cwd():
        screen.say(f"  cd {shlex.quote(near_path(project.root))}")
    screen.say("  tunesmith add FILE…")
    screen.say("  tunesmith run")
    return 0
