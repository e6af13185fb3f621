"""How much of the goal the examples cover, as `tunesmith show clean` tells it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunesmith.cli.screen import Screen, brief

CLUSTERS, VALUES = 8, 5


def show_coverage(told: Mapping[str, Any], texts: Mapping[str, str], screen: Screen) -> None:
    """Show kinds of input, answers, lengths, difficulty, whether it is enough, and what to collect next.

    ``texts``: what rows say, by their id.
    """
    screen.say()
    sample = f", told from {told['looked_at']:,} rows evenly drawn" if told["looked_at"] < told["rows"] else ""
    screen.heading(f"Coverage of {told['rows']:,} rows{sample}")
    screen.pairs([(label, value) for label, value in _pairs(told) if value])
    _show_clusters(told["clusters"], texts, screen)
    _show_hardest(told["difficulty"], screen)
    if not told["by_meaning"]["on"]:
        screen.say(f"Rows were not compared by meaning: {told['by_meaning']['why']}.", "dim", wrap=True)
    screen.say(told["enough"]["words"], wrap=True)
    if told["next"]:
        screen.say("What to collect next:")
        for line in told["next"]:
            screen.say(f"  - {line}", wrap=True)


def _pairs(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    pairs = []
    for name, length in told["lengths"].items():
        if length["p5"] == length["p95"]:  # labels
            continue
        words = f"{length['median']:.0f} (nine of ten from {length['p5']:.0f} to {length['p95']:.0f})"
        pairs.append((f"Words of the {name}", words))
    tidiness = told["tidiness"]
    if tidiness["n"]:
        pairs.append(("Untidy inputs", f"{tidiness['untidy']:,} of {tidiness['n']:,}"))
    for answers in told["answers"]:
        what = answers["name"] or "label"
        counts = [f"{value} {count:,}" for value, count in answers["counts"].items()]
        hidden = len(counts) - VALUES
        pairs.append((f"Rows by {what}", ", ".join(counts[:VALUES]) + (f" and {hidden} more" if hidden > 0 else "")))
        pairs.append((f"Never seen, {what}", ", ".join(answers["missing"][:VALUES])))
        pairs.append((f"Rare, {what}", ", ".join(f"{value} {answers['counts'][value]}" for value in answers["rare"])))
    return pairs


def _show_clusters(clusters: list[dict[str, Any]], texts: Mapping[str, str], screen: Screen) -> None:
    if not clusters:
        return
    rows = [
        [
            f"{one['rows']:,}",
            f"{100 * one['share']:.0f}%",
            ", ".join(one["words"]),
            brief(texts.get(one["example"], ""), 50),
        ]
        for one in clusters[:CLUSTERS]
    ]
    screen.say()
    screen.table(["rows", "share", "kind of input, by its typical words", "such as"], rows, right=(0, 1))
    if len(clusters) > CLUSTERS:
        screen.say(f"… and {len(clusters) - CLUSTERS} more kinds", "dim")
    screen.say()


def _show_hardest(difficulty: list[dict[str, Any]], screen: Screen) -> None:
    for target in difficulty:
        what = target["name"] or "label"
        hardest = [f"{one['value']} {100 * one['right']:.0f}% of {one['n']}" for one in target["hardest"]]
        screen.say(f"Easy by {what}: {target['easy']:,} of {target['n']:,}. Hardest: {', '.join(hardest)}.", wrap=True)
