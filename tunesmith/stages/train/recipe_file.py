"""The recipe of a run that may be stopped, kept beside its checkpoints: a part of it is measured."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from tunesmith.artifact import hash_of, read_json, write_json
from tunesmith.errors import InputError
from tunesmith.training.recipe import Recipe

RECIPE = "recipe.json"


def keep(recipe: Recipe, folder: Path) -> None:
    write_json(folder / RECIPE, {"recipe": asdict(recipe), "hash": hash_of(asdict(recipe))})


def kept(folder: Path) -> Recipe | None:
    """The recipe in ``folder``; None where there is none, or a damaged one."""
    with suppress(KeyError, TypeError, InputError):
        written = read_json(folder / RECIPE)
        if written["hash"] == hash_of(written["recipe"]):
            return Recipe(**written["recipe"])
    return None
