"""The models of earlier rounds that a test names among its candidates (`test.candidates: [base, tuned, round:2]`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tunesmith.answering.answerer import TrainedModel
from tunesmith.artifact import Artifact
from tunesmith.errors import InputError
from tunesmith.pipeline import rounds
from tunesmith.pipeline.order import BY_NAME, open_product

if TYPE_CHECKING:
    from tunesmith.project import Project

#: What a model answers with: it keeps its own goal, whose system prompt it was trained with.
NEEDED = ("goal", "base", "train")


def round_facts(project: Project, numbers: Sequence[int]) -> dict[str, Any]:
    """What the recipe of a test says of the rounds among its candidates: the ids of their models.

    Raises InputError ``no_such_round``, and ``round_gone`` where a model is there no longer.
    """
    found = {number: _artifacts(project, number) for number in numbers}
    ids = {str(number): {stage: one.id for stage, one in made.items()} for number, made in found.items()}
    return {"round_models": ids} if ids else {}


def round_models(project: Project, numbers: Sequence[int]) -> dict[int, TrainedModel]:
    """The models, opened, by their rounds."""
    models = {}
    for number in numbers:
        opened = {
            stage: open_product(BY_NAME[stage], one, BY_NAME["test"])
            for stage, one in _artifacts(project, number).items()
        }
        models[number] = TrainedModel(opened["goal"], opened["base"], opened["train"])
    return models


def _artifacts(project: Project, number: int) -> dict[str, Artifact]:
    known = rounds.read(project.store).get(number)
    found = {stage: project.store.find(stage, known.artifacts.get(stage, "")) for stage in NEEDED}
    gone = [stage for stage, one in found.items() if one is None]
    if gone:
        raise InputError(
            "round_gone",
            f"round {number} cannot answer any more: gone or damaged are {', '.join(gone)}",
            "tunesmith.yaml: test.candidates",
            f"take round:{number} out of test.candidates",
        )
    return {stage: one for stage, one in found.items() if one is not None}
