"""Decide on many rows at once, by id or by reason, and take decisions back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tunesmith import decisions
from tunesmith.decisions import Decision, Decisions
from tunesmith.errors import InputError

if TYPE_CHECKING:
    from tunesmith.project import Project


def restore(project: Project, ids: Sequence[str]) -> list[str]:
    """Decide that rows which `clean` took out stay in, by example id or by reason. Returns their ids."""
    lines = [line for line in project.product("clean").ledger() if line.state in ("merged", "set_aside")]
    wanted: dict[str, Decision] = {}
    for id in ids:
        hits = [line for line in lines if id in (line.id, line.code)]
        if not hits:
            codes = sorted({line.code for line in lines})
            raise InputError(
                "nothing_to_restore",
                f"no row that was taken out has the id or reason {id!r}",
                fix=f"see `tunesmith show clean`; reasons there: {', '.join(codes) or 'none'}",
            )
        wanted.update({line.id: Decision("keep", reason=line.code) for line in hits})
    with project.store.lock():
        known = project.decisions()
        decisions.write(project.root / decisions.FILE, Decisions({**known.rows, **wanted}, known.rules))
    return list(wanted)


def undo(project: Project, words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Withdraw decisions by example id or by reason. Returns the ids of the rows and the reasons of the rules."""
    with project.store.lock():
        known = project.decisions()
        rows = [id for id, one in known.rows.items() if id in words or one.reason in words]
        rules = [reason for reason in known.rules if reason in words]
        hit = {*rows, *rules, *(known.rows[id].reason for id in rows)}
        for word in words:
            if word not in hit:
                raise InputError(
                    "nothing_to_undo",
                    f"no decision was made on a row or for a reason {word!r}",
                    decisions.FILE,
                    "name an id or a reason that stands there",
                )
        left = {id: one for id, one in known.rows.items() if id not in rows}
        other = {reason: action for reason, action in known.rules.items() if reason not in rules}
        decisions.write(project.root / decisions.FILE, Decisions(left, other))
    return rows, rules
