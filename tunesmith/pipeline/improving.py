"""What the stage `improve` reads outside the store: the pool of unlabelled rows, and what people corrected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tunesmith import ratings
from tunesmith.artifact import hash_of, sha256_of
from tunesmith.errors import InputError

if TYPE_CHECKING:
    from tunesmith.project import Project
    from tunesmith.project_file import ProjectSettings


def facts(project: Project, settings: ProjectSettings) -> dict[str, Any]:
    """Hashes of the pool's files and of the corrections. Raises InputError ``no_pool`` for a file that is not there."""
    files = []
    for name in settings.improve.pool:
        path = project.root / name
        if not path.is_file():
            fix = "name files of inputs without answers, relative to the project"
            raise InputError("no_pool", f"the pool {name} is not there", "improve.pool", fix)
        files.append({"path": name, "sha256": sha256_of(path)})
    corrected = corrections(project)
    return {"files": files, **({"corrections": hash_of(corrected)} if corrected else {})}


def corrections(project: Project) -> list[dict[str, str]]:
    """What people corrected in reviews: the row's ``id`` and ``part``, its ``input`` and the ``answer``; of several
    for a row the last."""
    told = {
        one.id: {"id": one.id, "input": one.input, "answer": one.answer, "part": one.part}
        for one in ratings.corrections(project)
        if one.answer.strip()
    }
    return list(told.values())
