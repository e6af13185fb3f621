"""The set-up that a project answers with: the one that was advised, or that the user chose, ready to be asked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tunesmith import project_file
from tunesmith.answering.equipment import Equipment, Shelf
from tunesmith.answering.setups import Setup, in_words
from tunesmith.errors import InputError
from tunesmith.pipeline import advising
from tunesmith.pipeline.order import BY_NAME, open_product
from tunesmith.plugins import learner_for
from tunesmith.products import Advice, CleanSet
from tunesmith.retrieval.index import FOLDER, build_or_open

if TYPE_CHECKING:
    from tunesmith.project import Project


def chosen(project: Project, use: str | None = None) -> Setup | None:
    """The set-up in use, or the one that ``use`` (as advise.use) would choose. None: the models are asked as they are,
    since nothing was advised yet.

    Raises InputError ``set_up_not_measured`` where it names an arm that was not measured.
    """
    use = use or project.settings.advise.use
    advice: Advice | None = project.product("advise") if project.store.latest("advise") else None
    arm = use if use != "auto" else advice.advice["arm"] if advice else None
    if arm is None:
        return None
    found = advice.setup(arm) if advice else None
    if found is not None:
        return Setup.from_json(found)
    if arm in ("bare", "tuned"):
        return Setup(arm, "tuned" if arm == "tuned" else "base")
    raise InputError(
        "set_up_not_measured",
        f"the set-up {arm!r} was not measured, so what it is made of is not known",
        "tunesmith.yaml: advise.use",
        "`tunesmith advise` measures; `tunesmith advise --use auto` takes what is advised",
    )


def use(project: Project, arm: str) -> str:
    """Write which set-up is used into tunesmith.yaml, and return it in words. Raises InputError as `chosen` does."""
    setup = chosen(project, arm)

    def change(document: Any) -> None:
        if document.get("advise") is None:
            document["advise"] = {}
        document["advise"]["use"] = arm

    project_file.edit(project.file, change)
    return in_words(setup) if setup else "the models as they are, since nothing was advised yet"


def equip(project: Project, setup: Setup, max_new_tokens: int, made_with: Mapping[str, str] | None = None) -> Equipment:
    """What the set-up answers with: its model, its examples, and the documents as they are now.

    ``made_with``: ids of the artifacts by stage, for an earlier version; else what was made last.
    """

    def product(stage: str) -> Any:
        id = (made_with or {}).get(stage)
        artifact = project.store.find(stage, id) if id else None
        return open_product(BY_NAME[stage], artifact, BY_NAME["test"]) if artifact else project.product(stage)

    goal, base = product("goal"), product("base")
    tuned = product("train") if setup.model == "tuned" else None
    settings = project.settings
    given = advising.given(project, settings) or {}
    encoder: Path | None = base.folder if base.kind == "encoder" else given.get("folder")
    knowledge = None
    if setup.chunks and settings.advise.knowledge is not None:
        knowledge = build_or_open(
            project.root / settings.advise.knowledge,
            settings.advise.chunk_words,
            project.store.root / FOLDER,
            encoder=encoder,
            encoder_sha256=given.get("sha256"),
        )
    shelf = _shelf(product("advise"), product("clean"), encoder) if setup.examples or setup.votes else None
    learner = learner_for(base.kind, goal.input, goal.output)
    return Equipment(learner, base, goal, tuned, max_new_tokens, shelf, knowledge)


def _shelf(advice: Advice, clean: CleanSet, encoder: Path | None) -> Shelf:
    """The examples that similar ones were chosen among when the advice was given, with their vectors."""
    packed = dict(advice.vectors())
    found = [row for row in clean.examples(set(packed)) if row.answer is not None]
    vectors = [np.frombuffer(packed[row.id], np.float16) for row in found]
    known = np.stack(vectors) if vectors and len(vectors[0]) else None
    return Shelf.of(found, encoder if known is not None else None, known)
