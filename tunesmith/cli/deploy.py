"""`tunesmith deploy`: let another version answer, beside the old one first; and `tunesmith rollback`."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tunesmith.cli.arguments import add_verb, open_project
from tunesmith.deployment.ways_to_serve import ENGINES, EXACT, PRECISIONS
from tunesmith.errors import InputError

if TYPE_CHECKING:
    from tunesmith.deploying import Deployed
    from tunesmith.project import Project


def add_parser(verbs: Any) -> None:
    parser = add_verb(
        verbs, "deploy", run, "let another version of the model answer; the old one finishes what it began"
    )
    parser.add_argument("version", metavar="VERSION", nargs="?", help="one that was deployed before, such as @3f2a")
    parser.add_argument("--round", metavar="N", type=int, help="the model of this round (default: as serve takes it)")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--canary", metavar="SHARE", help="try it on a share of the requests, such as 10%%")
    how.add_argument("--shadow", action="store_true", help="let it answer too, to nobody, and compare")
    how.add_argument("--promote", action="store_true", help="let the version that is tried answer all")
    how.add_argument("--as", dest="name", metavar="NAME", help="give it a name of your own, such as stable")
    how.add_argument("--drop", metavar="NAME", help="take such a name away")
    how.add_argument("--status", action="store_true", help="versions, names, shares, and what happened")
    parser.add_argument("--engine", choices=ENGINES, help="as of serve (default: auto)")
    parser.add_argument("--precision", choices=PRECISIONS, help="as of serve (default: f16)")
    parser.add_argument("--json", action="store_true", help="what came of it as JSON, for machines")
    back = add_verb(verbs, "rollback", run_back, "let the version before answer again, at once")
    back.add_argument("--json", action="store_true", help="what came of it as JSON, for machines")


def run(arguments: argparse.Namespace) -> int:
    from tunesmith import deployed, deploying

    _check(arguments)
    wish = deploying.Wish(
        arguments.version,
        arguments.round,
        _share(arguments.canary),
        arguments.shadow,
        arguments.name,
        arguments.engine or "auto",
        arguments.precision or EXACT,
    )
    deploying.check(wish)
    project = open_project(arguments)
    if arguments.status:
        return _status(arguments, deployed.deployment(project))
    if arguments.drop:
        deploying.drop_name(project, arguments.drop)
        return _say(f"{project.name}:{arguments.drop} leads nowhere any more.")
    screen, telling = _telling()
    with telling("waiting for the server" if arguments.promote else "reading the project") as tell:
        if arguments.promote:
            done = deploying.promote(project, tell=tell)
        else:
            done = deploying.deploy(project, wish, tell=tell, say=screen.say)
    return _told(arguments, project, done)


def _check(arguments: argparse.Namespace) -> None:
    """Raises InputError ``wrong_argument`` for what says which version is meant, where none is deployed."""
    given = {
        "version": arguments.version,
        "--round": arguments.round is not None,
        "--engine": arguments.engine,
        "--precision": arguments.precision,
    }
    meant = [name for name, one in given.items() if one]
    what = next((name for name in ("promote", "drop", "status") if getattr(arguments, name)), None)
    if what is not None and meant:
        told = f"--{what} deploys nothing new, so it takes no {' and no '.join(meant)}"
        raise InputError("wrong_argument", told, "deploy", "leave that out")


def run_back(arguments: argparse.Namespace) -> int:
    from tunesmith import deploying

    project = open_project(arguments)
    _, telling = _telling()
    with telling("waiting for the server") as tell:
        done = deploying.rollback(project, tell=tell)
    return _told(arguments, project, done)


def _telling() -> Any:
    """The screen for what is told meanwhile, and how to tell of steps on it."""
    from functools import partial

    from tunesmith.cli.screen import Screen
    from tunesmith.cli.steps import telling

    screen = Screen(stderr=True)
    return screen, partial(telling, screen)


def _share(given: str | None) -> float | None:
    """10% or 0.1 as a share. Raises InputError ``wrong_share``."""
    if given is None:
        return None
    try:
        return float(given.removesuffix("%")) / (100 if given.endswith("%") else 1)
    except ValueError:
        what = f"{given!r} is no share between 0 and 1"
        raise InputError("wrong_share", what, "--canary", "such as 10%; without --canary it answers all") from None


def _told(arguments: argparse.Namespace, project: Project, done: Deployed) -> int:
    """Say what came of it. Raises TunesmithError ``deploy_refused`` where the version was not let to work."""
    from tunesmith.deploying import worked

    if arguments.json:
        told = {"version": done.version, "stage": done.stage, "kind": done.kind, "why": done.why}
        _say(json.dumps(told))
        return 1 if done.stage == "failed" else 0
    return _say(_words(project.name, worked(done, str(project.root))))


def _words(project: str, done: Deployed) -> str:
    name = done.version
    if done.waits:
        return f"{name} is ready; no server runs. The next `tunesmith serve` starts it."
    if done.stage in ("rolled_back", "replaced"):
        return f"{name}: {done.why or 'replaced by another'}."
    if done.ended_a_trial:
        return f"What was tried is taken back; {project} is {name} as before."
    return {
        "canary": f"{name} answers {done.share or 0:.0%} of what is asked of {project}, and {project}:canary.",
        "shadow": f"{name} answers in the shadow: `tunesmith deploy --status` compares.",
        "alias": f"{project}:{done.name} leads to {name}.",
        "rollback": f"{project} is {name} again.",
    }.get(done.kind, f"{project} is {name} now.")


def _say(words: str) -> int:
    from tunesmith.cli.screen import Screen

    screen = Screen()
    screen.say(words)
    return 0


def _status(arguments: argparse.Namespace, found: Any) -> int:
    from tunesmith.cli.deployed import show

    if arguments.json:
        return _say(json.dumps(asdict(found), ensure_ascii=False))
    show(found)
    return 0
