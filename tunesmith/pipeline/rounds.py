"""Rounds: each run that ended with a new test report, one line each in .tunesmith/rounds.jsonl.

One JSON object a line; the file only grows. A line is durable before the run ends, and a later line of a round takes
the place of an earlier one (a newer report of the same model)::

    {"round": 3, "when": "2026-11-22T10:20:30+00:00", "after": 2, "artifacts": {"test": "…", …}, "changed": [...], …}
    {"at": 2, "rejected": 3, "when": "…"}

A line with ``at`` says that the project went back to that round. Beside it ``.tunesmith/rounds/<number>/`` holds the
project file of each round, the decisions on rows, and the settings as they were used.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunesmith import decisions, durable_lines
from tunesmith.artifact import Artifact, Store, make_folder, write_json, write_text
from tunesmith.errors import InputError
from tunesmith.pipeline.order import MAKING
from tunesmith.pipeline.stale import differences

if TYPE_CHECKING:
    from tunesmith.project import Project
    from tunesmith.project_file import ProjectSettings

#: The log; the folder with what is kept of each round; in it the settings as they were used, and the schema.
FILE, FOLDER, EFFECTIVE, SCHEMA = "rounds.jsonl", "rounds", "settings.json", "schema.json"


@dataclass(frozen=True)
class Round:
    """``artifacts``: the id of each stage's artifact. ``after``: the round that it went on from, None for the first.

    ``changed`` says in words what was not as in that round. ``counts`` are of rows, ``verdict`` the test's code.
    """

    round: int
    when: str
    after: int | None
    artifacts: dict[str, str]
    changed: list[str]
    counts: dict[str, int] = field(default_factory=dict)
    verdict: str = ""


@dataclass(frozen=True)
class Rounds:
    """All rounds by number; ``at``: the one that the project's files are those of; those that were rejected."""

    known: dict[int, Round]
    at: int | None = None
    rejected: frozenset[int] = frozenset()

    def get(self, number: int) -> Round:
        """Raises InputError ``no_such_round``."""
        if number not in self.known:
            there = ", ".join(map(str, self.known)) or "none yet; each `tunesmith run` with a new test makes one"
            raise InputError("no_such_round", f"there is no round {number}", fix=f"rounds: {there}")
        return self.known[number]


def read(store: Store) -> Rounds:
    """Read the file; a last line that a kill cut off was never confirmed.

    Raises InputError ``damaged_rounds`` for any other line that is not one.
    """
    path = store.root / FILE
    known: dict[int, Round] = {}
    at, rejected = None, set[int]()
    for number, line in _lines(path):
        try:
            if "round" in line:
                found = Round(**line)
                known[found.round], at = found, found.round
            else:
                at = int(line["at"])
                rejected.discard(at)
                if "rejected" in line:
                    rejected.add(int(line["rejected"]))
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(path, number) from error
    return Rounds(known, at, frozenset(rejected))


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(durable_lines.whole_lines(path), 1):
        try:
            value = json.loads(line)
        except ValueError as error:
            raise _damaged(path, number) from error
        if not isinstance(value, dict):
            raise _damaged(path, number)
        yield number, value


def _damaged(path: Path, number: int) -> InputError:
    return InputError(
        "damaged_rounds", "this line is no round", f"{path}:{number}", "delete the line; the reports themselves stay"
    )


def append(store: Store, line: Mapping[str, Any]) -> None:
    """Add a line; when this returns it is durable. Call it under the project's lock."""
    durable_lines.append(store.root / FILE, [line])


def now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds")


def record(project: Project, settings: ProjectSettings, made: Mapping[str, Artifact]) -> Round | None:
    """Record the round that ended with this test. Call it under the lock, when ``test`` is made or up to date.

    None when this test is a round already; a test that a killed run had made and not recorded is recorded now.
    """
    store = project.store
    rounds = read(store)
    test = made["test"].id
    for number, known in rounds.known.items():
        if known.artifacts["test"] == test:
            if rounds.at != number:
                append(store, {"at": number, "when": now()})
            return None
    before = rounds.known.get(rounds.at) if rounds.at is not None else None
    if before is not None and _but_test(before.artifacts) == _but_test({name: one.id for name, one in made.items()}):
        append(store, asdict(replace(before, artifacts={**before.artifacts, "test": test})))
        return None  # the same model on the same rows: a newer report of the round
    number = max(rounds.known, default=0) + 1
    stages = [stage for stage in MAKING if stage in made]
    found = Round(
        number,
        now(),
        before.round if before else None,
        {stage: made[stage].id for stage in stages},
        changes(store, before, made),
        counts_of(made),
        str(made["test"].counts.get("verdict", "")),
    )
    keep_files(project, settings, store.root / FOLDER / str(number))
    append(store, asdict(found))
    return found


