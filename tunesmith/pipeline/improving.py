"""What the stage `improve` reads outside the store: the pool of unlabelled rows, and answers that people gave."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tunesmith import ratings
from tunesmith.artifact import hash_of, sha256_of
from tunesmith.deployment.candidates import candidates
from tunesmith.deployment.state import FILE
from tunesmith.deployment.tables import open_state
from tunesmith.errors import InputError, raise_all
from tunesmith.pipeline.served_answers import served_answers

if TYPE_CHECKING:
    from tunesmith.project import Project
    from tunesmith.project_file import ProjectSettings

#: Files of accepted rows begin so; see accept.py.
ROUNDS = "improve/round-"


def facts(project: Project, settings: ProjectSettings) -> dict[str, Any]:
    """Hashes of the pool's files and of the corrections. Raises InputError ``no_pool`` as `check` does."""
    check(project, settings)
    files = [{"path": name, "sha256": sha256_of(project.root / name)} for name in settings.improve.pool]
    corrected = corrections(project)
    asked = requests(project, settings)
    return {
        "files": files,
        **({"corrections": hash_of(corrected)} if corrected else {}),
        **({"requests": hash_of(asked)} if asked else {}),
    }


def requests(project: Project, settings: ProjectSettings) -> list[dict[str, str]]:
    """The requests of the served model that are least like the training data: their ids and texts, where they are
    kept."""
    if not settings.improve.traffic or not (project.store.root / FILE).exists():
        return []
    state = open_state(project.store.root)
    try:
        return [{"id": one.id, "text": one.text} for one in candidates(state, settings.improve.traffic)]
    finally:
        state.close()


def check(project: Project, settings: ProjectSettings) -> None:
    """Look whether the pool's files are there. Raises InputError ``no_pool`` with every one that is not."""
    fix = "name files of inputs without answers, relative to the project"
    gone = [name for name in settings.improve.pool if not (project.root / name).is_file()]
    raise_all([InputError("no_pool", f"the pool {name} is not there", "improve.pool", fix) for name in gone])


def corrections(project: Project) -> list[dict[str, str]]:
    """What people answered or corrected, in reviews of the test and at the served model: the row's ``id`` and ``part``,
    its ``input`` and the ``answer``; of several for a row the last. Those that were accepted before are left out."""
    told = {
        one.id: {"id": one.id, "input": one.input, "answer": one.answer, "part": one.part}
        for one in ratings.corrections(project)
        if one.answer.strip()
    }
    accepted = _accepted(project)
    served = [one for one in served_answers(project) if (_asked(one), one["answer"]) not in accepted]
    return [*told.values(), *served]


def _asked(one: Mapping[str, str]) -> str:
    return json.dumps(json.loads(one["messages"])) if one["messages"] else one["input"]


def _accepted(project: Project) -> set[tuple[str, str]]:
    """What the accepted rows ask, and their answers, of all files that the project collects now."""
    found = set()
    for source in project.settings.collect:
        path = project.root / source.path
        if source.path.startswith(ROUNDS) and path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                with suppress(ValueError, KeyError, TypeError, IndexError):  # a user may have changed the file
                    *prompt, answer = json.loads(line)["messages"]
                    asked = prompt[0]["content"] if len(prompt) == 1 else json.dumps(prompt)
                    found.add((str(asked), str(answer["content"])))
    return found
