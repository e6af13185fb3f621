"""`tunesmith goal|collect|split|train|test`: make the stages up to one, and show it.

The stages base, clean and format have more to offer and a file each.
"""

from __future__ import annotations

import argparse
from typing import Any

from tunesmith.cli.arguments import STAGES, add_verb, screen_for
from tunesmith.cli.gate import add_gate_options, exit_code, tell_as_json
from tunesmith.cli.run import add_making_options, make

PLAIN = ("goal", "collect", "split", "train", "test")
#: What --raccoon asks for.
ROWS_OF_A_FAMILY = 50


def add_parser(verbs: Any) -> None:
    for word in PLAIN:
        parser = add_verb(verbs, word, run, f"make the stages up to {word} and show {STAGES[word]}")
        parser.set_defaults(stage=word)
        add_making_options(parser)
        if word == "test":
            add_gate_options(parser)
            parser.add_argument(
                "--raccoon",
                action="store_true",
                help=f"ask the whole raccoon suite, {ROWS_OF_A_FAMILY} rows a family, however long it takes",
            )


def run(arguments: argparse.Namespace) -> int:
    if getattr(arguments, "raccoon", False):
        arguments.set = [f"test.raccoon.rows_per_family={ROWS_OF_A_FAMILY}", *arguments.set]
    return make_and_show(arguments, arguments.stage)


def make_and_show(arguments: argparse.Namespace, stage: str) -> int:
    """Make the stages up to this one, with the progress on stderr, and show it on stdout."""
    from tunesmith.cli.show import show_stage

    result = make(arguments, screen_for(arguments, stderr=True), to=stage)
    as_json = getattr(arguments, "json", False)
    show_stage(stage, getattr(result, stage), screen_for(arguments, stderr=as_json))
    code = exit_code(result, getattr(arguments, "gate", False))
    if as_json:
        tell_as_json(result, code)
    return code
