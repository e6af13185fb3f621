"""Prepare a version that a server of somebody's answers for: ask it the test rows, and keep what it answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tunesmith.artifact import hash_of
from tunesmith.deployment.upstream_settings import UpstreamSettings
from tunesmith.deployment.versions import Probe, Record
from tunesmith.engines.openai_endpoint import key_of
from tunesmith.engines.upstream import Kind, Upstream
from tunesmith.errors import InputError
from tunesmith.project import Project
from tunesmith.server.served import Wanted
from tunesmith.server.version import Version

WHERE = "serve.upstream"


def at_upstream(
    project: Project, version: Version, kind: Kind, place: str, wanted: Wanted, *, again: bool
) -> tuple[Version, Mapping[str, Any], tuple[Probe, ...]]:
    """The version as the upstream has it, what is recorded of it, and rows that it must answer alike. ``place``: the
    folder of the project for the certificate. With ``again`` it is asked all rows anew.

    Raises InputError ``no_upstream``, ``endpoint_key_missing`` or that of `upstream.told`, and TunesmithError
    ``export_refused`` where it answers otherwise than the trained model.
    """
    from tunesmith.export.run import whole_certificate
    from tunesmith.exporting import certify_upstream

    settings = _settings(project, kind)
    if version.tuned is None:
        raise InputError("engine_cannot", "nothing was trained, so an upstream has nothing to be held to", "--engine")
    train = project.store.find("train", version.artifacts["train"])
    if train is None:
        raise InputError("version_gone", "the training of this version is gone", str(project.store.artifacts))
    upstream = settings.upstream(kind, project.name)
    key_of(upstream.endpoint)
    folder = f"{place}/{train.id}-{kind}-{hash_of(upstream.told)[:12]}"
    if again or whole_certificate(project.store.root / folder) is None:
        _reach(project, upstream)
    made = certify_upstream(project, upstream, project.store.root / folder, train, wanted.progress, again=again)
    probes = tuple(Probe(*one) for one in made.certificate.get("probes", ()))
    form = {
        "form": f"{kind}: {upstream.endpoint.model}",
        "folder": folder,
        "upstream": {"kind": kind, **settings.model_dump(), "model": upstream.endpoint.model},
    }
    return replace(version, id=id_at(project, version, kind)), form, probes


def id_at(project: Project, version: Version, kind: Kind) -> str:
    """The id that the version goes by at the upstream of the settings. Raises InputError ``no_upstream``."""
    return hash_of([version.id, _settings(project, kind).upstream(kind, project.name).told])


def _settings(project: Project, kind: Kind) -> UpstreamSettings:
    settings = project.settings.serve.upstream
    if settings is None:
        fix = f"write into tunesmith.yaml: serve: {{upstream: {{url: http://127.0.0.1:8001/v1}}}}; {_command(project)}"
        raise InputError("no_upstream", f"--engine {kind} needs a server, and none is named", WHERE, fix)
    return settings


def _reach(project: Project, upstream: Upstream) -> None:
    from tunesmith.export.upstream import reach

    try:
        reach(upstream)
    except InputError as error:
        if error.code != "upstream_down":
            raise
        fix = f"{_command(project)}; or mend serve.upstream.url"
        raise InputError(error.code, error.what, upstream.endpoint.url, fix) from error


def upstream_of(project: Project, record: Record) -> Upstream | None:
    """The server that answers for a recorded version; None where it is served here.

    What its answers do not hang on (its key's variable, how long it may be silent) is as tunesmith.yaml says now, where
    that names the same server. Raises InputError ``endpoint_key_missing``.
    """
    told = dict((record.export or {}).get("upstream") or {})
    if not told:
        return None
    kind: Kind = told.pop("kind")
    recorded = UpstreamSettings(**told).upstream(kind, project.name)
    now = project.settings.serve.upstream
    current = now.upstream(kind, project.name) if now is not None else recorded
    found = current if current.told == recorded.told else recorded
    key_of(found.endpoint)
    return found


def _command(project: Project) -> str:
    """How a server is started that has the model."""
    from tunesmith.exporting import FOLDER

    script = project.root / FOLDER / "vllm-float32" / "serve.sh"
    first = "" if script.exists() else "`tunesmith export --to vllm`, then "
    return f"start one: {first}`{script} --host 127.0.0.1 --port 8001`"
