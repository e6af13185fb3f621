"""What makes the batches of a step, by the kind of learner and what it learns from."""

from __future__ import annotations

from functools import partial

from tunesmith.training.loop import BatchMaker
from tunesmith.training.preference_trees import preference_trees
from tunesmith.training.ranks import Ranks
from tunesmith.training.recipe import Recipe
from tunesmith.training.row_batches import row_batches
from tunesmith.training.tree_packing import trees


def batches_by(kind: str, recipe: Recipe, ranks: Ranks) -> BatchMaker:
    """What makes the batches of a step, of this kind (tree or rows), for all ranks together."""
    packed = preference_trees if recipe.objective == "dpo" else trees
    lanes = ranks.lanes(recipe.workers)
    return partial(packed if kind == "tree" else row_batches, budget=recipe.token_budget, workers=lanes)
