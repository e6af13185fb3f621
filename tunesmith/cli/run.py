"""`tunesmith run`: make every stage that is not up to date, and tell the verdict."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from tunesmith.cli.arguments import STAGES, add_folder, add_verb, open_project, screen_for
from tunesmith.cli.gate import add_gate_options, check_gate, exit_code, tell_as_json
from tunesmith.events import fan_out
from tunesmith.launch import follows

if TYPE_CHECKING:
    from tunesmith.cli.screen import Screen
    from tunesmith.pipeline.run import RunResult


def add_parser(verbs: Any) -> None:
    parser = add_verb(verbs, "run", run, "make every stage that is not up to date; Ctrl-C stops it, and run goes on")
    parser.add_argument(
        "--to", metavar="STAGE", choices=list(STAGES), help=f"stop after this stage: {', '.join(STAGES)}"
    )
    add_making_options(parser)
    add_gate_options(parser)


def add_making_options(parser: argparse.ArgumentParser) -> None:
    """The project's folder, and the options of every verb that makes stages."""
    add_folder(parser)
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="change a setting for this run: --set train.epochs=1",
    )
    parser.add_argument("--from-scratch", action="store_true", help="make every stage again")
    parser.add_argument(
        "--allow-code",
        action="store_true",
        help="allow the Python files that the goal's rules name to run on this machine, until they change",
    )
    parser.add_argument(
        "--log-to",
        metavar="TOOL",
        action="append",
        default=[],
        choices=["tensorboard", "mlflow"],
        help="send the curves to tensorboard or mlflow too; each is an extra of Tunesmith",
    )


def run(arguments: argparse.Namespace) -> int:
    check_gate(arguments, arguments.to)
    screen = screen_for(arguments, stderr=arguments.json)
    result = make(arguments, screen, to=arguments.to)
    conclude(screen, result)
    code = exit_code(result, arguments.gate)
    if arguments.json:
        tell_as_json(result, code)
    return code


def make(arguments: argparse.Namespace, screen: Screen, *, to: str | None) -> RunResult:
    """Run the project up to a stage, with its progress on the screen.

    Of processes that were launched together the first does; the others end here when it has.
    """
    if follows():
        from tunesmith.pipeline.follow import follow

        follow()
        raise SystemExit(0)
    from tunesmith.cli.progress import progress

    project = open_project(arguments)
    if arguments.allow_code:
        allowed = project.allow_code()
        screen.say(f"Allowed until it changes: {', '.join(allowed) or 'no rule names Python code'}")
    with ExitStack() as stack:
        sinks = []
        if arguments.log_to:
            from tunesmith.sinks import open_sinks

            sinks.append(stack.enter_context(open_sinks(arguments.log_to, project.root / "logs", project.name)))
        sinks.append(stack.enter_context(progress(screen)))
        return project.run(
            to=to, overrides=arguments.set, from_scratch=arguments.from_scratch, on_event=fan_out(*sinks)
        )


def conclude(screen: Screen, result: RunResult) -> None:
    """Tell what came of a run: the verdict, the scores, where things are and what can be done next."""
    from tunesmith.cli.words import near_path

    if not result.made:
        screen.say("Everything is up to date; nothing to do.")
    if result.verdict is not None and result.test is not None:
        from tunesmith.cli.show.test import headline, scores_line

        screen.say()
        headline(screen, result.verdict)
        for line in scores_line(result.test):
            screen.say(line)
        if result.test.facts.get("in_use"):
            screen.say(str(result.test.facts["in_use"]["words"]), wrap=True)
    screen.say()
    if result.report is not None:
        screen.say(f"report  {near_path(result.report)}")
    if result.model is not None:
        screen.say(f"model   {near_path(result.model)}")
        alone = result.base is not None and result.base.from_scratch
        ask, show = screen.command('ask "…"'), screen.command("show test")
        screen.say(f"next    {ask:{len(show)}}    try it{'' if alone else ' beside the base'}")
    if result.test is not None:
        screen.say(f"        {screen.command('show test')}    all scores, with their intervals")
    elif result.model is None and result.made:
        screen.say(f"next    {screen.command(f'show {result.made[-1]}')}")
