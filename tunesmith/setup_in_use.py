"""The set-up that a project answers with: the one that was advised, or that the user chose, ready to be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tunesmith.answering.equipment import Equipment, Shelf
from tunesmith.answering.setups import Setup, in_words
from tunesmith.errors import InputError
from tunesmith.example import Example
from tunesmith.plugins import learner_for
from tunesmith.products import Advice, CleanSet
from tunesmith.retrieval.index import build_or_open

if TYPE_CHECKING:
    from tunesmith.project import Project


def chosen(project: Project) -> Setup | None:
    """The set-up in use; None where there was no advice yet, so that the model is asked as it is.

    Raises InputError ``set_up_not_measured`` where advise.use names an arm that was not measured.
    """
    use = project.settings.advise.use
    if project.store.latest("advise") is None:
        if use in ("auto", "bare", "tuned"):
            return Setup(use, "tuned" if use == "tuned" else "base") if use != "auto" else None
        raise _not_measured(use)
    advice: Advice = project.product("advise")
    arm = advice.advice["arm"] if use == "auto" else use
    found = advice.setup(arm) if arm else None
    if found is None and arm in ("bare", "tuned"):
        return Setup(arm, "tuned" if arm == "tuned" else "base")
    if found is None:
        if use == "auto":
            return None
        raise _not_measured(use)
    return Setup.from_json(found)


def use(project: Project, arm: str) -> str:
    """Write which set-up is used into tunesmith.yaml, and return it in words. Raises InputError as `chosen` does."""
    from tunesmith import project_file

    before = project.settings.advise.use

    def change(to: str) -> None:
        def write(document: dict[str, dict[str, str]]) -> None:
            if document.get("advise") is None:
                document["advise"] = {}
            document["advise"]["use"] = to

        project_file.edit(project.file, write)

    change(arm)
    try:
        setup = chosen(project)
    except InputError:
        change(before)
        raise
    return in_words(setup) if setup else "the models as they are, since nothing was advised yet"


def equip(project: Project, setup: Setup, max_new_tokens: int) -> Equipment:
    """What the set-up answers with: its model, its examples, its documents as they are now."""
    goal, base = (project.product(stage) for stage in ("goal", "base"))
    tuned = project.product("train") if setup.model == "tuned" else None
    learner = learner_for(base.kind, goal.input, goal.output)
    equipment = Equipment(learner, base, goal, tuned, max_new_tokens)
    from tunesmith.pipeline import advising

    settings = project.settings
    given = advising.given(project, settings) or {}
    encoder = base.folder if base.kind == "encoder" else given.get("folder")
    shelf = knowledge = None
    if setup.examples or setup.votes:
        shelf = _shelf(project, encoder)
    if setup.chunks and settings.advise.knowledge is not None:
        knowledge = build_or_open(
            project.root / settings.advise.knowledge,
            settings.advise.chunk_words,
            project.store.root / "knowledge",
            encoder=encoder,
            encoder_sha256=given.get("sha256"),
        )
    from dataclasses import replace

    return replace(equipment, shelf=shelf, knowledge=knowledge)


def _shelf(project: Project, encoder: object) -> Shelf:
    """The examples that similar ones were chosen among when the advice was given, with their vectors."""
    from pathlib import Path

    advice: Advice = project.product("advise")
    clean: CleanSet = project.product("clean")
    vectors = dict(advice.vectors())
    found: list[Example] = [row for row in clean.examples(set(vectors)) if row.answer is not None]
    packed = [np.frombuffer(vectors[row.id], np.float16) for row in found]
    known = np.stack(packed) if packed and len(packed[0]) else None
    folder = encoder if isinstance(encoder, Path) and known is not None else None
    return Shelf.of(found, folder, known)


def _not_measured(arm: str) -> InputError:
    return InputError(
        "set_up_not_measured",
        f"the set-up {arm!r} was not measured, so what it is made of is not known",
        "tunesmith.yaml: advise.use",
        "`tunesmith advise` measures; `tunesmith advise --use auto` takes what is advised",
    )
