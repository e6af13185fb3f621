"""The version in use: which test it has, so that a new model is held against it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tunesmith.project import Project

#: Under .tunesmith: the round in use, and the artifacts of its test and its training.
FILE = "in_use.json"


def in_use(project: Project) -> dict[str, Any] | None:
    """The version in use: round, test and train; None where there is none, or its test is gone."""
    try:
        told = json.loads((project.store.root / FILE).read_text(encoding="utf-8"))
        found = {"round": told.get("round"), "test": str(told["test"]), "train": str(told["train"])}
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return found if project.store.find("test", found["test"]) is not None else None


def in_use_facts(project: Project, recipe: Mapping[str, Any], train: str) -> dict[str, Any]:
    """What the recipe of a test says of the version in use.

    A test that became the one in use stays as it was made: nothing has changed since. The model in use is not held
    against itself.
    """
    found = in_use(project)
    if found is None:
        return {}
    its_test = project.store.find("test", found["test"])
    if its_test is not None and {**its_test.made_by, "facts": {}} == {**recipe, "facts": {}}:
        before = (its_test.made_by.get("facts") or {}).get("in_use")
        return {"in_use": before} if before else {}
    return {} if found["train"] == train else {"in_use": found["test"]}


def in_use_folder(project: Project, recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that the stage `test` is given: the folder of the test that its recipe names, and its round."""
    named = (recipe.get("facts") or {}).get("in_use")
    artifact = project.store.find("test", named) if named else None
    if artifact is None:
        return {}
    found = in_use(project)
    return {
        "in_use": artifact.path,
        "in_use_round": found["round"] if found is not None and found["test"] == named else None,
    }
