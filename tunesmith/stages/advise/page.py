"""The advice as a page of Markdown and as rows of a table, from what the stage wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tunesmith.artifact import read_json
from tunesmith.events import duration
from tunesmith.stages.advise.wording import metric_name, points
from tunesmith.wording import percent

HEADS = ("set-up", "score", "behind the best", "waits", "tokens in", "out", "1,000 requests", "memory", "to make")


def as_markdown(folder: Path) -> str:
    """The page of the advice that lies in this folder."""
    data = read_json(folder / "advise.json")
    advice, facts = data["advice"], data["facts"]
    lines = [
        "# Prompt, retrieval, fine-tuning or both",
        f"**{advice['words']}**",
        _about(facts),
        _table(HEADS, rows(data["arms"], facts["metric"])),
    ]
    lines += [f"Not measured: {name}: {why}." for name, why in data["left_out"].items()]
    lines += ["## Why", _bullets(advice["reasons"])] if advice["reasons"] else []
    lines += ["## When it would change", _bullets(advice["changes"])] if advice["changes"] else []
    if facts["tried"]:
        tried = [(_prompt(one["setup"]), str(one["rows"]), percent(one["score"])) for one in facts["tried"]]
        lines += ["## Prompts that were tried, on training rows", _table(("prompt", "rows", "score"), tried)]
    return "\n\n".join(lines) + "\n"


def rows(arms: Sequence[Mapping[str, Any]], metric: str) -> list[list[str]]:
    """A line an arm, under `HEADS`."""
    return [
        [
            arm["name"],
            _score(arm, metric),
            _behind(arm["behind"]),
            duration(arm["cost"]["latency"]),
            f"{arm['cost']['tokens_in']:,.0f}",
            f"{arm['cost']['tokens_out']:,.0f}",
            price(arm["cost"]),
            f"{arm['cost']['memory'] / 1e6:,.0f} MB",
            duration(arm["cost"]["build"]),
        ]
        for arm in arms
    ]


def price(cost: Mapping[str, Any]) -> str:
    """What a thousand requests cost: money where there is a price, else the compute."""
    if cost["per_thousand"] is None:
        return f"{duration(1000 * cost['seconds'])} of compute"
    return f"{cost['per_thousand']:.2f} (by {cost['priced_by']})"


def _score(arm: Mapping[str, Any], metric: str) -> str:
    score = next(one for one in arm["scores"] if one["metric"] == metric)
    meets = ", meets the goal" if arm["meets"] else ""
    return f"{percent(score['value'])} ({percent(score['low'])} to {percent(score['high'])}{meets})"


def _behind(pair: Mapping[str, Any] | None) -> str:
    if pair is None:
        return "the best"
    shown = "worse" if pair["shown"] else "not shown"
    low, high = (f"{100 * pair[end]:.1f}" for end in ("low", "high"))
    return f"{points(pair['value'])} ({low} to {high}; {shown}, p = {pair['p_holm']:.3f})".replace("-", "−")


def _about(facts: Mapping[str, Any]) -> str:
    words = (
        f"Measured by {metric_name(facts['metric'])} on {facts['rows']} validation rows; the test part was not "
        "touched. Intervals are 95%; p-values are of paired tests against the best, corrected for their number (Holm)."
    )
    if facts["trained"]:
        words += " The tuned model's step was chosen on validation rows, so its figure is a little flattered."
    return words


def _prompt(setup: Mapping[str, Any]) -> str:
    parts = [setup["system"] or "", setup["closing"] and f"… {setup['closing']}"]
    parts += [f"{setup['label_texts'][0]} …"] if setup["label_texts"] else []
    parts += [f"{setup['examples']} examples"] if setup["examples"] else []
    parts += [f"{setup['chunks']} pieces"] if setup["chunks"] else []
    parts += ["schema enforced"] if setup["enforce_schema"] else []
    return "; ".join(part for part in parts if part) or "your prompt"


def _bullets(items: Sequence[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    cells = [heads, ["---"] * len(heads), *lines]
    return "\n".join(
        f"| {' | '.join(' '.join(cell.replace('|', chr(92) + '|').split()) for cell in line)} |" for line in cells
    )
