"""Prepare a version to be served: its own export and certificate, the answers that it is checked by, its record."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunesmith.artifact import Artifact, hash_of
from tunesmith.deployment import rollouts, versions
from tunesmith.deployment.state import State
from tunesmith.deployment.versions import Probe, Record
from tunesmith.deployment.ways_to_serve import EXACT, EngineName, not_of_llamacpp
from tunesmith.errors import InputError, TunesmithError
from tunesmith.export import unfinished
from tunesmith.export.forms import IN_FLOAT32
from tunesmith.project import Project
from tunesmith.server import checking
from tunesmith.server.preparing_upstream import at_upstream, id_at, upstream_of
from tunesmith.server.served import (
    UPSTREAM_KINDS,
    Served,
    Wanted,
    check_engine,
    gives,
    serve_upstream,
    serve_version,
)
from tunesmith.server.site import Site
from tunesmith.server.version import Version, of_round, recorded, version_of

if TYPE_CHECKING:
    from tunesmith.export.run import Exported

#: Where the exports of versions lie, in a project's own folder: those that `tunesmith export` makes are replaced.
EXPORTS = "serve/exports"


def prepare(
    project: Project, state: State, version: Version, wanted: Wanted, *, probes: bool = True
) -> tuple[Version, Record]:
    """Export the version and record it; what is there already is not made again. Without ``probes`` no model is asked
    for the answers that a version without an export is checked by, and no upstream again that was asked before.

    Raises TunesmithError ``export_refused`` where the export does not answer as the model, and InputError
    ``engine_cannot`` and ``wrong_argument``.
    """
    check_engine(version, wanted.engine)
    if wanted.weights != EXACT and gives(version) == "labels":
        why = f"{version.name} is a classifier, which torch runs as it was trained"
        raise not_of_llamacpp(f"--precision {wanted.weights}", why)
    version, export, told = _exported(project, version, wanted, again=probes)
    if export is None and probes:
        told = _asked(project, version, wanted)
    record = state.change(lambda connection: versions.add(connection, version.id, version.made_of, export, told))
    return replace(version, shown=record.shown), record


def model_meant(project: Project, round: int | None) -> Version:
    """The model of a ``round``, or what `serve` would take. Raises InputError where there is none."""
    return of_round(project, round) if round is not None else version_of(project)


def prepare_deployment(
    project: Project,
    version: str | Version,
    state: State,
    *,
    engine: EngineName,
    precision: str,
    tell: Callable[[str], None],
    progress: Callable[[str, int, int], None],
    check: Callable[[str], None] = lambda id: None,
) -> Record:
    """The version that is to be deployed, prepared and recorded; what no version needs any more is thrown away.

    ``version``: one that is recorded already, by the words that name it, or a model. ``check`` is given its id, and may
    raise, before any model is asked. Raises InputError ``unknown_version``, ``version_gone`` and what `prepare` raises.
    """
    sweep_unfinished(project)
    if isinstance(version, str):
        known = state.look(lambda one: versions.find(one, version))
        if known is None:
            raise versions.unknown_version(version)
        check(known.id)
        recorded(project, known)  # whether all of it is there still
        return known
    wanted = Wanted(engine, precision, tell=tell, progress=progress)
    check(served_id(project, version, wanted))
    made, record = prepare(project, state, version, wanted)
    sweep(project, state, project.settings.serve.deploy.keep)
    tell(f"{made.full_name}: {made.tested or 'not tested: `tunesmith run` measures it'}")
    return record


def served_id(project: Project, version: Version, wanted: Wanted) -> str:
    """The id that a version goes by as it is wanted: with weights of another precision, or at an upstream, it is
    another version. Raises InputError ``no_upstream``."""
    if wanted.engine in UPSTREAM_KINDS:
        return id_at(project, version, wanted.engine)
    return version.id if wanted.weights == EXACT else hash_of([version.id, wanted.weights])


def _exported(
    project: Project, version: Version, wanted: Wanted, *, again: bool
) -> tuple[Version, Mapping[str, Any] | None, tuple[Probe, ...]]:
    if wanted.engine in UPSTREAM_KINDS:
        return at_upstream(project, version, wanted.engine, EXPORTS, wanted, again=again)
    if wanted.engine == "torch" or gives(version) == "labels":
        return version, None, ()
    try:
        return _keep_export(project, version, wanted)
    except TunesmithError as error:
        if wanted.engine == "llamacpp":
            raise
        wanted.tell(f"{version.name}: by torch, one answer at a time, since llama.cpp cannot: {error.what}")
        return version, None, ()


def _keep_export(
    project: Project, version: Version, wanted: Wanted
) -> tuple[Version, Mapping[str, Any], tuple[Probe, ...]]:
    from tunesmith.engines.llamacpp import require

    require()
    if version.tuned is None:
        raise InputError("engine_cannot", "nothing was trained, and the base is not exported", "--engine")
    train = _training(project, version)
    version = replace(version, id=served_id(project, version, wanted))
    made = _kept(project, train, wanted.weights, wanted)
    probes = tuple(Probe(*one) for one in made.certificate.get("probes", ()))
    place = made.folder.relative_to(project.store.root).as_posix()
    return version, {"form": made.form.name, "precision": wanted.weights, "folder": place}, probes


def _kept(project: Project, train: Artifact, precision: str, wanted: Wanted) -> Exported:
    """The export of a training, with a certificate of the arithmetic that it is served with. Versions of one training
    that differ in how they are asked share it."""
    from tunesmith.exporting import keep_as

    name = f"{train.id}-gguf-{precision}{IN_FLOAT32 if wanted.wide else ''}"
    place = project.store.root / EXPORTS / name
    return keep_as(project, "gguf", precision, place, train, wanted.progress, wide=wanted.wide)


def _asked(project: Project, version: Version, wanted: Wanted) -> tuple[Probe, ...]:
    """What the trained model answers to some test rows; none where it cannot be asked so."""
    from tunesmith.export.certificate import PROBES, probes_of
    from tunesmith.export.reference import reference
    from tunesmith.exporting import made_with

    if version.tuned is None or version.documents:
        return ()
    inputs = made_with(project, project.store.find("train", version.artifacts["train"]))
    settings = project.settings.export.model_copy(update={"rows": PROBES})
    given = reference(inputs, settings, tell=wanted.progress)
    return tuple(Probe(*one) for one in probes_of([row.id for row in given.rows], given.answers, given.answers))


def load(project: Project, site: Site, record: Record, wanted: Wanted) -> Served:
    """Load a recorded version as it was: by llama.cpp from its own export, which is made again where it was deleted or
    another arithmetic is wanted, or as the upstream has it."""
    version = recorded(project, record)
    upstream = upstream_of(project, record)
    if upstream is not None:
        check = partial(checking.check_engine, project, record=record, tell=lambda words: None)
        return serve_upstream(project, site, version, upstream, wanted, check)
    gguf = None
    if record.export is not None and wanted.engine != "torch":
        gguf = _gguf(project, version, record.export, wanted)
    return serve_version(project, site, version, wanted, gguf)


def _gguf(project: Project, version: Version, export: Mapping[str, Any], wanted: Wanted) -> Path:
    [gguf] = _kept(project, _training(project, version), str(export["precision"]), wanted).folder.glob("*.gguf")
    return gguf


def _training(project: Project, version: Version) -> Artifact:
    train = project.store.find("train", version.artifacts["train"])
    if train is None:
        raise InputError("version_gone", "the training of this version is gone", str(project.store.artifacts))
    return train


def sweep_unfinished(project: Project) -> None:
    """Delete what exports that were killed left in the project: it may be as large as the model."""
    from tunesmith.exporting import FOLDER

    for folder in (project.root / FOLDER, project.store.root / EXPORTS):
        unfinished.sweep(folder)


def sweep(project: Project, state: State, keep: int) -> None:
    """Delete the exports of old versions that no name leads to; each can be made again."""
    root = project.store.root
    if not (root / EXPORTS).is_dir():
        return

    def needed(connection: Any) -> set[str]:
        records = versions.everything(connection)
        found = rollouts.routing(connection)
        named = {*found.needed, *(one.version for one in rollouts.everything(connection) if not one.over)}
        kept = [one for one in records if one.export is not None][-keep:]
        kept += [one for one in records if one.id in named]
        last = [one.before for one in rollouts.everything(connection) if one.before][-1:]
        kept += [one for one in records if one.id in last]
        return {_stem(str(one.export["folder"])) for one in kept if one.export}

    stems = state.look(needed)
    for path in (root / EXPORTS).glob("*-gguf-*"):
        if path.is_dir() and not path.name.startswith(".") and _stem(f"{EXPORTS}/{path.name}") not in stems:
            shutil.rmtree(path, ignore_errors=True)


def _stem(place: str) -> str:
    """What exports of one training with certificates of different arithmetic share: a server may use the other."""
    return place.removesuffix(IN_FLOAT32)
