"""`tunesmith deploy`: let another version answer, beside the old one first; and `tunesmith rollback`."""

from __future__ import annotations

import argparse
import json
import time
from typing import TYPE_CHECKING, Any

from tunesmith.cli.arguments import add_verb, open_project
from tunesmith.cli.serve import ENGINES, PRECISIONS
from tunesmith.errors import InputError, TunesmithError

if TYPE_CHECKING:
    from tunesmith.cli.steps import Tell
    from tunesmith.deployment.rollouts import Rollout
    from tunesmith.deployment.state import State
    from tunesmith.deployment.versions import Record
    from tunesmith.project import Project

#: Seconds between two looks at how far the server is.
LOOK_SECONDS = 0.1


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
    parser.add_argument("--engine", choices=ENGINES, default="auto", help="as of serve")
    parser.add_argument("--precision", choices=PRECISIONS, default="f16", help="as of serve (default: f16)")
    parser.add_argument("--json", action="store_true", help="what came of it as JSON, for machines")
    back = add_verb(verbs, "rollback", run_back, "let the version before answer again, at once")
    back.add_argument("--json", action="store_true", help="what came of it as JSON, for machines")


def run(arguments: argparse.Namespace) -> int:
    from tunesmith.deployment import rollouts, versions
    from tunesmith.deployment.tables import open_state

    _check(arguments)
    share = _share(arguments.canary)
    project = open_project(arguments)
    state = open_state(project.store.root)
    try:
        if arguments.status:
            return _status(arguments, project, state)
        if arguments.drop:
            state.change(lambda one: versions.drop(one, arguments.drop))
            return _say(f"{project.name}:{arguments.drop} leads nowhere any more.")
        if arguments.promote:
            return _carry_out(arguments, project, state, state.change(rollouts.ask_promotion))
        record = _prepared(arguments, project, state)
        kind = (
            "canary" if arguments.canary else "shadow" if arguments.shadow else "alias" if arguments.name else "deploy"
        )
        rollout = state.change(lambda one: _asked(one, kind, record, share, arguments.name or ""))
        return _carry_out(arguments, project, state, rollout)
    finally:
        state.close()


def run_back(arguments: argparse.Namespace) -> int:
    from tunesmith.deployment import rollouts
    from tunesmith.deployment.tables import open_state

    project = open_project(arguments)
    state = open_state(project.store.root)
    try:
        return _carry_out(arguments, project, state, state.change(rollouts.ask_back))
    finally:
        state.close()


def _check(arguments: argparse.Namespace) -> None:
    from tunesmith.deployment.versions import check_name

    if arguments.version and arguments.round is not None:
        what = "a version and a round were both given"
        raise InputError("wrong_argument", what, "--round", "name one of them")
    if (arguments.promote or arguments.drop or arguments.status) and (arguments.version or arguments.round is not None):
        raise InputError("wrong_argument", "this takes no version", "deploy", "leave the version out")
    if arguments.name:
        check_name(arguments.name)


