"""Forgetting: did the training cost the model general ability?

Both models are shown the base's own answers to general prompts that have nothing to do with the task.
What the base says first, it finds likely; a model that has kept its general ability finds it likely
still. The measure is the loss a token of these answers, prompt by prompt, after minus before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tunesmith.errors import InputError
from tunesmith.learners.protocol import RowOutcome, Trainable
from tunesmith.plugins import Learner
from tunesmith.products import BaseModel, EncodedRow, Forgetting
from tunesmith.scoring.intervals import interval_of_mean
from tunesmith.stages.context import Context
from tunesmith.stages.train.general_answers import general_rows, prompts
from tunesmith.stages.train.settings import TrainSettings
from tunesmith.training.loop import measure
from tunesmith.training.recipe import Recipe
from tunesmith.training.tree_packing import trees
from tunesmith.workers import Workers

#: A loss that the base has on its own greedy answers only when it was never trained (nats a token).
UNTRAINED = 3.0
#: On fewer answers nothing is said.
FEWEST = 12
#: Nats a token by which the loss may rise before a little, and before much, was lost: the tokens that the base would
#: say are then a tenth less likely, and half as likely. With SmolLM2-135M, at +0.04 the answers were as before, at +0.4
#: still right with turns of phrase from the task among them, at +1.3 every answer was in the form of the task.
LITTLE, MUCH = 0.1, 0.7

WORDS = {
    "kept": "General ability was kept",
    "little_lost": "A little general ability was lost",
    "much_lost": "Much general ability was lost",
}
TRY = {
    "kept": "",
    "little_lost": "It matters only if the model is to do other things too: then try fewer train.epochs or a lower "
    "train.learning_rate.",
    "much_lost": "If the model is to do other things too, try fewer train.epochs, a lower train.learning_rate, or "
    "general rows among the examples.",
}


@dataclass(frozen=True)
class General:
    """The rows to measure on, or in words why there are none; neither for a model that gives no answers."""

    rows: Sequence[EncodedRow]
    why_not: str = ""

    def outcomes(self, model: Trainable, recipe: Recipe) -> Mapping[str, RowOutcome]:
        """How a model does on each row, by its id."""
        if not self.rows:
            return {}
        with Workers(recipe.workers) as workers:
            return measure(model, trees(self.rows, recipe.token_budget, recipe.workers), workers).rows


def general(settings: TrainSettings, learner: Learner, base: BaseModel, context: Context) -> General:
    """What to measure forgetting on. Ask before a model is loaded for training: the base may have to be asked."""
    if learner.batches != "tree" or base.from_scratch:
        return General([])
    if not settings.forgetting:
        return General([], "train.forgetting is off")
    try:
        return General(general_rows(learner, base, context))
    except InputError as error:
        return General([], error.what)


def judge(
    before: Mapping[str, RowOutcome], after: Mapping[str, RowOutcome], why_not: str, seed: int
) -> Forgetting | None:
    """Compare the two models on the same answers. ``before`` is the base, measured as the tuned model is."""
    if not before:
        return Forgetting("not_measured", f"General ability was not measured: {why_not}.") if why_not else None
    if len(before) < FEWEST:
        few = f"the base answered only {len(before)} of {len(prompts())} general prompts"
        return Forgetting("not_measured", f"General ability was not measured: {few}.")
    ids = sorted(before)
    losses = np.array([(before[id].loss, after[id].loss) for id in ids])
    first, last = losses.mean(0).tolist()
    if first > UNTRAINED:
        return Forgetting("not_measured", "General ability was not measured: this base has none yet.")
    low, high = interval_of_mean(losses[:, 1] - losses[:, 0], seed=seed) or (0.0, 0.0)
    right = float(np.mean([after[id].right for id in ids]))
    code = "kept" if last - first <= LITTLE else "little_lost" if last - first <= MUCH else "much_lost"
    words = (
        f"{WORDS[code]}: on the base's own answers to {len(ids)} general prompts the loss went from {first:.2f} to "
        f"{last:.2f} a token ({last - first:+.2f}, 95% interval {low:+.2f} to {high:+.2f}), and {right:.0%} of their "
        "tokens are what the tuned model would say."
    )
    return Forgetting(code, words, TRY[code], len(ids), first, last, low, high, right)
