"""Settings to change, from what the training's curve says."""

from __future__ import annotations

from tunesmith.products import ProposedItem, TunedModel
from tunesmith.stages.improve.item import Made

#: How much longer to train a model that was still learning.
LONGER = 1.5


def to_set(tuned: TunedModel) -> list[Made]:
    """More or fewer epochs, or a larger learning rate; nothing where training ended as it should."""
    code, words = tuned.verdict["code"], str(tuned.verdict["words"])
    epochs, rate = float(tuned.recipe["epochs"]), float(tuned.recipe["learning_rate"])
    if code == "still_learning":
        how = "not known: the curve was still rising when training ended, and where it levels off nobody has seen"
        return [_made("epochs", "train.epochs", round(LONGER * epochs, 2), "Train longer", words, how)]
    if code == "overfitting":
        steps, best = tuned.facts["steps"], tuned.facts["best_step"]
        fewer = max(0.1, round(epochs * (best + 0.1 * steps) / steps, 2))
        how = "none in quality is expected: the weights of the best step were kept; it saves the time of the rest"
        return [_made("epochs", "train.epochs", min(fewer, epochs), "Train shorter", words, how)]
    if code == "did_not_learn":
        how = "not known: look at some rows first (`tunesmith format --show 3`)"
        return [_made("learning-rate", "train.learning_rate", 3 * rate, "Try a larger learning rate", words, how)]
    return []


def _made(id: str, key: str, value: float, what: str, words: str, how: str) -> Made:
    item = ProposedItem(id, "settings", f"{what}: {key}: {value:g}", (words,), None, how, 0, (key, value))
    return Made(item)
