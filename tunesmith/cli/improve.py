"""`tunesmith improve`: what to do next and what it should bring; `--accept` does it in parts."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from tunesmith.cli.arguments import STAGES, add_verb, open_project, screen_for
from tunesmith.cli.run import add_making_options, make

if TYPE_CHECKING:
    from tunesmith.cli.screen import Screen
    from tunesmith.project import Project


def add_parser(verbs: Any) -> None:
    parser = add_verb(verbs, "improve", run, f"show {STAGES['improve']}; accept it in parts")
    action = parser.add_mutually_exclusive_group()
    action.add_argument(
        "--accept",
        metavar="ITEM",
        nargs="*",
        help="do these items of the proposal (a row of one: ITEM/ROW); without an ITEM, or with all, every open one",
    )
    action.add_argument(
        "--reject", metavar="ITEM", nargs="*", help="leave these items, or all that are open, out from now on"
    )
    action.add_argument("--rows", metavar="ITEM", help="show the rows of an item")
    action.add_argument("--label", action="store_true", help="label the accepted rows of the pool here, a key each")
    add_making_options(parser)


def run(arguments: argparse.Namespace) -> int:
    screen = screen_for(arguments)
    if arguments.accept is not None:
        return _accept(screen, open_project(arguments), arguments.accept)
    if arguments.reject is not None:
        told = open_project(arguments).reject(arguments.reject)
        screen.say(f"Rejected: {', '.join(told)}." if told else "Nothing was open.")
        return 0
    if arguments.rows is not None:
        from tunesmith.cli.show.improve import show_rows

        show_rows(open_project(arguments).product("improve"), arguments.rows, screen)
        return 0
    if arguments.label:
        from tunesmith.cli.label import label

        return label(open_project(arguments), screen)
    return _show(arguments, screen)


def _show(arguments: argparse.Namespace, screen: Screen) -> int:
    """Make the proposal of the last test where there is none yet, and show it. It trains nothing again by itself."""
    from tunesmith.accept import states
    from tunesmith.cli.show.improve import show

    project = open_project(arguments)
    changed = _changed_since(project)
    if not changed or arguments.from_scratch or arguments.set:
        make(arguments, screen_for(arguments, stderr=True), to="improve")
        changed = ""
    proposal = project.product("improve")
    show(proposal, screen, states(project, proposal))
    if changed:
        screen.say()
        run = screen.command("run")
        screen.say(f"Since this proposal was made: {changed}. `{run}` makes the next round.", wrap=True)
    return 0


def _changed_since(project: Project) -> str:
    """Why the test is not up to date, where there is a proposal already; nothing else stands against making one."""
    from tunesmith.pipeline.order import ON_REQUEST

    if project.store.latest("improve") is None:
        return ""
    waiting = [stage for stage in project.status() if stage.state != "made" and stage.stage not in ON_REQUEST]
    told = [f"{stage.stage}: {stage.why}" for stage in waiting if "must be made first" not in stage.why]
    return "; ".join(told)


def _accept(screen: Screen, project: Project, words: list[str]) -> int:
    from tunesmith.cli.words import near_path

    told = project.accept(words)
    for item, what in told.done:
        screen.say(f"{screen.sign(True)} {item}  {what}")
    if told.already:
        screen.say(f"Accepted before, and not done again: {', '.join(told.already)}.")
    if not told.done and not told.already:
        screen.say("Nothing is open.")
        return 0
    screen.say()
    to_fill = [path for path in told.files if path.name.startswith("to-label")]
    for path in to_fill:
        label = screen.command("improve --label")
        screen.say(f"fill in  {near_path(path)}: an answer a line; `{label}` asks for them here", wrap=True)
    run, rounds = screen.command("run"), screen.command("rounds")
    screen.say(f"next     {run} starts the next round; {rounds} shows what it brought")
    return 0
