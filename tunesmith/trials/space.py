"""Which settings of `train` can be searched, and between which values: around those that the project has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tunesmith.errors import InputError
from tunesmith.stages.train.settings import TrainSettings
from tunesmith.training.recipe import Recipe

RANKS = (4, 8, 16, 32, 64, 128)
BATCH_SIZES = (4, 8, 16, 32, 64, 128)
KEYS = ("learning_rate", "rank", "epochs", "batch_size", "dropout", "weight_decay", "warmup")
#: Settings of an adapter; a model that is trained whole has none.
OF_ADAPTERS = ("rank",)


def check(keys: Sequence[str], recipe: Recipe) -> None:
    """Raise InputError for a key that cannot be searched, or is nothing to this training."""
    unknown = [key for key in keys if key not in KEYS]
    if unknown or not keys:
        given = repr(unknown[0]) if unknown else "nothing"
        raise InputError(
            "unknown_search_key", f"{given} cannot be searched", "--search", f"what can be: {', '.join(KEYS)}"
        )
    idle = [key for key in keys if key in OF_ADAPTERS and recipe.method == "full"]
    if idle:
        raise InputError(
            "search_key_without_effect",
            f"{idle[0]} is a setting of adapters, and this base is trained whole",
            "--search",
            f"leave out {idle[0]}",
        )


def distributions(keys: Sequence[str], recipe: Recipe) -> dict[str, Any]:
    """Optuna's distribution of each key."""
    from optuna.distributions import (
        BaseDistribution,
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    rate, epochs = recipe.learning_rate, max(1, round(recipe.epochs))
    ranges: dict[str, BaseDistribution] = {
        "learning_rate": FloatDistribution(rate / 10, min(1.0, rate * 10), log=True),
        "rank": CategoricalDistribution(RANKS),
        "epochs": IntDistribution(max(1, epochs // 4), 4 * epochs, log=True),
        "batch_size": CategoricalDistribution(BATCH_SIZES),
        "dropout": FloatDistribution(0.0, 0.4),
        "weight_decay": FloatDistribution(1e-4, 0.3, log=True),
        "warmup": FloatDistribution(0.0, 0.3),
    }
    return {key: ranges[key] for key in keys}


def rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as they are trained with and told: three digits."""
    return {key: float(f"{value:.3g}") if isinstance(value, float) else value for key, value in values.items()}


def settings_with(settings: TrainSettings, values: Mapping[str, Any]) -> TrainSettings:
    """The settings with these values; LoRA's scale stays as it is when its rank changes."""
    changed = rounded(values)
    if "rank" in changed:
        changed["alpha"] = max(1, round(settings.alpha / settings.rank * changed["rank"]))
    return TrainSettings.model_validate({**settings.model_dump(by_alias=True), **changed})
