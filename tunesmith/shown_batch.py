"""The batch of the first training step as it is computed, for `tunesmith format --show`: part of `Project`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from tunesmith.learners.protocol import TokenTree
from tunesmith.products import EncodedRow
from tunesmith.training.loop import tokens_of
from tunesmith.training.preference_trees import preference_trees
from tunesmith.training.recipe import choose
from tunesmith.training.row_batches import row_batches
from tunesmith.training.sampler import Sampler
from tunesmith.training.tree_outline import Branch, outline, sequences_of
from tunesmith.training.tree_packing import trees

if TYPE_CHECKING:
    from tunesmith.project import Project


@dataclass(frozen=True)
class ShownBranch:
    """A run of tokens as text in ``pieces``, each with whether it is trained; shared by so many ``rows``.

    ``computed`` of its ``tokens`` are computed, once for all rows.
    """

    depth: int
    rows: int
    tokens: int
    computed: int
    saved: int
    pieces: list[tuple[str, bool]]


@dataclass(frozen=True)
class ShownBatch:
    """``tokens`` are those of the rows, ``computed`` those that training computes. ``trees``: the branches of each
    tree, depth first; none for an encoder. ``pairs``: whether each row is there with its rejected answer too.
    ``split``: whether the rows are those of the training part."""

    rows: int
    tokens: int
    computed: int
    pairs: bool
    split: bool
    trees: list[list[ShownBranch]]


def show_batch(project: Project, overrides: Sequence[str] = ()) -> ShownBatch:
    """The first optimizer step of a training with the settings as they stand, as `train` would draw and pack it."""
    from tunesmith.plugins import learner_for

    goal, base, dataset = (project.product(stage) for stage in ("goal", "base", "format"))
    settings = project.read(overrides)
    learner = learner_for(base.kind, goal.input, goal.output)
    ids = _training_ids(project)
    found = {row.id: row for row in dataset.rows(None if ids is None else set(ids))}
    rows = [found[id] for id in (found if ids is None else ids)]
    recipe = choose(settings.train, learner.name, rows, settings.seed)
    drawn = Sampler(rows, recipe.batch_size, recipe.seed).step(0)
    pairs = recipe.objective == "dpo" and all(row.rejected for row in drawn)
    packed: Any = row_batches if learner.batches != "tree" else preference_trees if pairs else trees
    batches = partial(packed, budget=recipe.token_budget, workers=recipe.workers)(drawn)
    encoder = learner.encode.encoder(base, goal, dataset.facts["max_tokens"])

    def shown(branch: Branch) -> ShownBranch:
        row = EncodedRow("", list(branch.tokens), list(branch.trained), None, 1.0, 0)
        sizes = (len(branch.rows), len(branch.tokens), branch.computed, branch.saved)
        return ShownBranch(branch.depth, *sizes, encoder.pieces(row))

    counts = tokens_of(drawn, batches, "dpo" if pairs else "sft")
    return ShownBatch(
        len(drawn),
        counts["tokens"],
        counts["computed_tokens"],
        pairs,
        ids is not None,
        [
            [shown(branch) for branch in outline(sequences_of(batch, drawn))]
            for batch in batches
            if isinstance(batch, TokenTree)
        ],
    )


def _training_ids(project: Project) -> list[str] | None:
    """The ids of the training part, or None where the rows as they are now were not split yet."""
    split, dataset = project.store.latest("split"), project.store.latest("format")
    if split is None or dataset is None or split.made_by["inputs"].get("format") != dataset.id:
        return None
    ids: list[str] = project.product("split").ids("train")
    return ids
