"""`tunesmith deploy --status`: the versions, the names that lead to them, and what happened."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tunesmith.cli.screen import Screen
from tunesmith.deployment import rollouts, versions
from tunesmith.deployment.outcomes import Outcome, shadows_of
from tunesmith.deployment.rollouts import Rollout
from tunesmith.deployment.versions import CANARY, MAIN, Record

if TYPE_CHECKING:
    from tunesmith.deployment.state import State
    from tunesmith.project import Project

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


def told(project: Project, state: State, runs: bool) -> dict[str, Any]:
    """All of it as plain JSON."""
    records, found, done = _read(state)
    shown = {one.id: f"{project.name}@{one.shown}" for one in records}
    return {
        "server_runs": runs,
        "names": {_name(project, name): shown[id] for name, id in sorted(found.aliases.items())},
        "versions": [
            {
                "version": shown[one.id],
                "id": one.id,
                "recorded_at": one.recorded_at,
                "export": one.export["form"] if one.export else None,
                "tested": one.made_of["tested"],
            }
            for one in records
        ],
        "canary": _canary(state, found.canary),
        "shadow": _shadow(state, found.shadow or _last(done, "shadow")),
        "history": [
            {
                "kind": one.kind,
                "version": shown[one.version],
                "stage": one.stage,
                "share": one.share or None,
                "name": one.name or None,
                "asked_at": one.asked_at,
                "automatic": one.automatic,
                "why": one.why,
            }
            for one in done
        ],
    }


def show(project: Project, state: State, runs: bool) -> None:
    """The same in words."""
    screen = Screen()
    records, found, done = _read(state)
    if not records:
        screen.say("Nothing was served or deployed yet: `tunesmith serve`, or `tunesmith deploy`.")
        return
    shown = {one.id: f"@{one.shown}" for one in records}
    screen.say("A server runs." if runs else "No server runs.", "dim")
    screen.table(
        ["version", "recorded", "names", "form", "tested"],
        [_row(project, one, found) for one in records],
    )
    for line in (
        _canary_words(state, found.canary, shown),
        _shadow_words(state, found.shadow or _last(done, "shadow")),
    ):
        if line:
            screen.say()
            screen.say(line, wrap=True)
    screen.say()
    screen.table(["when", "what", "version", "", "why"], [_happened(one, shown) for one in done[-SHOWN:]])


def _read(state: State) -> tuple[list[Record], rollouts.Routing, list[Rollout]]:
    return state.look(lambda one: (versions.everything(one), rollouts.routing(one), rollouts.everything(one)))


def _name(project: Project, name: str) -> str:
    return project.name if name == MAIN else f"{project.name}:{name}"


def _row(project: Project, one: Record, found: rollouts.Routing) -> list[object]:
    names = [_name(project, name) for name, id in sorted(found.aliases.items()) if id == one.id]
    names = [f"{name} ({found.canary.share:.0%})" if found.canary and name.endswith(f":{CANARY}") else name
             for name in names]  # fmt: skip
    if found.shadow and found.shadow.version == one.id:
        names.append("in the shadow")
    form = one.export["form"] if one.export else "torch"
    return [f"@{one.shown}", _when(one.recorded_at), ", ".join(names), form, one.made_of["tested"] or "not tested"]


def _when(at: float | None) -> str:
    return datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M") if at else ""


def _happened(one: Rollout, shown: dict[str, str]) -> list[object]:
    more = f" {one.share:.0%}" if one.kind == "canary" else f" :{one.name}" if one.kind == "alias" else ""
    by = "by itself: " if one.automatic else ""
    what = f"{WORDS[one.kind]}{more}"
    return [_when(one.asked_at), what, shown[one.version], STAGES.get(one.stage, one.stage), by + one.why]


def _last(done: Sequence[Rollout], kind: str) -> Rollout | None:
    return next((one for one in reversed(done) if one.kind == kind and one.switched_at), None)


def _facts(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """What came of the requests of one version: counts and the 95th percentile of the latency."""
    import numpy as np

    seconds = [one.seconds for one in outcomes if one.seconds is not None]
    return {
        "requests": len(outcomes),
        "errors": sum(one.failed for one in outcomes),
        "format_failures": sum(bool(one.misfit) for one in outcomes),
        "hand_offs": sum(bool(one.handed_off) for one in outcomes),
        "p95_seconds": float(np.quantile(seconds, 0.95)) if seconds else None,
    }


def _canary(state: State, rollout: Rollout | None) -> dict[str, Any] | None:
    from tunesmith.server.judge import evidence

    if rollout is None:
        return None
    found = state.look(lambda one: evidence(one, rollout))
    return {"share": rollout.share, "new": _facts(found.new), "before": _facts(found.before)}


def _canary_words(state: State, rollout: Rollout | None, shown: dict[str, str]) -> str:
    found = _canary(state, rollout)
    if found is None or rollout is None:
        return ""
    told = []
    for which in ("new", "before"):
        one = found[which]
        p95 = f", p95 {one['p95_seconds']:.2f} s" if one["p95_seconds"] is not None else ""
        told.append(f"{one['requests']:,} requests, {one['errors']:,} errors, {one['hand_offs']:,} handed off{p95}")
    return f"Canary {shown[rollout.version]} at {found['share']:.0%}: {told[0]}; beside it: {told[1]}."


def _shadow(state: State, rollout: Rollout | None) -> dict[str, Any] | None:
    import numpy as np

    from tunesmith.scoring.intervals import wilson

    if rollout is None:
        return None
    found = state.look(lambda one: shadows_of(one, rollout.id))
    compared = [one for one in found if one.equal is not None]
    equal = sum(bool(one.equal) for one in compared)
    pairs = [(one.seconds, one.seconds_before) for one in compared if one.seconds and one.seconds_before]
    return {
        "version": rollout.version,
        "answers": len(found),
        "failed": len(found) - len(compared),
        "equal": equal,
        "share": equal / len(compared) if compared else None,
        "interval": list(wilson(equal, len(compared))) if compared else None,
        "median_seconds": float(np.median([one for one, _ in pairs])) if pairs else None,
        "median_seconds_before": float(np.median([one for _, one in pairs])) if pairs else None,
        "other": [one.request for one in compared if not one.equal][-SHOWN:],
    }


def _shadow_words(state: State, rollout: Rollout | None) -> str:
    found = _shadow(state, rollout)
    if found is None:
        return ""
    if not found["answers"]:
        return "Shadow: nothing was compared yet."
    words = f"Shadow: {found['answers']:,} requests answered, {found['failed']:,} failed"
    if found["share"] is not None:
        low, high = found["interval"]
        words += f"; {found['equal']:,} equal ({found['share']:.1%}, 95% interval {low:.1%} to {high:.1%})"
    if found["median_seconds"] is not None:
        words += f"; median {found['median_seconds']:.2f} s, for clients {found['median_seconds_before']:.2f} s"
    if found["other"]:
        words += f". Otherwise answered: {', '.join(found['other'][-3:])}"
    return words + "."
