"""What must be made again: each stage's recipe is hashed, and what has not changed is not made again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tunesmith.artifact import MANIFEST, Artifact, hash_of
from tunesmith.errors import InputError, TunesmithError
from tunesmith.pipeline import advising, encoder, improving
from tunesmith.pipeline.in_use import in_use_facts
from tunesmith.pipeline.order import STAGES, Order, Stage, order_for
from tunesmith.products import TESTED
from tunesmith.tombstones import Tombstones
from tunesmith.wording import listed

if TYPE_CHECKING:
    from tunesmith.project import Project
    from tunesmith.project_file import ProjectSettings

TASK = ("input", "output", "system", "labels", "schema")


@dataclass(frozen=True)
class StageStatus:
    """``state``: made, stale or missing; ``why`` in words."""

    stage: str
    state: Literal["made", "stale", "missing"]
    why: str
    artifact: Artifact | None


def identity(needed: str, artifact: Artifact, stage: Stage) -> str:
    """What a stage depends on in another's artifact."""
    if needed == "goal":
        goal = artifact.read_json("goal.json")
        keys = (*TASK, "rules") if stage.name == "clean" else TASK
        return hash_of(goal if stage.whole_goal else {key: goal.get(key) for key in keys})
    if needed == "base":
        base = artifact.read_json("base.json")
        return hash_of([base["name"], base["sha256"], base["source"]])
    if needed == "collect" and stage.name == "base":
        return hash_of(artifact.counts)
    if needed == "clean" and stage.name != "test":  # the report tells the ledger; what trains sees the kept rows alone
        return str(artifact.read_json(MANIFEST)["files"]["examples.parquet"]["sha256"])[:16]
    return artifact.id


def recipe(
    project: Project,
    settings: ProjectSettings,
    stage: Stage,
    made: Mapping[str, Artifact],
    *,
    anew: bool = False,
) -> dict[str, Any]:
    """Everything that a stage's result follows from. Its hash is the artifact's id.

    With ``anew`` it is the recipe of what would be made now, whatever was made before.
    """
    result: dict[str, Any] = {
        "version": stage.module.VERSION,
        "settings": _settings_of(settings, stage.name),
        "inputs": {needed: identity(needed, made[needed], stage) for needed in stage.given(made)},
    }
    fakes = stage.name == "clean" and "fake" in settings.clean.private.choices.values()
    fresh = stage.name == "base" and settings.base.from_scratch
    if fakes or fresh or stage.name in ("split", "advise", "train", "test"):
        result["seed"] = settings.seed
    result["facts"] = facts(project, settings, stage.name)
    if stage.name == "split":
        result["facts"] = _follows(project, json.loads(json.dumps(result, default=str)))
    if stage.name == "test":
        held = in_use_facts(project, json.loads(json.dumps(result, default=str)), made["train"].id)
        result["facts"] = {**result["facts"], **held}
    if stage.name == "clean" and not anew:
        result["facts"] = _looked(project, json.loads(json.dumps(result, default=str)))
    return json.loads(json.dumps(result, default=str))  # type: ignore[no-any-return]


def usable(
    project: Project, settings: ProjectSettings, order: Order, stage: Stage, made: Mapping[str, Artifact]
) -> dict[str, Artifact]:
    """What a stage may use, where it is made and up to date.

    What was never made, or reads files that are not there any more, is not up to date: it stops nobody who could do
    without it.
    """
    found = {}
    for name in stage.may_use:
        other = order.stages[name]
        if project.store.latest(name) is None or any(needed not in made for needed in other.needs):
            continue
        with suppress(InputError):
            artifact = project.store.find(name, hash_of(recipe(project, settings, other, made)))
            if artifact is not None:
                found[name] = artifact
    return found


def _settings_of(settings: ProjectSettings, name: str) -> Any:
    """The settings that a stage's result follows from."""
    found = settings.dump(name)
    if name == "advise":
        del found["use"]  # what is done with the advice changes nothing in it
    return found


def facts(project: Project, settings: ProjectSettings, name: str) -> dict[str, Any]:
    """What a stage reads outside the store: the user's files and decisions."""
    if name == "collect":
        from tunesmith.stages.collect.fingerprint import fingerprint

        output = settings.goal.output
        found: dict[str, Any] = {"files": fingerprint(list(settings.collect), project.root, output), "output": output}
        if kept := settings.split.kept_columns:
            found["kept_columns"] = kept
        if forgotten := Tombstones.read(project.root):
            found["forgotten"] = hash_of(sorted(forgotten.hashes))
        return found
    if name == "goal":
        from tunesmith.stages.goal.run import rule_sheets, schema_of

        found = {"schema": schema_of(settings.goal, project.root)}
        if any(rule.schema_ or rule.python for rule in settings.goal.rules):
            found["rules"] = hash_of(rule_sheets(settings.goal, project.root))
        return found
    if name == "test":  # the report tells what people said
        from tunesmith.pipeline.round_models import round_facts

        said = project.ratings().facts()
        return {**({"ratings": said} if said else {}), **round_facts(project, settings.test.asked_rounds)}
    if name == "clean":
        return {**project.decisions().facts(), **encoder.fact(project, settings)}
    if name == "advise":
        return advising.facts(project, settings)
    if name == "improve":
        return improving.facts(project, settings)
    if name == "base":
        from tunesmith.stages.base import run as base

        return {"local": base.fingerprint(settings.base, project.root)} if hasattr(base, "fingerprint") else {}
    return {}


