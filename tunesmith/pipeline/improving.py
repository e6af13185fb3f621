"""What the stage `improve` reads outside the store: the pool of unlabelled rows, and what people corrected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunesmith.artifact import hash_of, sha256_of
from tunesmith.errors import InputError

if TYPE_CHECKING:
    from tunesmith.project import Project
    from tunesmith.project_file import ProjectSettings

#: What people said of answers, beside the project file.
RATINGS = "ratings.jsonl"


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
    """What people corrected in reviews: ``input`` and ``answer`` each, and the row's ``id`` where it has one."""
    found = _lines(project.root / RATINGS) or _lines(project.store.root / RATINGS)
    told: dict[str, dict[str, str]] = {}
    for line in found:
        answer = line.get("correction") or line.get("corrected")
        text, id = line.get("input"), str(line.get("id") or line.get("row") or "")
        if isinstance(answer, str) and answer.strip() and isinstance(text, str):
            told[id or text] = {"id": id, "input": text, "answer": answer}
    return list(told.values())


def _lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a file of JSON objects; what a kill cut off is none."""
    if not path.exists():
        return []
    found = []
    for line in path.read_bytes().splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            found.append(value)
    return found
