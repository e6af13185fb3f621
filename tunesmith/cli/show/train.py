"""`tunesmith show train`: the verdict, the recipe and the curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tunesmith.cli.screen import Screen
from tunesmith.cli.words import duration, near_path
from tunesmith.products import TunedModel

POINTS_SHOWN = 20


def show(tuned: TunedModel, screen: Screen) -> None:
    """Show what the training's curves say, how it was done and what it took."""
    screen.heading(str(tuned.verdict["words"]))
    if tuned.verdict.get("try"):
        screen.say(str(tuned.verdict["try"]), wrap=True)
    facts = tuned.facts
    screen.pairs(
        [
            ("recipe", tuned.recipe.get("words", "")),
            ("rows", f"{facts['rows']:,} to train on, {facts['validation_rows']:,} to choose the best step on"),
            ("trained", f"{facts['parameters_trained']:,} parameters"),
            ("steps", _steps(facts)),
            ("time", duration(facts["seconds"])),
            ("peak memory", f"{facts['peak_memory_bytes'] / 1e9:.2f} GB"),
            ("model", near_path(tuned.folder)),
        ]
    )
    points = curve_points(tuned.curve, best_step=facts["best_step"])
    if points:
        screen.say()
        screen.table(["step", "training loss", "validation loss", "accuracy", ""], points, right=(0, 1, 2, 3))


def _steps(facts: dict[str, Any]) -> str:
    early = "; stopped early" if facts.get("stopped_early") else ""
    if not facts.get("refit_steps"):
        return f"{facts['steps']:,}; step {facts['best_step']:,} is kept{early}"
    rows = facts["rows"] + facts["validation_rows"]
    return (
        f"{facts['steps']:,}; step {facts['best_step']:,} is best{early}; "
        f"then trained anew on all {rows:,} rows for {facts['refit_steps']:,} steps, and these weights are kept"
    )


def curve_points(curve: Sequence[dict[str, Any]], best_step: int) -> list[list[str]]:
    """One row a validation: its step, the mean training loss since the one before, and what was measured.

    Long curves are thinned evenly; the first, the last and the best stay.
    """
    points: list[list[str]] = []
    losses: list[float] = []
    for entry in curve:
        if "train_loss" in entry:
            losses.append(entry["train_loss"])
        if "validation_loss" in entry:
            mean = f"{sum(losses) / len(losses):.4f}" if losses else ""
            accuracy = f"{entry['validation_accuracy']:.3f}" if "validation_accuracy" in entry else ""
            best = "best" if entry["step"] == best_step else ""
            points.append([f"{entry['step']:,}", mean, f"{entry['validation_loss']:.4f}", accuracy, best])
            losses = []
    every = -(-len(points) // POINTS_SHOWN) or 1
    return [point for index, point in enumerate(points) if index % every == 0 or index == len(points) - 1 or point[4]]