def _follows(project: Project, recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Which split of an earlier round keeps its test rows in the test part; another seed begins anew.

    Where nothing else has changed, it is the one that the latest split followed: what it made is no reason to
    make it again.
    """
    latest = project.store.latest("split")
    if latest is None or latest.made_by.get("seed") != recipe["seed"] or not (latest.path / TESTED).exists():
        return {}
    if {**latest.made_by, "facts": {}} == {**recipe, "facts": {}}:
        return dict(latest.made_by["facts"])
    return {"after": latest.id}


def _looked(project: Project, recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of `clean`, with the encoder that looked at the same rows before, where none is here now.

    What was made with an encoder stays made where the cache is another or was emptied.
    """
    facts = dict(recipe["facts"])
    latest = project.store.latest("clean")
    if latest is None or "encoder" not in facts or facts["encoder"] is not None:
        return facts
    before = latest.made_by.get("facts") or {}
    alike = {**latest.made_by, "facts": {**before, "encoder": None}} == dict(recipe)
    return {**facts, "encoder": before["encoder"]} if alike and "encoder" in before else facts


def earlier_split(project: Project, recipe: Mapping[str, Any]) -> Path | None:
    """The folder of the split that the recipe of a split names as the one before it, or None.

    Where that one is gone, the latest knows its test rows too.
    """
    after = recipe["facts"].get("after")
    if not after:
        return None
    found = project.store.find("split", after) or project.store.latest("split")
    return found.path if found else None


def status(project: Project, settings: ProjectSettings) -> list[StageStatus]:
    """Each stage's state, in the order of the words."""
    found: dict[str, StageStatus] = {}
    made: dict[str, Artifact] = {}
    order = order_for(settings)
    for name in order.making:
        stage = order.stages[name]
        latest = project.store.latest(name)
        waiting = [needed for needed in stage.needs if needed not in made]
        if waiting:
            state, why = ("stale", f"{listed(waiting)} must be made first") if latest else ("missing", "not made yet")
            found[name] = StageStatus(name, state, why, latest)  # type: ignore[arg-type]
            continue
        try:
            wanted = recipe(project, settings, stage, made)
        except TunesmithError as error:
            found[name] = StageStatus(name, "stale" if latest else "missing", error.what, latest)
            continue
        artifact = project.store.find(name, hash_of(wanted))
        if artifact is not None:
            made[name] = artifact
            found[name] = StageStatus(name, "made", "up to date", artifact)
        elif latest is not None:
            found[name] = StageStatus(name, "stale", "; ".join(differences(latest.made_by, wanted)), latest)
        else:
            found[name] = StageStatus(name, "missing", "not made yet", None)
    return [found[name] for name in STAGES]


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What changed between two recipes, in words."""
    words = []
    if old.get("version") != new["version"]:
        words.append("Tunesmith's own code for this stage changed")
    if old.get("seed") != new.get("seed"):
        words.append(f"seed changed: {old.get('seed')} → {new.get('seed')}")
    words += _changed_settings(old.get("settings"), new["settings"])
    words += [f"{name} changed" for name, id in new["inputs"].items() if old.get("inputs", {}).get(name) != id]
    words += _changed_facts(old.get("facts") or {}, new["facts"])
    return words or ["its files are damaged or gone"]


def _changed_settings(old: Any, new: Any) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        return [f"{key} changed: {old.get(key)} → {value}" for key, value in new.items() if old.get(key) != value]
    return ["settings changed"] if old != new else []


def _changed_facts(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    words = []
    if old.get("files") != new.get("files"):
        before = {file["path"]: file["sha256"] for file in old.get("files") or []}
        after = {file["path"]: file["sha256"] for file in new.get("files") or []}
        words += [f"{path} is new" for path in after if path not in before]
        words += [f"{path} is gone" for path in before if path not in after]
        words += [f"{path} changed" for path in after if path in before and before[path] != after[path]]
    words += [f"{key} changed" for key in {**old, **new} if key != "files" and old.get(key) != new.get(key)]
    return words
