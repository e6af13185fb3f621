"""The stage `base`: choose the model to start from, fetch it once, verify it, pin it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet

from tunesmith import catalog
from tunesmith.artifact import hash_of, sha256_of, write_json
from tunesmith.base_folder import check_form, read_record, verify
from tunesmith.catalog import Entry, HubSource, LocalSource
from tunesmith.errors import InputError
from tunesmith.events import Sink, ignore
from tunesmith.plugins import learner_for
from tunesmith.products import BaseModel, Collection, GoalSheet
from tunesmith.stages.base import cached, fetch, machine, naming, scratch
from tunesmith.stages.base.choose import Choice, choose
from tunesmith.stages.base.describe import Description, describe
from tunesmith.stages.base.fetch import Found, Outside
from tunesmith.stages.base.naming import Named
from tunesmith.stages.base.pins import Pins, pin, read_pins
from tunesmith.stages.base.settings import SCRATCH, BaseSettings
from tunesmith.stages.context import Context

VERSION = 1
OUTSIDE = Outside()


def run(
    inputs: Mapping[str, Any], settings: BaseSettings, context: Context, outside: Outside = OUTSIDE
) -> dict[str, Any]:
    """Write base.json, and pin the base in the project's tunesmith.lock. The model itself lies in the cache.

    A fresh model lies in the artifact and is not pinned: it follows from the rows, the settings and the seed.
    """
    if settings.from_scratch:
        return scratch.make(inputs, settings, context)
    goal: GoalSheet = inputs["goal"]
    pins = read_pins(context.project)
    automatic = settings.model == "auto"
    if automatic:
        found, named, reason = _obtain_first(_choices(goal, inputs["collect"], pins), pins, context, outside)
    else:
        named = naming.parse(settings.model, context.project)
        if named.entry:  # before anything is fetched
            learner_for(named.entry.kind, goal.input, goal.output)
        reason = f"{settings.model} is what base.model says."
        found = _obtain(named, pins, context, outside)
    base = product(named, found, reason)
    learner_for(base.kind, goal.input, goal.output)
    context.note(reason)
    write_json(context.folder / "base.json", asdict(base))
    pin(context.project, base, found.pin, auto_for=goal.output if automatic else None)
    return {"parameters": base.parameters}


def check(settings: BaseSettings, project: Path | None = None) -> None:
    """Raise what can be told without network and in no time: an unknown name, a folder that is no model."""
    if project is not None:
        read_pins(project)
    if settings.model == "auto" or settings.from_scratch:
        return
    named = naming.parse(settings.model, project)
    if named.folder is not None and (named.folder.is_absolute() or project is not None):
        check_form(named.folder)


def fingerprint(settings: BaseSettings, project: Path | None = None) -> str:
    """A cheap identity of a local base: its file names and sizes and the hash of its config. Empty for all others.

    Other bases are pinned by hash, so that they cannot change unseen.
    """
    if settings.from_scratch:
        return ""
    if settings.model == "auto":
        folders = [_env_folder(entry) for entry in catalog.entries()]
    else:
        named = naming.parse(settings.model, project)
        folders = [named.folder or (_env_folder(named.entry) if named.entry else None)]
    seen = [_listing(folder) for folder in folders if folder is not None]
    return hash_of(seen) if seen else ""


def refetch(
    name: str, cache: Path, sink: Sink = ignore, outside: Outside = OUTSIDE, project: Path | None = None
) -> list[Path]:
    """Fetch a base again and put it in place of its cached copies; returns the folders made.

    An old copy goes only once the new one is whole. When there is none, what the ``project`` is
    pinned to is fetched. ``auto`` mends every cached base of the catalogue that is damaged.
    Raises InputError when the sources cannot be had.
    """
    if name == SCRATCH:
        fix = "`tunesmith run --from-scratch` makes it again"
        raise InputError("local_base", "this base is made here, of your rows; there is nothing to fetch", name, fix)
    context = Context("base", cache, cache, cache, sink=sink)
    if name == "auto":
        damaged = [
            entry.name for entry in catalog.entries() if any(map(_is_damaged, cached.copies_of(cache, entry.name)))
        ]
        return [folder for each in damaged for folder in refetch(each, cache, sink, outside, project)]
    named = naming.parse(name, project)
    parameters = named.entry.parameters if named.entry else 0
    if not named.sources:
        fix = "copy its files again from where they came"
        raise InputError("local_base", "this base is your own folder; there is nothing to fetch", name, fix)
    copies = _sources_of_copies(named, cache)
    if not copies:
        pinned = read_pins(project).bases.get(name) if project else None
        return [fetch.obtain(name, named.sources, parameters, context, outside, pinned).folder]
    return [fetch.fetch(name, source, parameters, context, outside, again=True).folder for source in copies]


def here(name: str, cache: Path, project: Path) -> tuple[Path, str] | None:
    """Folder and sha256 of a base of the catalogue, where no network is needed for it; else None."""
    entry = catalog.find(name)
    if (own := _env_folder(entry)) is not None:
        check_form(own)
        return own, hash_of(_listing(own))  # its files' names and sizes: weights are long to hash
    pinned = read_pins(project).bases.get(name)
    for source in entry.sources:
        if isinstance(source, LocalSource) or (pinned and pinned.source != source.id):
            continue
        folder = cached.folder_of(cache, name, source.digest)
        if folder.is_dir():
            return folder.absolute(), str(read_record(folder)["weights_sha256"])
    return None


def fetch_named(name: str, cache: Path, project: Path, sink: Sink, outside: Outside = OUTSIDE) -> Path:
    """The folder of a base of the catalogue, verified, fetched where it is not here yet. Nothing is pinned.

    Raises InputError ``base_unavailable`` where no source can be had.
    """
    entry = catalog.find(name)
    context = Context("clean", project, cache, cache, sink=sink)
    pinned = read_pins(project).bases.get(name)
    return fetch.obtain(name, entry.sources, entry.parameters, context, outside, pinned).folder


def had(name: str, cache: Path, project: Path, sink: Sink, outside: Outside = OUTSIDE) -> BaseModel:
    """Any base that base.model may name, verified, fetched where it is not here yet. Nothing is pinned.

    Raises InputError for an unknown one, and ``base_unavailable`` where no source can be had.
    """
    named = naming.parse(name, project)
    context = Context("base", project, cache, cache, sink=sink)
    return product(named, _obtain(named, read_pins(project), context, outside), f"{name} was asked for.")


def _sources_of_copies(named: Named, cache: Path) -> list[fetch.Remote]:
    """The sources that the cached copies were made from, a branch replaced by the commit that it was then."""
    sources: list[fetch.Remote] = []
    for source in named.sources:
        for folder in cached.copies_of(cache, named.name):
            if isinstance(source, HubSource) and not naming.is_commit(source.revision):
                sources.append(replace(source, revision=read_record(folder)["revision"]))
            elif not isinstance(source, LocalSource) and folder == cached.folder_of(cache, named.name, source.digest):
                sources.append(source)
    return sources


def _choices(goal: GoalSheet, collection: Collection, pins: Pins) -> list[Choice]:
    """What auto would take, best first; the pinned choice of an earlier run alone when there is one."""
    if goal.output in pins.auto:
        entry = catalog.find(pins.auto[goal.output])
        return [Choice(entry, f"{entry.name} is what auto chose before; tunesmith.lock pins it.")]
    hub = catalog.hub_switched_off() is None
    examples, characters = _size(collection)
    found = choose(catalog.entries(), goal.output, examples, characters, machine.look(), hub=hub)
    if not found:
        fix = "name a local folder or hub id as base.model"
        raise InputError("no_base", f"the catalogue has no base that makes {goal.output}", "base.model", fix)
    return found


def _obtain_first(choices: list[Choice], pins: Pins, context: Context, outside: Outside) -> tuple[Found, Named, str]:
    """The first choice that can be had; each that cannot is told in a note."""
    for place, choice in enumerate(choices, start=1):
        named = Named(choice.entry.name, choice.entry.sources, choice.entry)
        try:
            return _obtain(named, pins, context, outside), named, choice.reason
        except InputError as error:
            if error.code != "base_unavailable" or place == len(choices):
                raise
            context.note(f"{error.what}; the next best base is taken")
    raise AssertionError("there is at least one choice")


def _obtain(named: Named, pins: Pins, context: Context, outside: Outside) -> Found:
    if named.folder is not None:
        return fetch.from_folder(named.folder)
    parameters = named.entry.parameters if named.entry else 0
    return fetch.obtain(named.name, named.sources, parameters, context, outside, pins.bases.get(named.name))


def product(named: Named, found: Found, reason: str) -> BaseModel:
    """The stage's product, with what the catalogue says of the base, or else its own files."""
    facts: Entry | Description = named.entry or describe(found.folder)
    source = f"{found.pin.source}@{found.pin.revision}" if found.pin.revision else found.pin.source
    return BaseModel(
        name=named.name,
        kind=facts.kind,
        folder=found.folder,
        parameters=facts.parameters,
        context=facts.context,
        licence=facts.licence,
        languages=facts.languages,
        source=source,
        sha256=found.pin.weights_sha256,
        reason=reason,
    )


def _size(collection: Collection) -> tuple[int, int]:
    """How many examples there are, and about how many characters: the messages' size before compression."""
    metadata = pyarrow.parquet.ParquetFile(collection.path / "examples.parquet").metadata
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    columns = [group.column(number) for group in groups for number in range(group.num_columns)]
    sizes = [column.total_uncompressed_size for column in columns if column.path_in_schema == "messages"]
    return metadata.num_rows, sum(sizes)


def _env_folder(entry: Entry) -> Path | None:
    return next((source.folder() for source in entry.sources if isinstance(source, LocalSource)), None)


def _listing(folder: Path) -> list[Any]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    config = folder / "config.json"
    sizes = [[path.relative_to(folder).as_posix(), path.stat().st_size] for path in files]
    return [sizes, sha256_of(config) if config.is_file() else None]


def _is_damaged(folder: Path) -> bool:
    try:
        verify(folder, full=True)
    except InputError:
        return True
    return False
