"""`tunesmith ask`: try the tuned model beside the base."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tunesmith.cli.arguments import add_verb, open_project

if TYPE_CHECKING:
    from tunesmith.ask import Answer
    from tunesmith.cli.screen import Screen


def add_parser(verbs: Any) -> None:
    parser = add_verb(verbs, "ask", run, "ask the tuned model, beside the base")
    parser.add_argument("texts", metavar="TEXT", nargs="+", help="what goes in; several are answered in turn")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, for machines")


def run(arguments: argparse.Namespace) -> int:
    from tunesmith.cli.screen import Screen

    project = open_project(arguments)
    screen, errors = Screen(), Screen(stderr=True)
    for text in arguments.texts:
        with errors.waiting("asking …"):
            answers = project.ask(text)
        if arguments.json:
            line = {"input": text, "answers": [asdict(answer) for answer in answers]}
            screen.console.file.write(json.dumps(line) + "\n")
        else:
            _show(screen, text, answers)
    return 0


def _show(screen: Screen, text: str, answers: Sequence[Answer]) -> None:
    from tunesmith.cli.screen import brief
    from tunesmith.stages.test.wording import seconds

    screen.heading(brief(text))
    for answer in answers:
        sure = f"confidence {answer.confidence:.2f}, {seconds(answer.seconds)}"
        handed = "; too unsure, so it goes to a person" if answer.handed_off else ""
        used = f"; in use: {answer.in_use}" if answer.in_use else ""
        screen.say(f"  {answer.candidate} ({sure}{handed}{used})", "dim")
        screen.indented(answer.text or "(an empty answer)")
    screen.say()
