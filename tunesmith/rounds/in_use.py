"""Which round is the version in use: .tunesmith/in_use.json."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tunesmith.artifact import read_json, write_json
from tunesmith.errors import InputError
from tunesmith.pipeline.rounds import Round

if TYPE_CHECKING:
    from tunesmith.project import Project

FILE = "in_use.json"


@dataclass(frozen=True)
class InUse:
    """``test`` and ``train`` are the ids of the round's artifacts."""

    round: int
    test: str
    train: str


def in_use(project: Project) -> InUse | None:
    """The version in use, or None when none was named. Raises InputError ``damaged_artifact``."""
    path = project.store.root / FILE
    if not path.exists():
        return None
    try:
        return InUse(**read_json(path))
    except TypeError as error:
        fix = "`tunesmith rounds --use N` writes it again"
        raise InputError("damaged_artifact", "this does not name a round", str(path), fix) from error


def write_in_use(project: Project, one: Round) -> None:
    """Name the round in use; whole or not at all."""
    write_json(project.store.root / FILE, asdict(InUse(one.round, one.artifacts["test"], one.artifacts["train"])))
