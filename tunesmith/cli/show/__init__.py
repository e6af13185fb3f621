"""`tunesmith show`: what a stage made, in words. One file a stage, each with ``show(product, screen)``."""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tunesmith.cli.arguments import STAGES, add_verb, open_project

if TYPE_CHECKING:
    from tunesmith.cli.screen import Screen


def add_parser(verbs: Any) -> None:
    parser = add_verb(verbs, "show", run, "show what a stage made last, in words")
    parser.add_argument("stage", metavar="STAGE", choices=list(STAGES), help=", ".join(STAGES))


def run(arguments: argparse.Namespace) -> int:
    from tunesmith.cli.screen import Screen

    show_stage(arguments.stage, open_project(arguments).product(arguments.stage), Screen())
    return 0


def show_stage(stage: str, product: Any, screen: Screen) -> None:
    """Show the product of a stage."""
    import_module(f"tunesmith.cli.show.{stage}").show(product, screen)
