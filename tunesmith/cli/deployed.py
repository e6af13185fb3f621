"""`tunesmith deploy --status`: the versions, the names that lead to them, and what happened."""

from __future__ import annotations

from datetime import datetime

from tunesmith.cli.screen import Screen
from tunesmith.deployed import Canary, DeployedVersion, Deployment, Happened, Shadow
from tunesmith.deployment.versions import CANARY

#: What happened, the latest of it.
SHOWN = 20
WORDS = {
    "first": "served first",
    "deploy": "deployed",
    "canary": "canary",
    "shadow": "shadow",
    "promote": "promoted",
    "rollback": "rollback",
    "alias": "name",
}
STAGES = {"rolled_back": "rolled back"}


def show(found: Deployment) -> None:
    """What is deployed, in words."""
    screen = Screen()
    if not found.versions:
        screen.say("Nothing was served or deployed yet: `tunesmith serve`, or `tunesmith deploy`.")
        return
    screen.say("A server runs." if found.server_runs else "No server runs.", "dim")
    screen.table(["version", "recorded", "names", "form", "tested"], [_row(one, found) for one in found.versions])
    lines = [
        _canary_words(found.canary, _tried(found, "canary")) if found.canary else "",
        _shadow_words(found.shadow) if found.shadow else "",
    ]
    for line in filter(None, lines):
        screen.say()
        screen.say(line, wrap=True)
    screen.say()
    screen.table(["when", "what", "version", "", "why"], [_happened(one) for one in found.history[-SHOWN:]])


def _tried(found: Deployment, kind: str) -> str:
    """The version of the rollout of this kind that is at work, without the project's name."""
    at_work = [one for one in found.history if one.kind == kind and one.stage in ("switched", "active")]
    return _shown(at_work[-1].version) if at_work else ""


def _shown(version: str) -> str:
    return "@" + version.rpartition("@")[2]


def _row(one: DeployedVersion, found: Deployment) -> list[object]:
    names = [name for name, version in found.names.items() if version == one.version]
    names = [f"{name} ({found.canary.share:.0%})" if found.canary and name.endswith(f":{CANARY}") else name
             for name in names]  # fmt: skip
    if _tried(found, "shadow") == _shown(one.version):
        names.append("in the shadow")
    form = one.export or "torch"
    return [_shown(one.version), _when(one.recorded_at), ", ".join(names), form, one.tested or "not tested"]


def _when(at: float | None) -> str:
    return datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M") if at else ""


def _happened(one: Happened) -> list[object]:
    more = f" {one.share:.0%}" if one.kind == "canary" else f" :{one.name}" if one.kind == "alias" else ""
    by = "by itself: " if one.automatic else ""
    what = f"{WORDS[one.kind]}{more}"
    return [_when(one.asked_at), what, _shown(one.version), STAGES.get(one.stage, one.stage), by + one.why]


def _canary_words(found: Canary, version: str) -> str:
    told = []
    for one in (found.new, found.before):
        p95 = f", p95 {one.p95_seconds:.2f} s" if one.p95_seconds is not None else ""
        told.append(f"{one.requests:,} requests, {one.errors:,} errors, {one.hand_offs:,} handed off{p95}")
    return f"Canary {version} at {found.share:.0%}: {told[0]}; beside it: {told[1]}."


def _shadow_words(found: Shadow) -> str:
    if not found.answers:
        return "Shadow: nothing was compared yet."
    words = f"Shadow: {found.answers:,} requests answered, {found.failed:,} failed"
    if found.share is not None and found.interval is not None:
        low, high = found.interval
        words += f"; {found.equal:,} equal ({found.share:.1%}, 95% interval {low:.1%} to {high:.1%})"
    if found.median_seconds is not None:
        words += f"; median {found.median_seconds:.2f} s, for clients {found.median_seconds_before:.2f} s"
    if found.other:
        words += f". Otherwise answered: {', '.join(found.other[-3:])}"
    return words + "."
