"""What the stage `improve` reads outside the store: the pool of unlabelled rows, and what people corrected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tunesmith import ratings
from tunesmith.artifact import hash_of, sha256_of
from tunesmith.errors import InputError, raise_all

if TYPE_CHECKING:
    from tunesmith.project import Project
    from tunesmith.project_file import ProjectSettings


def facts(project: Project, settings: ProjectSettings) -> dict[str, Any]:
    """Hashes of the pool's files and of the corrections. Raises InputError ``no_pool`` as `check` does."""
    check(project, settings)
    files = [{"path": name, "sha256": sha256_of(project.root / name)} for name in settings.improve.pool]
    corrected = corrections(project)
    return {"files": files, **({"corrections": hash_of(corrected)} if corrected else {})}


def check(project: Project, settings: ProjectSettings) -> None:
    """Look whether the pool's files are there. Raises InputError ``no_pool`` with every one that is not."""
    fix = "name files of inputs without answers, relative to the project"
    gone = [name for name in settings.improve.pool if not (project.root / name).is_file()]
    raise_all([InputError("no_pool", f"the pool {name} is not there", "improve.pool", fix) for name in gone])


def corrections(project: Project) -> list[dict[str, str]]:
    """What people corrected in reviews: the row's ``id`` and ``part``, its ``input`` and the ``answer``; of several
    for a row the last."""
    told = {
        one.id: {"id": one.id, "input": one.input, "answer": one.answer, "part": one.part}
        for one in ratings.corrections(project)
        if one.answer.strip()
    }
    return list(told.values())
