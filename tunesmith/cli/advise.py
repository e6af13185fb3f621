"""`tunesmith advise`: measure prompt, examples, retrieval and tuning, and say which to use; `--use ARM` chooses.

`--more-data`, `--bases` and `--search` are in trials.py.
"""

from __future__ import annotations

import argparse
from typing import Any

from tunesmith.cli import trials
from tunesmith.cli.arguments import STAGES, add_verb, open_project, screen_for
from tunesmith.cli.run import add_making_options


def add_parser(verbs: Any) -> None:
    parser = add_verb(verbs, "advise", run, f"make the stages up to advise and show {STAGES['advise']}")
    instead = trials.add_options(parser)
    instead.add_argument(
        "--use",
        metavar="ARM",
        choices=["auto", "bare", "prompt", "examples", "retrieval", "tuned", "tuned_retrieval"],
        help="the set-up that `ask` and `serve` use: auto (as advised), bare, prompt, examples, retrieval, tuned, "
        "tuned_retrieval",
    )
    add_making_options(parser)


def run(arguments: argparse.Namespace) -> int:
    trials.check(arguments)
    if trials.asked(arguments):
        return trials.run(arguments)
    if arguments.use is not None:
        return _use(arguments)
    from tunesmith.cli.stage import make_and_show

    return make_and_show(arguments, "advise")


def _use(arguments: argparse.Namespace) -> int:
    words = open_project(arguments).use(arguments.use)
    screen = screen_for(arguments)
    ask, serve = screen.command("ask"), screen.command("serve")
    screen.say(f"`{ask}` and `{serve}` use {words} from now on (advise.use in tunesmith.yaml).")
    return 0
