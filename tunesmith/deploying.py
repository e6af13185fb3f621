"""Deploy a project's model: record a wish, let the server that runs carry it out, and tell what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from sqlite3 import Connection
from typing import TYPE_CHECKING

from tunesmith.deployment import rollouts, versions
from tunesmith.deployment.leading import server_runs
from tunesmith.deployment.rollouts import Kind, Rollout, Stage
from tunesmith.deployment.state import State
from tunesmith.deployment.tables import has_state, open_state
from tunesmith.deployment.ways_to_serve import ENGINES, EXACT, PRECISIONS, EngineName, check_of_llamacpp
from tunesmith.errors import InputError, TunesmithError

if TYPE_CHECKING:
    from tunesmith.project import Project

#: Is told what is being done, and how much of it is done of how much.
Tell = Callable[[str, int, int], None]

#: Seconds between two looks at how far the server is.
LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Wish:
    """Which version is to answer, and whom. By default: the model that `serve` takes, all requests.

    ``version``: one that was deployed before, such as @3f2a. ``round``: the model of a round. ``canary``: the share of
    requests that it is tried on. ``shadow``: it answers too, to nobody. ``name``: a name of one's own that leads to it.
    ``engine`` and ``precision``: as of `serve`.
    """

    version: str | None = None
    round: int | None = None
    canary: float | None = None
    shadow: bool = False
    name: str | None = None
    engine: EngineName = "auto"
    precision: str = EXACT

    @property
    def kind(self) -> Kind:
        return "canary" if self.canary is not None else "shadow" if self.shadow else "alias" if self.name else "deploy"


@dataclass(frozen=True)
class Deployed:
    """What came of a wish. ``version``: by its full name, such as support-desk@3f2a; ``id``: the whole of it.

    ``stage``: wanted (no server runs: the next one does it), active or done; failed, with ``why``, where what answered
    before answers still. ``before``: the id of the version that answered when it was switched.
    """

    version: str
    id: str
    kind: Kind
    stage: Stage
    share: float | None
    name: str | None
    why: str
    before: str | None = None

    @property
    def ended_a_trial(self) -> bool:
        """Whether it took back a canary or a shadow: the version that answered before does so still."""
        return self.kind == "rollback" and self.id == self.before

    @property
    def waits(self) -> bool:
        """Whether it is for the next server to do."""
        return self.stage in ("wanted", "starting", "switched")


def nothing_told(what: str, done: int, total: int) -> None:
    """Tell nobody."""


def deploy(
    project: Project,
    wish: Wish,
    *,
    tell: Tell = nothing_told,
    say: Callable[[str], None] = lambda words: None,
) -> Deployed:
    """Prepare the version that is meant, let it work beside the one before, and wait until the server has switched.

    ``say`` is told the version's verdict, and what is done otherwise than one may think. Raises InputError
    ``wrong_argument``, ``wrong_share``, ``bad_alias``, ``unknown_version``, ``nothing_deployed`` and ``same_version``,
    and TunesmithError ``export_refused``; one that the server refused is told as ``failed`` (see `worked`).
    """
    # with the server's own code, as the server would; imported here, since the server stands upon Project
    from tunesmith.server.preparing import model_meant, prepare_deployment

    check(wish)
    if not has_state(project.store.root):  # what cannot be leaves none
        _check_first(wish)
    prepare = partial(
        prepare_deployment,
        project,
        wish.version or model_meant(project, wish.round),
        engine=wish.engine,
        precision=wish.precision,
        tell=say,
        progress=tell,
    )
    return _with_state(project, tell, lambda state: _wished(state, wish, prepare))


def promote(project: Project, *, tell: Tell = nothing_told) -> Deployed:
    """Let the version that is tried answer all. Raises InputError ``nothing_to_promote``."""
    if not has_state(project.store.root):
        raise rollouts.nothing_to_promote()
    return _with_state(project, tell, lambda state: state.change(rollouts.ask_promotion))


def rollback(project: Project, *, tell: Tell = nothing_told) -> Deployed:
    """Let the version before answer again. Raises InputError ``nothing_to_roll_back``."""
    if not has_state(project.store.root):
        raise rollouts.nothing_to_roll_back()
    return _with_state(project, tell, lambda state: state.change(rollouts.ask_back))


def drop_name(project: Project, name: str) -> None:
    """Take a name of one's own away. Raises InputError ``unknown_alias``."""
    if not has_state(project.store.root):
        raise versions.unknown_alias(name, ())
    state = open_state(project.store.root)
    try:
        state.change(lambda one: versions.drop(one, name))
    finally:
        state.close()


