"""`tunesmith advise`: what more examples, another base or other settings would bring."""

from __future__ import annotations

import argparse
from typing import Any

from tunesmith.cli import trials
from tunesmith.cli.arguments import add_verb
from tunesmith.errors import InputError


def add_parser(verbs: Any) -> None:
    parser = add_verb(verbs, "advise", run, "measure what more examples, another base or other settings would bring")
    trials.add_options(parser)
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="change a setting for this run")


def run(arguments: argparse.Namespace) -> int:
    if not trials.asked(arguments):
        raise InputError(
            "nothing_asked", "nothing was asked", "advise", "give --more-data, --bases A,B or --search KEYS"
        )
    return trials.run(arguments)