def earlier(store: Store, made: Mapping[str, Artifact]) -> list[dict[str, Any]]:
    """The rounds before the one that is being tested, with the folders of their tests, for the report."""
    ids = {stage: one.id for stage, one in made.items()}
    found = []
    for number, one in read(store).known.items():
        test = store.find("test", one.artifacts["test"])
        if test is not None and _but_test(one.artifacts) != _but_test(ids):
            found.append({"round": number, "changed": one.changed, "folder": test.path})
    return found


def _but_test(artifacts: Mapping[str, str]) -> dict[str, str]:
    return {stage: id for stage, id in artifacts.items() if stage in MAKING and stage not in ("test", "improve")}


def counts_of(made: Mapping[str, Artifact]) -> dict[str, int]:
    """Rows by part, and what `clean` kept."""
    told = {part: made["split"].counts.get(part) for part in ("train", "validation", "test")}
    told["kept"] = made["clean"].counts.get("kept")
    return {name: value for name, value in told.items() if isinstance(value, int)}


def changes(store: Store, before: Round | None, made: Mapping[str, Artifact]) -> list[str]:
    """What was changed since another round, in words, each with its stage; what only follows from it is left out."""
    if before is None:
        return ["the first round"]
    words: list[str] = []
    for stage in MAKING:
        if stage not in made or before.artifacts.get(stage) == made[stage].id:
            continue
        old = store.find(stage, before.artifacts.get(stage, ""))
        if old is None:
            words.append(f"{stage}: what it was in round {before.round} is gone")
            continue
        told = differences(_without_decisions(old.made_by), _without_decisions(made[stage].made_by))
        ripples = {f"{name} changed" for name in (*MAKING, "after", "encoder")} | {"its files are damaged or gone"}
        if stage == "collect":  # the files themselves are told
            ripples |= {"settings changed"} if old.made_by.get("facts") != made[stage].made_by.get("facts") else set()
        words += [f"{stage}: {one}" for one in told if one not in ripples]
        words += [f"{stage}: {one}" for one in _decided(old.made_by, made[stage].made_by)]
    return words or ["made again from the same settings and data"]


def _without_decisions(made_by: Mapping[str, Any]) -> dict[str, Any]:
    facts = dict(made_by.get("facts") or {})
    return {**made_by, "facts": {key: value for key, value in facts.items() if key != "decisions"}}


def _decided(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """How many decisions on rows came and went."""
    before, after = ((one.get("facts") or {}).get("decisions") or {} for one in (old, new))
    fresh = sum(before.get(id) != told for id, told in after.items())
    gone = sum(id not in after for id in before)
    counted = ((fresh, "made"), (gone, "withdrawn"))
    return [f"{count:,} decision{'s' * (count != 1)} on rows {what}" for count, what in counted if count]


def keep_files(project: Project, settings: ProjectSettings, folder: Path) -> None:
    """Keep the project's own small files as they are: the project file, the decisions, a schema; and the settings
    that were used, which a run may have changed for itself (`--set`)."""
    make_folder(folder)
    for name, text in own_files(project, settings).items():
        write_text(folder / name, text)
    write_json(folder / EFFECTIVE, plain(settings))


def own_files(project: Project, settings: ProjectSettings) -> dict[str, str]:
    """The texts of the project file, of the decisions, and of a schema that lies in the project."""
    found = {project.file.name: project.file.read_text(encoding="utf-8-sig")}
    path = project.root / decisions.FILE
    found[decisions.FILE] = path.read_text(encoding="utf-8") if path.exists() else ""
    schema = schema_file(project.root, plain(settings))
    if schema is not None:
        found[SCHEMA] = schema.read_text(encoding="utf-8-sig")
    return found


def schema_file(root: Path, settings: Mapping[str, Any]) -> Path | None:
    """The schema that the settings name, where it is a file of the project."""
    named = settings["goal"].get("schema")
    if not isinstance(named, str):
        return None
    path = (root / named).resolve()
    return path if path.is_relative_to(root) else None


def plain(settings: ProjectSettings) -> dict[str, Any]:
    """The settings as plain JSON, by the keys of the project file."""
    return settings.model_dump(mode="json", by_alias=True)


def missing(store: Store, one: Round) -> list[str]:
    """The stages whose artifacts of this round are gone or damaged."""
    return [stage for stage, id in one.artifacts.items() if store.find(stage, id) is None]
