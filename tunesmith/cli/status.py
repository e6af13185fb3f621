"""`tunesmith status`: each stage made, stale (why) or missing."""

from __future__ import annotations

import argparse
from typing import Any

from tunesmith.cli.arguments import add_folder, add_verb, open_project, screen_for


def add_parser(verbs: Any) -> None:
    add_folder(add_verb(verbs, "status", run, "show each stage: made, stale (and why) or missing"))


def run(arguments: argparse.Namespace) -> int:
    from tunesmith.cli.words import counts_in_words, near_path
    from tunesmith.pipeline.order import ON_REQUEST

    project = open_project(arguments)
    stages = project.status()
    screen = screen_for(arguments)
    screen.heading(f"{project.name} ({near_path(project.root)})")
    rows = []
    for stage in stages:
        made = counts_in_words(stage.artifact.counts) if stage.state == "made" and stage.artifact else ""
        state = "on request" if stage.stage in ON_REQUEST and stage.state == "missing" else stage.state
        rows.append([stage.stage, state, made or stage.why])
    screen.table(["stage", "state", ""], rows)
    waiting = [stage.stage for stage in stages if stage.state != "made" and stage.stage not in ON_REQUEST]
    screen.say()
    screen.say(f"{screen.command('run')} makes {', '.join(waiting)}." if waiting else "Everything is up to date.")
    return 0