def check(wish: Wish) -> None:
    """Raises InputError where the parts of a wish do not fit together."""
    if wish.version and wish.round is not None:
        what = "a version and a round were both given"
        raise InputError("wrong_argument", what, "--round", "name one of them")
    if sum((wish.canary is not None, wish.shadow, bool(wish.name))) > 1:
        what = "of canary, shadow and a name more than one was given"
        raise InputError("wrong_argument", what, "deploy", "one wish at a time")
    if wish.canary is not None and not 0 < wish.canary < 1:
        what = f"{wish.canary!r} is no share between 0 and 1"
        raise InputError("wrong_share", what, "--canary", "such as 10%; without --canary it answers all")
    for option, given, known in (("--engine", wish.engine, ENGINES), ("--precision", wish.precision, PRECISIONS)):
        if given not in known:
            raise InputError("wrong_argument", f"{given!r} is unknown", option, f"one of {', '.join(known)}")
    check_of_llamacpp(wish.engine, wish.precision)
    if wish.version and (wish.engine != "auto" or wish.precision != EXACT):
        what = f"{wish.version} was recorded with what runs it, and takes no engine and no precision"
        raise InputError("wrong_argument", what, "deploy", "leave them out, or leave the version out to make another")
    if wish.name:
        versions.check_name(wish.name)


def worked(deployed: Deployed, where: str) -> Deployed:
    """What came of it, where it was let to work. Raises TunesmithError ``deploy_refused``."""
    if deployed.stage != "failed":
        return deployed
    what = f"{deployed.version} was not let to work: {deployed.why}; what answered before answers still"
    raise TunesmithError("deploy_refused", what, where, "`tunesmith deploy --status` tells what happened")


def _check_first(wish: Wish) -> None:
    """Raises InputError ``unknown_version`` or ``nothing_deployed`` for what needs an earlier deployment."""
    if wish.version:
        raise versions.unknown_version(wish.version)
    if wish.kind != "deploy":
        raise _nothing_deployed()


def _wished(state: State, wish: Wish, prepare: Callable[..., versions.Record]) -> Rollout:
    def check_it(id: str) -> None:
        state.look(lambda one: _check_beside(one, wish, id))

    record = prepare(state, check=check_it)
    return state.change(lambda one: _asked(one, wish, record))


def _asked(connection: Connection, wish: Wish, record: versions.Record) -> Rollout:
    _check_beside(connection, wish, record.id)  # it may have been deployed meanwhile
    return rollouts.ask(connection, wish.kind, record.id, name=wish.name or "", share=wish.canary or 0.0)


def _check_beside(connection: Connection, wish: Wish, id: str) -> None:
    """Raises InputError ``nothing_deployed`` or ``same_version`` for a version that is to be tried beside another."""
    now = versions.aliases(connection).get(versions.MAIN)
    if wish.kind != "deploy" and now is None:
        raise _nothing_deployed()
    if wish.kind in ("canary", "shadow") and now == id:
        what = f"@{versions.get(connection, id).shown} answers all requests already"
        raise InputError("same_version", what, "deploy", "train another, or name one: `tunesmith deploy --status`")


def _nothing_deployed() -> InputError:
    what = "no version answers yet, so there is none to try another beside"
    return InputError("nothing_deployed", what, "deploy", "`tunesmith deploy` first, or `tunesmith serve`")


def _with_state(project: Project, tell: Tell, ask: Callable[[State], Rollout]) -> Deployed:
    state = open_state(project.store.root)
    try:
        rollout = _carried_out(state, ask(state), tell)
        record = state.look(lambda one: versions.get(one, rollout.version))
    finally:
        state.close()
    name = f"{project.name}@{record.shown}"
    return Deployed(
        name,
        record.id,
        rollout.kind,
        rollout.stage,
        rollout.share or None,
        rollout.name or None,
        rollout.why,
        rollout.before,
    )


def _carried_out(state: State, rollout: Rollout, tell: Tell) -> Rollout:
    """Wait for the server to do it; without a server, what needs none is done and the rest waits for the next start."""

    def now(connection: Connection) -> Rollout:
        return rollouts.get(connection, rollout.id)

    while not rollout.over and server_runs(state.path.parent):
        tell(rollout.progress or "waiting for the server", 0, 0)
        time.sleep(LOOK_SECONDS)
        rollout = state.look(now)
    if not rollout.over and rollout.kind in ("rollback", "promote"):
        state.change(lambda one: rollouts.carry_out_now(one, rollout.id))
    return state.look(now)
