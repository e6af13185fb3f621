"""`tunesmith show`: what a stage made, in words. One file a stage, each with ``show(product, screen)``."""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tunesmith.cli.arguments import STAGES, add_verb, open_project, screen_for
from tunesmith.errors import InputError

if TYPE_CHECKING:
    from tunesmith.cli.screen import Screen


def add_parser(verbs: Any) -> None:
    parser = add_verb(verbs, "show", run, "show what a stage made last, in words")
    parser.add_argument("stage", metavar="STAGE", choices=list(STAGES), help=", ".join(STAGES))
    parser.add_argument("--example", metavar="ID", help="with `train`: how often and when this example was trained")


def run(arguments: argparse.Namespace) -> int:
    project = open_project(arguments)
    screen = screen_for(arguments)
    if arguments.example is None:
        show_stage(arguments.stage, project.product(arguments.stage), screen)
        if arguments.stage == "train":
            from tunesmith.cli.show.train import show_hardest

            show_hardest(project, screen)
        return 0
    if arguments.stage != "train":
        raise InputError(
            "no_ledger_of_this_stage",
            f"--example tells what training did with an example, not what {arguments.stage} did",
            fix="use `tunesmith show train --example ID`",
        )
    from tunesmith.cli.show.train import show_example

    show_example(project, arguments.example, screen)
    return 0


def show_stage(stage: str, product: Any, screen: Screen) -> None:
    """Show the product of a stage."""
    import_module(f"tunesmith.cli.show.{stage}").show(product, screen)