def _share(given: str | None) -> float:
    """10% or 0.1 as a share. Raises InputError ``wrong_share``."""
    if given is None:
        return 0.0
    try:
        share = float(given.removesuffix("%")) / (100 if given.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 < share < 1:
        what = f"{given!r} is no share between 0 and 1"
        raise InputError("wrong_share", what, "--canary", "such as 10%; without --canary it answers all")
    return share


def _asked(connection: Any, kind: Any, record: Record, share: float, name: str) -> Rollout:
    from tunesmith.deployment import rollouts, versions

    now = versions.aliases(connection).get(versions.MAIN)
    if kind in ("canary", "shadow", "alias") and now is None:
        what = "no version answers yet, so there is none to try another beside"
        raise InputError("nothing_deployed", what, "deploy", "`tunesmith deploy` first, or `tunesmith serve`")
    if kind in ("canary", "shadow") and now == record.id:
        what = f"@{record.shown} answers all requests already"
        raise InputError("same_version", what, "deploy", "train another, or name one: `tunesmith deploy --status`")
    return rollouts.ask(connection, kind, record.id, name=name, share=share)


def _prepared(arguments: argparse.Namespace, project: Project, state: State) -> Record:
    """The version that is meant, exported and recorded."""
    from tunesmith.cli.screen import Screen
    from tunesmith.cli.steps import telling
    from tunesmith.deployment import versions
    from tunesmith.server.preparing import prepare, sweep
    from tunesmith.server.served import Wanted
    from tunesmith.server.version import of_round, recorded, version_of

    errors = Screen(stderr=True)
    with telling(errors, "reading the project") as tell:
        known = state.look(lambda one: versions.find(one, arguments.version)) if arguments.version else None
        if known is not None:
            recorded(project, known)  # whether all of it is there still
            return known
        if arguments.version:
            what = f"no version {arguments.version!r} was deployed or served before"
            raise InputError("unknown_version", what, "deploy", "`tunesmith deploy --status` lists those that were")
        version = of_round(project, arguments.round) if arguments.round is not None else version_of(project)
        wanted = Wanted(arguments.engine, arguments.precision, tell=errors.say, progress=tell)
        version, record = prepare(project, state, version, wanted)
        sweep(project, state, project.settings.serve.deploy.keep)
    errors.say(f"{version.full_name}: {version.tested or 'not tested: `tunesmith run` measures it'}")
    return record


def _carry_out(arguments: argparse.Namespace, project: Project, state: State, rollout: Rollout) -> int:
    """Wait for the server to do it; without a server, what needs none is done and the rest waits for the next start."""
    from tunesmith.cli.screen import Screen
    from tunesmith.cli.steps import telling
    from tunesmith.deployment import rollouts
    from tunesmith.deployment.leading import server_runs

    def now(connection: Any) -> Rollout:
        return rollouts.get(connection, rollout.id)

    with telling(Screen(stderr=True), "waiting for the server") as tell:
        while not rollout.over and server_runs(state.path.parent):
            _progress(rollout, tell)
            time.sleep(LOOK_SECONDS)
            rollout = state.look(now)
    if not rollout.over and rollout.kind in ("rollback", "promote"):
        state.change(lambda one: rollouts.carry_out_now(one, rollout.id))
    return _told(arguments, project, state, state.look(now))


def _progress(rollout: Rollout, tell: Tell) -> None:
    if rollout.progress:
        tell(rollout.progress, 0, 0)


def _told(arguments: argparse.Namespace, project: Project, state: State, rollout: Rollout) -> int:
    """Say what came of it. Raises TunesmithError ``deploy_refused`` where the version was not let to work."""
    from tunesmith.deployment import versions

    record = state.look(lambda one: versions.get(one, rollout.version))
    name = f"{project.name}@{record.shown}"
    if arguments.json:
        told = {"version": name, "stage": rollout.stage, "kind": rollout.kind, "why": rollout.why}
        _say(json.dumps(told))
        return 1 if rollout.stage == "failed" else 0
    if rollout.stage == "failed":
        what = f"{name} was not let to work: {rollout.why}; what answered before answers still"
        raise TunesmithError(
            "deploy_refused", what, str(project.root), "`tunesmith deploy --status` tells what happened"
        )
    return _say(_words(project.name, name, rollout))


def _words(project: str, name: str, rollout: Rollout) -> str:
    if not rollout.over:
        return f"{name} is ready; no server runs. The next `tunesmith serve` starts it."
    if rollout.stage in ("rolled_back", "replaced"):
        return f"{name}: {rollout.why or 'replaced by another'}."
    return {
        "canary": f"{name} answers {rollout.share:.0%} of what is asked of {project}, and {project}:canary.",
        "shadow": f"{name} answers in the shadow: `tunesmith deploy --status` compares.",
        "alias": f"{project}:{rollout.name} leads to {name}.",
        "rollback": f"{project} is {name} again.",
    }.get(rollout.kind, f"{project} is {name} now.")


def _say(words: str) -> int:
    from tunesmith.cli.screen import Screen

    screen = Screen()
    screen.say(words)
    return 0


def _status(arguments: argparse.Namespace, project: Project, state: State) -> int:
    from tunesmith.cli.deployed import show, told
    from tunesmith.deployment.leading import server_runs

    runs = server_runs(state.path.parent)
    if arguments.json:
        return _say(json.dumps(told(project, state, runs), ensure_ascii=False))
    show(project, state, runs)
    return 0
