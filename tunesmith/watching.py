"""What a project's model does out there: its traffic, held against what it was trained on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tunesmith import exporting
from tunesmith.artifact import Artifact
from tunesmith.deployment import drift as drifting
from tunesmith.deployment import watch as watching
from tunesmith.deployment.drift import Drift
from tunesmith.deployment.profile import MOST, Profile, make_profile, read_profile, write_profile
from tunesmith.deployment.state import FILE, State
from tunesmith.deployment.tables import open_state
from tunesmith.deployment.watch import Price, Watch
from tunesmith.errors import InputError, TunesmithError
from tunesmith.json_schema import SlowPattern, validator
from tunesmith.pipeline import encoder
from tunesmith.pipeline.tested import last_test
from tunesmith.products import GoalSheet, Report
from tunesmith.similarity.embeddings import Vectors

if TYPE_CHECKING:
    from tunesmith.project import Project

HOUR = 3600.0


def require_traffic(project: Project) -> None:
    """Raises InputError ``nothing_served`` where no model of this project was ever served."""
    if not (project.store.root / FILE).exists():
        what = "this project's model was not served yet, so there is no traffic to look at"
        raise InputError("nothing_served", what, str(project.root), "tunesmith serve")


def watch(project: Project, hours: float) -> Watch:
    """The traffic of the last hours, with its cost by the prices of `advise`. Raises InputError ``nothing_served``."""
    state = _state(project)
    try:
        return look_at(project, state, hours)
    finally:
        state.close()


def look_at(project: Project, state: State, hours: float) -> Watch:
    """The same in a state that is open already."""
    now, prices = time.time(), project.settings.advise
    price = Price(prices.price_per_million_tokens, prices.price_per_hour)
    return watching.watch(state, now - hours * HOUR, now + 1.0, price)


def drift(project: Project, *, make: bool = True) -> list[Drift]:
    """The last look at each version that has answered, the latest first. Raises InputError ``nothing_served``."""
    state = _state(project)
    try:
        return look_for_drift(project, state, make=make)
    finally:
        state.close()


def look_for_drift(project: Project, state: State, *, make: bool) -> list[Drift]:
    """The same in a state that is open already; without ``make``, against the profiles that are there."""
    rows = state.look(
        lambda connection: connection.execute(
            "SELECT version, MAX(number) latest FROM traffic WHERE answered IS NOT NULL GROUP BY version "
            "ORDER BY latest DESC"
        ).fetchall()
    )
    found = []
    for version in (row["version"] for row in rows):
        profile = profile_for(project, version, make=make)
        if profile is None:
            found.append(Drift(version, 0, None, (), "what it was trained with is not here any more"))
        else:
            found.append(drifting.look(state, version, profile, project.settings.serve.drift))
    return found


def _state(project: Project) -> State:
    require_traffic(project)
    return open_state(project.store.root, to_look=True)


def profile_for(project: Project, version: str, *, make: bool = True) -> Profile | None:
    """What the training of a version (by its full name) looked like; made where it is not yet, and it can be.

    A version that is the trained model asked in another way has the profile of the training.
    """
    train = training_of(project, version)
    if train is None:
        return None
    found = read_profile(project.store.root, train.id)
    if found is not None or not make:
        return found
    try:
        made = profile_of(project, train)
    except TunesmithError:
        return None
    write_profile(project.store.root, made)
    return made


def training_of(project: Project, version: str) -> Artifact | None:
    """The training of a version, else the last one."""
    short = version.partition("@")[2]
    for folder in sorted(project.store.artifacts.glob("train-*")):
        id = folder.name.removeprefix("train-")
        if short and id.startswith(short):
            return project.store.find("train", id)
    return project.store.latest("train")


def profile_of(project: Project, train: Artifact) -> Profile:
    """Make the profile of a training, from its training rows and the answers of its test.

    Raises InputError ``made_without`` where what it was trained with is gone.
    """
    made = exporting.made_with(project, train)
    ids = made["split"].ids("train")
    ids = [ids[at] for at in np.unique(np.linspace(0, max(0, len(ids) - 1), min(len(ids), MOST)).astype(int))]
    rows = {row.id: row.input for row in made["clean"].examples(frozenset(ids))}
    known = [id for id in ids if id in rows]
    vectors, weights = _vectors(project, made["clean"].path, known)
    inputs = [rows[id] for id in known]
    return make_profile(train.id, inputs, _answers(project, train, made["goal"]), vectors, weights)


def _vectors(project: Project, clean: Path, ids: Sequence[str]) -> tuple[Vectors | None, str]:
    """The unit vectors that `clean` found for these rows, with the sha256 of its encoder's weights.

    None where `clean` did not look at meanings, or with another encoder than the one that is here.
    """
    import pyarrow.parquet as pq

    path, here = clean / "embeddings.parquet", encoder.here(project)
    if here is None or not path.exists() or project.settings.serve.drift.embeddings == "off":
        return None, ""
    table = pq.read_table(path, columns=["id", "vector"])
    if (table.schema.metadata or {}).get(b"tunesmith.encoder") != here[1].encode():
        return None, ""
    found = dict(zip(table["id"].to_pylist(), table["vector"].to_pylist(), strict=True))
    if any(id not in found for id in ids):
        return None, ""
    return np.stack([np.frombuffer(found[id], np.float16) for id in ids]), here[1]


def _answers(project: Project, train: Artifact, goal: GoalSheet) -> dict[str, list[Any]]:
    """Labels, confidences and whether they fit the schema, of the tuned model's answers in a training's last test."""
    test = last_test(project.store, train.id)
    if test is None:
        return {}
    answers = [row["tuned"] for row in Report.open(test).predictions()]
    texts = [str(answer["answer"]) for answer in answers]
    return {
        "label": texts if goal.output == "label" else [],
        "confidence": [answer["confidence"] for answer in answers],
        "fits_schema": _fitting(texts, goal) if goal.output == "json" and goal.schema else [],
    }


def _fitting(texts: Sequence[str], goal: GoalSheet) -> list[bool]:
    checker = validator(goal.schema or {})

    def fits(text: str) -> bool:
        try:
            return bool(checker.is_valid(json.loads(text)))
        except (ValueError, RecursionError, SlowPattern):
            return False

    return [fits(text) for text in texts]


def embedder(project: Project) -> Callable[[Sequence[str]], Vectors] | None:
    """What finds the meaning of texts with the encoder of `clean`, on the thread that asks; None without one here."""
    here = encoder.here(project)
    if here is None:
        return None
    from tunesmith.similarity.embeddings import embed_here

    return partial(embed_here, folder=here[0])
