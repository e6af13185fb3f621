"""All tables of a project's state, each described where it is used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tunesmith.deployment import outcomes, rollouts, versions
from tunesmith.deployment.feedback import FEEDBACK
from tunesmith.deployment.state import FILE, State, Tables
from tunesmith.deployment.tickets import TICKETS
from tunesmith.deployment.traffic import TRAFFIC

TABLES: Sequence[Tables] = (TICKETS, FEEDBACK, TRAFFIC, versions.TABLES, rollouts.TABLES, outcomes.TABLES)


def has_state(folder: Path) -> bool:
    """Whether anything was ever served or deployed from this folder of a project: without, looking need make none."""
    return (folder / FILE).exists()


def open_state(folder: Path, *, to_look: bool = False) -> State:
    """The state in a project's own folder (``.tunesmith``), for servers and commands; ``to_look``: as `State` has it.

    Raises InputError ``damaged_state`` or ``newer_state``.
    """
    return State(folder / FILE, TABLES, to_look=to_look)
