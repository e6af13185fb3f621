"""`tunesmith show format`: token counts, and the rows that the model cannot be shown."""

from __future__ import annotations

from collections import Counter

from tunesmith.cli.screen import Screen, brief
from tunesmith.products import Dataset, LedgerLine

LABELS = {
    "tokens": "tokens",
    "trained_tokens": "trained tokens",
    "longest": "longest row",
    "median": "median row",
    "max_tokens": "longest allowed",
}
EXAMPLES_A_REASON = 3


def show(dataset: Dataset, screen: Screen) -> None:
    """Show the token counts, and what was set aside by reason."""
    rows: list[tuple[str, object]] = [("rows", f"{dataset.counts.get('rows', 0):,}")]
    for key, label in LABELS.items():
        if key in dataset.facts:
            unit = "" if key.endswith("tokens") and key != "max_tokens" else " tokens"
            rows.append((label, f"{dataset.facts[key]:,}{unit}"))
    screen.pairs(rows)
    counts: Counter[str] = Counter()
    first: dict[str, list[LedgerLine]] = {}
    for line in dataset.set_aside():
        counts[line.code] += 1
        if counts[line.code] <= EXAMPLES_A_REASON:
            first.setdefault(line.code, []).append(line)
    for code, count in counts.most_common():
        screen.say()
        screen.heading(f"{count:,} set aside: {code.replace('_', ' ')} [{code}]")
        for line in first[code]:
            screen.say(f"  {line.id}  {brief(line.evidence, 160)}")
    screen.say()
    screen.say(f"See rows as the model does: {screen.command('format --show 3')}")
