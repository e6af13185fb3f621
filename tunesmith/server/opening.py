"""Open what a project serves: the versions that its names lead to, or the model as it is where nobody deployed any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tunesmith.deployment import rollouts, versions
from tunesmith.deployment.leading import Lead
from tunesmith.deployment.rollouts import Rollout
from tunesmith.deployment.versions import MAIN, Record
from tunesmith.deployment.ways_to_serve import EXACT
from tunesmith.errors import InputError
from tunesmith.project import Project
from tunesmith.server import checking
from tunesmith.server.preparing import load, prepare, sweep_unfinished
from tunesmith.server.registry import Routes
from tunesmith.server.rollout import Roller
from tunesmith.server.served import UPSTREAM_KINDS, Served, Wanted
from tunesmith.server.site import Site
from tunesmith.server.version import version_of


@dataclass(frozen=True)
class FromProject:
    """Makes the versions of a project work (`rollout.Maker`)."""

    project: Project
    site: Site
    wanted: Wanted

    def load(self, record: Record, tell: Callable[[str], None]) -> Served:
        tell("loading")
        wanted = replace(self.wanted, progress=lambda what, done, total: tell(what))
        return load(self.project, self.site, record, wanted)

    async def check(self, served: Served, record: Record, tell: Callable[[str], None]) -> str | None:
        return await checking.check(self.project, served, record, tell)


def open_routes(project: Project, site: Site, wanted: Wanted) -> tuple[Routes, Roller]:
    """Load the version that the project's name leads to, and what switches it while the server runs.

    Where nobody ever deployed one it is the model as it is now (`version.version_of`), which is recorded. The version
    that was deployed before any was served is loaded in its place, and checked at the start. The others that are needed
    (a canary, other names) are loaded once the server runs.
    """
    state = site.state
    if state is None:
        raise ValueError("versions need a state")
    sweep_unfinished(project)
    lead = Lead(state.path.parent)
    if lead.take():
        state.change(rollouts.resume)
    record = _first(project, site, wanted)
    _check_engine(record, wanted)
    served = load(project, site, record, wanted)
    maker = FromProject(project, site, wanted)
    settings = project.settings.serve.deploy
    roller = Roller(project.name, state, settings, maker, lead, {record.id: served})
    return Routes(served), roller


def _first(project: Project, site: Site, wanted: Wanted) -> Record:
    """The version that answers when the server starts."""
    state = site.state
    assert state is not None
    aliases = state.look(versions.aliases)
    waiting = state.look(rollouts.wanted)
    if MAIN in aliases and (waiting is not None or state.look(rollouts.is_deployed)):
        deployed = state.look(lambda one: versions.get(one, aliases[MAIN]))
        _check_weights(deployed, wanted)
        return _told_of_newer(project, deployed, wanted)
    if waiting is not None:
        deployed = _of(waiting, site)
        _check_weights(deployed, wanted)
        return deployed
    _, record = prepare(project, state, version_of(project), wanted, probes=False)
    state.change(lambda one: rollouts.record_first(one, record.id))
    return record


def _check_engine(record: Record, wanted: Wanted) -> None:
    """Raises InputError ``engine_cannot`` where another engine was deployed than is asked for."""
    upstream = (record.export or {}).get("upstream")
    kind = upstream["kind"] if upstream else None
    if wanted.engine not in ("auto", kind) and (upstream or wanted.engine in UPSTREAM_KINDS):
        by = f"the upstream at {upstream['url']}" if upstream else "this machine"
        what = f"@{record.shown} was deployed to be answered by {by}"
        fix = f"`tunesmith deploy --engine {wanted.engine}`, or leave --engine out"
        raise InputError("engine_cannot", what, "--engine", fix)


def _check_weights(record: Record, wanted: Wanted) -> None:
    """Raises InputError ``engine_cannot`` where other weights were deployed than are asked for."""
    precision = (record.export or {}).get("precision")
    if wanted.precision not in (None, precision or EXACT):
        weights = f"with weights of {precision}" if precision else "without an export for llama.cpp"
        what = f"@{record.shown} was deployed {weights}"
        fix = f"`tunesmith deploy --precision {wanted.precision}`, or leave --precision out"
        raise InputError("engine_cannot", what, "--precision", fix)


def _of(waiting: Rollout, site: Site) -> Record:
    assert site.state is not None
    return site.state.look(lambda one: versions.get(one, waiting.version))


def _told_of_newer(project: Project, record: Record, wanted: Wanted) -> Record:
    """Tell where something newer was trained than what was deployed."""
    try:
        newest = version_of(project)
    except InputError:
        return record
    if newest.made_at > float(record.made_of["made_at"]):
        wanted.tell(f"{project.name}: @{record.shown} was deployed; `tunesmith deploy` takes what was trained since.")
    return record
