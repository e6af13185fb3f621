"""The model card: README.md with the hub's YAML header, so that a stranger knows what the folder is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tunesmith.products import BaseModel, GoalSheet


def _of_base(base: BaseModel) -> list[str]:
    """What the hub's header says of the base."""
    hub_id = base.source.removeprefix("hub:").split("@")[0] if base.source.startswith("hub:") else base.name
    return [
        f"license: {base.licence.lower()}",
        f"base_model: {json.dumps(hub_id)}",
        f"language: [{', '.join(base.languages)}]",
    ]


def _tuned(base: BaseModel, goal: GoalSheet) -> list[str]:
    return [
        f"# Tuned from {base.name}",
        "",
        f"Made by Tunesmith. Task: {goal.input} to {goal.output}.",
        "",
        "## Base",
        "",
        f"- name: {base.name}",
        f"- source: {base.source}",
        f"- sha256 of its weights: `{base.sha256}`",
        f"- licence: {base.licence} (the tuned weights are a derivative of it)",
    ]


def _from_scratch(base: BaseModel, goal: GoalSheet) -> list[str]:
    return [
        "# Trained from scratch",
        "",
        f"Made by Tunesmith, of its owner's text alone. Task: {goal.input} to {goal.output}. It has learned nothing "
        "but what stands in that text.",
        "",
        "## Before training",
        "",
        f"- {base.parameters:,} random weights, sha256 `{base.sha256}`",
        f"- a tokenizer made of the training rows, sha256 of tokenizer.json `{base.source.partition('@')[2]}`",
        f"- context: {base.context:,} tokens",
        "- a text that is to be gone on with, rather than answered, is given as `tokenizer.bos_token + text`",
    ]


def write_card(
    folder: Path,
    base: BaseModel,
    goal: GoalSheet,
    recipe: Mapping[str, Any],
    *,
    pipeline_tag: str,
    library: str,
    usage: str,
) -> None:
    """Write ``folder/README.md`` and, for JSON, the schema beside it."""
    header = [
        "---",
        *([] if base.from_scratch else _of_base(base)),
        f"library_name: {library}",
        f"pipeline_tag: {pipeline_tag}",
        "tags: [tunesmith]",
        "---",
    ]
    body = [
        *(_from_scratch(base, goal) if base.from_scratch else _tuned(base, goal)),
        "",
        "## Use",
        "",
        "```python",
        usage.rstrip(),
        "```",
        "",
        "## System prompt",
        "",
        "```text",
        goal.system,
        "```",
        "",
        "## How it was trained",
        "",
        *[f"- {name}: {value}" for name, value in recipe.items()],
        "",
        "Scores are in the report that Tunesmith wrote beside the project, with n and intervals.",
    ]
    if goal.labels:
        body += ["", "## Labels", "", *[f"- {label}" for label in goal.labels]]
    if goal.schema is not None:
        (folder / "answer.schema.json").write_text(json.dumps(goal.schema, indent=1) + "\n", encoding="utf-8")
        body += ["", "Answers are JSON objects that fit `answer.schema.json`."]
    (folder / "README.md").write_text("\n".join([*header, *body]) + "\n", encoding="utf-8")
