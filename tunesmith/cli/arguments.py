"""What every verb accepts, and the words that name a stage."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tunesmith.cli.screen import Screen
    from tunesmith.project import Project

#: Each stage's word and what it is in the user's words; a test holds the words to `pipeline/order.py`,
#: which is not imported here because it imports pyarrow.
STAGES = {
    "goal": "what the model should do, and how good is good enough",
    "base": "the model to start from",
    "collect": "the examples, from wherever they are",
    "clean": "what was fixed and what was taken out, and why",
    "format": "what the model will see, token by token",
    "split": "training, validation and the locked test part",
    "advise": "prompt, retrieval, fine-tuning or both: what was measured",
    "train": "the training, its curve, its verdict",
    "test": "whether it is good enough to ship",
    "improve": "what to do next, and what it should bring",
}


def everywhere() -> argparse.ArgumentParser:
    """The options that may stand before or after the verb."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument(
        "--project",
        metavar="DIR",
        default=argparse.SUPPRESS,
        help="the project's folder (default: this one, or the nearest above with a tunesmith.yaml)",
    )
    parser.add_argument(
        "--debug", action="store_true", default=argparse.SUPPRESS, help="show the traceback of an error"
    )
    return parser


def add_verb(verbs: Any, name: str, run: Any, help: str, **more: Any) -> argparse.ArgumentParser:
    """Add one verb, with the options that all have."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=help,
        description=help[:1].upper() + help[1:] + ".",
        parents=[everywhere()],
        allow_abbrev=False,
        **more,
    )
    parser.set_defaults(run_verb=run)
    return parser


def add_folder(parser: argparse.ArgumentParser) -> None:
    """The project's folder as the verb's one word."""
    parser.add_argument("folder", metavar="DIR", nargs="?", help="the project's folder, as with --project")


def named_folder(arguments: argparse.Namespace) -> str | None:
    """The project's folder as it was typed, None where it was not. Raises InputError ``two_projects``."""
    from tunesmith.errors import InputError

    named: str | None = getattr(arguments, "project", None)
    folder: str | None = getattr(arguments, "folder", None)
    if named is not None and folder is not None:
        raise InputError("two_projects", "the project is named twice", "--project", "give DIR or --project, not both")
    return named if folder is None else folder


def screen_for(arguments: argparse.Namespace, *, stderr: bool = False) -> Screen:
    """A screen whose hints name the project's folder where they would not work without it."""
    from pathlib import Path

    from tunesmith.cli.screen import Screen

    named = named_folder(arguments)
    around = named is None or Path.cwd().is_relative_to(Path(named).resolve())
    return Screen(stderr=stderr, project=None if around else named)


def open_project(arguments: argparse.Namespace) -> Project:
    """The project that is named, or the one around the current folder."""
    from tunesmith.project import Project

    project = Project.open(named_folder(arguments))
    if project.finished_forgetting is not None:
        from tunesmith.cli.screen import Screen

        Screen(stderr=True).say(f"A forgetting that was cut off is finished now: {project.finished_forgetting}")
    return project
