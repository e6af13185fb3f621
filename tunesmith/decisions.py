"""What the user decided about rows, in decisions.jsonl beside tunesmith.yaml: it holds in every later run.

One JSON object a line; a later line takes the place of an earlier one::

    {"id": "62f527bf3f594a7b", "decision": "keep", "reason": "off_goal"}
    {"id": "ef84d1486dcd60a9", "decision": "edit", "answer": "billing", "reason": "conflict"}
    {"rule": "too_long", "decision": "drop"}

``decision`` is keep, drop, edit (rows alone) or none, which withdraws what stands above it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tunesmith import durable_lines
from tunesmith.artifact import hash_of, write_text
from tunesmith.errors import InputError, raise_all

FILE = "decisions.jsonl"
Action = Literal["keep", "drop", "edit"]
RuleAction = Literal["keep", "drop"]


@dataclass(frozen=True, slots=True)
class Decision:
    """About one row. ``answer`` is that of an edit; ``reason`` is the code that the row was shown for, if any."""

    action: Action
    answer: str | None = None
    reason: str = ""

    def line(self, id: str) -> dict[str, Any]:
        """The line of the file."""
        told = {"answer": self.answer, "reason": self.reason or None}
        return {"id": id, "decision": self.action, **{key: value for key, value in told.items() if value is not None}}


@dataclass(frozen=True)
class Decisions:
    """By example id, and ``rules`` by reason: what holds for every row of that reason without a decision of its own."""

    rows: Mapping[str, Decision] = field(default_factory=dict)
    rules: Mapping[str, RuleAction] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Mapping[str, RuleAction], rules: Mapping[str, RuleAction] | None = None) -> Decisions:
        """From plain words by id and by reason."""
        return cls({id: Decision(action) for id, action in rows.items()}, rules or {})

    def rule(self, codes: Iterable[str]) -> tuple[str, RuleAction] | None:
        """The rule for a row with these reasons, and its reason. Of several, one that drops holds."""
        found = [(code, self.rules[code]) for code in codes if code in self.rules]
        return next((one for one in found if one[1] == "drop"), found[0] if found else None)

    def facts(self) -> dict[str, Any]:
        """What the result of `clean` follows from. Edited answers are named by their hash."""
        rows = {
            id: one.action if one.answer is None else f"{one.action} {hash_of(one.answer)}"
            for id, one in self.rows.items()
        }
        return {"decisions": rows, **({"rules": dict(self.rules)} if self.rules else {})}

    def after(self, lines: Iterable[Mapping[str, Any]]) -> Decisions:
        """These with further lines of the file. Raises ValueError, KeyError or TypeError for what is no decision."""
        rows, rules = dict(self.rows), dict(self.rules)
        for line in lines:
            _take(line, rows, rules)
        return Decisions(rows, rules)

    def lines(self) -> list[dict[str, Any]]:
        """The shortest file that says the same."""
        rules = [{"rule": reason, "decision": action} for reason, action in self.rules.items()]
        return [*(one.line(id) for id, one in self.rows.items()), *rules]


def withdrawal(*, id: str | None = None, rule: str | None = None) -> dict[str, Any]:
    """The line that withdraws a decision or a rule."""
    return {"id": id, "decision": "none"} if id is not None else {"rule": rule, "decision": "none"}


def read(path: Path) -> Decisions:
    """Read the file; none is none. Raises InputError ``broken_decision`` with every line that is not a decision."""
    rows: dict[str, Decision] = {}
    rules: dict[str, RuleAction] = {}
    faults = []
    for number, line in enumerate(durable_lines.whole_lines(path), 1):
        try:
            _take(json.loads(line), rows, rules)
        except (ValueError, KeyError, TypeError, RecursionError):
            where, fix = f"{FILE}:{number}", "mend or delete the line"
            faults.append(InputError("broken_decision", "this line is not a decision", where, fix))
    raise_all(faults)
    return Decisions(rows, rules)


def _take(entry: Any, rows: dict[str, Decision], rules: dict[str, RuleAction]) -> None:
    action = entry["decision"]
    known = ("keep", "drop", "none") if "rule" in entry else ("keep", "drop", "edit", "none")
    if action not in known or (action == "edit") != isinstance(entry.get("answer"), str):
        raise ValueError(action)
    if "rule" in entry:
        rules.pop(str(entry["rule"]), None)
        if action != "none":
            rules[str(entry["rule"])] = action
        return
    id = str(entry["id"])
    if action == "none":
        rows.pop(id, None)
    else:
        rows[id] = Decision(action, entry.get("answer"), str(entry.get("reason") or ""))


def append(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Add lines; when this returns they are durable. Call it under the project's lock."""
    durable_lines.append(path, lines)


def write(path: Path, decisions: Decisions) -> None:
    """Write the file anew, whole or not at all. Call it under the project's lock."""
    write_text(path, "".join(json.dumps(line) + "\n" for line in decisions.lines()))
