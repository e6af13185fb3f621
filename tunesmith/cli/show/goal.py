"""`tunesmith show goal`: what the model should do, and how good is good enough."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tunesmith.cli.screen import Screen
from tunesmith.products import GoalSheet, Rule


def show(goal: GoalSheet, screen: Screen) -> None:
    """Show the task, the system prompt and the success criteria."""
    unsure = f"handed off to a person below a confidence of {goal.confidence:g}"
    rows: list[tuple[str, object]] = [
        ("task", f"{goal.input} → {goal.output}"),
        ("system prompt", goal.system),
        ("labels", f"{len(goal.labels)}: {', '.join(goal.labels)}" if goal.labels else ""),
        ("fields", fields_in_words(goal.schema)),
        ("rules", "; ".join(map(rule_in_words, goal.rules))),
        ("good enough", "; ".join(f"{one.metric} at least {one.at_least:g}" for one in goal.success) or "not said"),
        ("when unsure", unsure if goal.unknown == "hand_off" else "answered anyway"),
        ("not given by you", ", ".join(goal.inferred)),
    ]
    screen.pairs(rows)


def fields_in_words(schema: dict[str, Any] | None) -> str:
    """The fields of a JSON Schema: category (one of billing, delivery), reply (string)."""
    properties = (schema or {}).get("properties", {})
    return ", ".join(f"{name} ({_kind(rules)})" for name, rules in properties.items())


def rule_in_words(rule: Rule) -> str:
    """reply: at_most_words 60, never_contains asap or guarantee."""
    asked = [f"{key} {_asked(value)}" for key, value in asdict(rule).items() if value and key not in ("field", "code")]
    return f"{rule.field or 'the answer'}: {', '.join(asked)}"


def _asked(value: Any) -> str:
    if isinstance(value, dict):
        return "given"
    return " or ".join(value) if isinstance(value, tuple) else str(value)


def _kind(rules: Any) -> str:
    if not isinstance(rules, dict):
        return "anything"
    if "enum" in rules:
        return "one of " + ", ".join(str(value) for value in rules["enum"])
    kind = rules.get("type", "anything")
    return " or ".join(map(str, kind)) if isinstance(kind, list) else str(kind)
