"""Go back to a round: its settings, decisions and artifacts become the project's own again.

What is there before is copied first, and what shall be done is durable before the first file changes, so that a kill
at any point is made good by the next command.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunesmith import decisions, durable_lines, project_file
from tunesmith.artifact import fsync, make_folder, read_json, write_json, write_text
from tunesmith.errors import Busy, InputError
from tunesmith.pipeline import rounds
from tunesmith.pipeline.in_use import FILE as IN_USE
from tunesmith.pipeline.in_use import in_use
from tunesmith.pipeline.rounds import EFFECTIVE, FOLDER, SCHEMA, Round, Rounds

if TYPE_CHECKING:
    from tunesmith.project import Project

#: What was accepted; a line there says that the project went to another round, so that what was done is undone.
ACCEPTED = "accepted.jsonl"
#: What is being done, in the folder of the rounds.
PENDING = "pending.json"
_MISSING = object()


def use(project: Project, number: int) -> Path:
    """Make a round the version in use, and the project's files those of the round. Returns the backup's folder.

    Raises InputError ``no_such_round`` and ``round_gone``; then nothing is changed.
    """
    with project.store.lock():
        finish(project)
        return _go_to(project, rounds.read(project.store).get(number), rejected=None)


def reject(project: Project) -> tuple[int, int, Path]:
    """Reject the round that the project is at, and go back to the one in use, or to the one that it went on from.

    Returns the numbers of the rejected round and of the one gone back to, and the backup's folder.
    """
    with project.store.lock():
        finish(project)
        log = rounds.read(project.store)
        if log.at is None:
            raise InputError("nothing_to_reject", "there is no round yet", fix="`tunesmith run` makes one")
        target = _before(project, log)
        return log.at, target.round, _go_to(project, target, rejected=log.at)


def _before(project: Project, log: Rounds) -> Round:
    """The round to go back to."""
    here = log.get(log.at or 0)
    used = (in_use(project) or {}).get("round")
    if used != here.round and used in log.known:
        return log.known[used]
    number = here.after
    while number is not None and number in log.rejected:
        number = log.known[number].after
    if number is None:
        raise InputError(
            "nothing_to_reject",
            f"round {here.round} went on from no other that was kept, so there is none to go back to",
            fix="`tunesmith rounds --use N` goes to any round",
        )
    return log.known[number]


def _go_to(project: Project, target: Round, rejected: int | None) -> Path:
    """Check that all of the round is there, keep what is there now, and carry it out. Call it under the lock."""
    gone = rounds.missing(project.store, target)
    kept = project.store.root / FOLDER / str(target.round)
    if gone or not (kept / EFFECTIVE).is_file():
        raise InputError(
            "round_gone",
            f"of round {target.round} is gone or damaged: {', '.join(gone) or 'its settings'}",
            str(project.store.artifacts),
            "what was deleted or forgotten cannot be used again; `tunesmith rounds` shows what is there",
        )
    backup = _free_folder(project.store.root / FOLDER, f"before-{rounds.now().replace(':', '')[:17]}")
    rounds.keep_files(project, project.settings, backup)
    latest = {stage: found.id for stage in target.artifacts if (found := project.store.latest(stage)) is not None}
    write_json(backup / "latest.json", latest)
    intent = {"round": target.round, "rejected": rejected, "when": rounds.now(), "backup": backup.name}
    write_json(project.store.root / FOLDER / PENDING, intent)
    _carry_out(project, intent)
    return backup


def _free_folder(parent: Path, name: str) -> Path:
    """A folder that is not there yet."""
    found, number = parent / name, 1
    while found.exists():
        number += 1
        found = parent / f"{name}-{number}"
    make_folder(found)
    return found


def finish(project: Project) -> None:
    """Finish a change that a kill had cut off. Call it under the lock."""
    path = project.store.root / FOLDER / PENDING
    if path.exists():
        _carry_out(project, read_json(path))


def finish_after_a_kill(project: Project) -> None:
    """The same, where nobody else is at it."""
    try:
        with project.store.lock():
            finish(project)
    except Busy:
        pass


def _carry_out(project: Project, intent: Mapping[str, Any]) -> None:
    """Write the round's files, mark its artifacts as the latest, name it in use. Each step can be taken again."""
    store = project.store
    target = rounds.read(store).get(int(intent["round"]))
    kept = store.root / FOLDER / str(target.round)
    used = read_json(kept / EFFECTIVE)
    if (kept / SCHEMA).exists() and (schema := rounds.schema_file(project.root, used)) is not None:
        write_text(schema, (kept / SCHEMA).read_text(encoding="utf-8"))
    _write_decisions(project.root / decisions.FILE, (kept / decisions.FILE).read_text(encoding="utf-8"))
    write_text(project.file, (kept / project.file.name).read_text(encoding="utf-8"))
    changed = list(_differing(rounds.plain(project.settings), used))
    if changed:  # what was given for the run alone (`--set`) belongs to the round too
        project_file.edit(project.file, lambda document: _set(document, changed))
    for stage, id in target.artifacts.items():
        if (artifact := store.find(stage, id)) is not None:
            store.mark_latest(artifact)
    told = {"round": target.round, "test": target.artifacts["test"], "train": target.artifacts["train"]}
    write_json(store.root / IN_USE, told)
    line = {"at": target.round, "when": intent["when"]}
    durable_lines.append(store.root / ACCEPTED, [{"went_to": target.round, "when": intent["when"]}])
    rounds.append(store, line if intent["rejected"] is None else {**line, "rejected": intent["rejected"]})
    (store.root / FOLDER / PENDING).unlink()
    fsync(store.root / FOLDER)


def _write_decisions(path: Path, text: str) -> None:
    """The decisions as they were; rows that were forgotten since have none in the kept file either."""
    if text:
        write_text(path, text)
    else:
        path.unlink(missing_ok=True)


def _differing(now: Any, wanted: Any, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The settings that are not as wanted, by their keys."""
    if isinstance(now, Mapping) and isinstance(wanted, Mapping):
        for key, value in wanted.items():
            yield from _differing(now.get(key, _MISSING), value, (*keys, key))
    elif now != wanted:
        yield keys, wanted


def _set(document: Any, changed: list[tuple[tuple[str, ...], Any]]) -> None:
    for keys, value in changed:
        block = document
        for key in keys[:-1]:
            if not isinstance(block.get(key), Mapping):
                block[key] = {}
            block = block[key]
        block[keys[-1]] = json.loads(json.dumps(value))
