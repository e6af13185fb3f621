"""A tuned model that has not seen the validation rows.

Where `train` trained once more on training and validation rows together (train.refit), the model in use knows the rows
that it would be measured on. So the first of the two trainings is repeated, which chose the step: the same recipe, the
same seed, the same weights.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from tunesmith.events import Kind
from tunesmith.products import Dataset, EncodedRow, Splits, TunedModel
from tunesmith.stages.context import Context
from tunesmith.threads import give_memory_back
from tunesmith.training.batches import batches_by
from tunesmith.training.drive import drive
from tunesmith.training.loop import Run
from tunesmith.training.ranks import ALONE
from tunesmith.training.recipe import Recipe

FOLDER = "held_out"


def knows_validation(tuned: TunedModel) -> bool:
    """Whether the model was trained on the validation rows too."""
    return bool(tuned.facts.get("refit_steps"))


def held_out(inputs: Mapping[str, Any], learner: Any, context: Context) -> TunedModel:
    """The tuned model as it was before it was trained on the validation rows; the one in use where it was not."""
    tuned: TunedModel = inputs["train"]
    if not knows_validation(tuned):
        return tuned
    place = context.folder / FOLDER
    model_folder = place / "model"
    if not model_folder.exists():
        context.note("the model in use was trained on the validation rows too: one is trained without them, to measure")
        _train(inputs, learner, context)
    return replace(tuned, folder=model_folder)


def clear(context: Context) -> None:
    """Throw away what was trained to measure alone."""
    shutil.rmtree(context.folder / FOLDER, ignore_errors=True)


def _train(inputs: Mapping[str, Any], learner: Any, context: Context) -> None:
    place = context.folder / FOLDER
    recipe = replace(Recipe(**inputs["train"].recipe), refit=False)
    split: Splits = inputs["split"]
    rows, validation = (_rows(inputs["format"], split.ids(part)) for part in ("train", "validation"))
    with ALONE.threads():
        model = learner.load.prepare(inputs["base"], inputs["goal"], asdict(recipe), rows)
        model.checkpoint_activations(recipe.activation_checkpointing)
        batches = batches_by(learner.batches, recipe, ALONE)
        training = Run(model, rows, validation, batches, recipe, place / "checkpoints")
        drive(training, partial(_tell, context), context.stopping)
        training.let_go()
        work = place / "model.tmp"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        model.save(work)
        work.rename(place / "model")
        shutil.rmtree(place / "checkpoints", ignore_errors=True)
        del model, training
    give_memory_back()


def _tell(context: Context, kind: Kind, **data: Any) -> None:
    """Tell how far it is; the curve is that of the training that it repeats."""
    if kind != "metric":
        context.emit(kind, **data)


def _rows(dataset: Dataset, ids: list[str]) -> list[EncodedRow]:
    found = {row.id: row for row in dataset.rows(set(ids))}
    return [found[id] for id in ids if id in found]
