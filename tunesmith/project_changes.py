"""What a project writes into its own tunesmith.yaml: a new one, sources, fixes, labels, settings; comments stay."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunesmith import project_file
from tunesmith.artifact import hash_of, write_text
from tunesmith.errors import InputError, raise_all
from tunesmith.project_file import FILE

if TYPE_CHECKING:
    from tunesmith.project import Project
    from tunesmith.stages.collect.look import SourceLook
    from tunesmith.stages.goal.infer import Inferred


def create(project: Project, input: str, output: str, name: str | None) -> None:
    """Write a commented tunesmith.yaml into a new or existing folder. Raises InputError when one is there."""
    if input != "text" or output not in ("text", "label", "json"):
        raise InputError(
            "task_not_served",
            f"no learner turns {input} into {output} yet",
            fix="--input text and --output text, label or json",
        )
    if project.root.is_file():
        raise InputError("no_project", "a file stands in the way", str(project.root), "name another folder")
    if project.file.exists():
        raise InputError("already_a_project", "there is a project here already", str(project.file), "open it")
    name = name or re.sub(r"[^\w.-]+", "-", project.root.name).strip("-") or "project"
    if not re.fullmatch(r"[\w.-]+", name):
        raise InputError("bad_name", f"{name!r} cannot name a project", "--name", "letters, digits, - _ and .")
    project.root.mkdir(parents=True, exist_ok=True)
    write_text(project.file, project_file.template(name, input, output))


def add(project: Project, paths: Sequence[str], **keys: Any) -> list[SourceLook]:
    """Look at files, then record them as sources in tunesmith.yaml. Faults are raised, nothing written."""
    from tunesmith.stages.collect.look import look

    given = {key: value for key, value in keys.items() if value not in (None, [], ())}
    looks: list[SourceLook] = []
    entries = []
    faults: list[InputError] = []
    settings = project.settings
    known = {(project.root / source.path).resolve() for source in settings.collect}
    for path in paths:
        target = Path(path).resolve()
        if target in known:
            faults.append(_already_added(project, path))
            continue
        known.add(target)
        entry = {"path": _relative(project.root, target), **given}
        try:
            looks += look(project_file.source(entry), project.root, settings.goal.output)
        except InputError as error:
            faults += getattr(error, "faults", [error])
        entries.append(entry)
    raise_all([*faults, *(fault for found in looks for fault in found.stopping)])

    def change(document: Any) -> None:
        now = {(project.root / source.path).resolve() for source in project.settings.collect}
        raise_all([_already_added(project, entry["path"]) for entry in entries if project.root / entry["path"] in now])
        if not document.get("collect"):
            document["collect"] = []
        document["collect"].extend(entries)

    project_file.edit(project.file, change)
    return looks


def _already_added(project: Project, path: str) -> InputError:
    return InputError("already_added", "this source was added before", path, f"see collect in {project.file}")


def _relative(root: Path, path: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def fix(project: Project, codes: Sequence[str]) -> list[str]:
    """Add fixes to `clean.fix`. Returns all that are there now. Raises InputError ``unknown_fix``."""
    settings = project.settings
    known = settings.clean.known_fixes()
    unknown = [code for code in codes if code not in known]
    if unknown:
        raise InputError("unknown_fix", f"there is no fix {unknown[0]!r}", "--fix", f"known fixes: {', '.join(known)}")
    wanted = list(dict.fromkeys([*settings.clean.fix, *codes]))

    def change(document: Any) -> None:
        if document.get("clean") is None:
            document["clean"] = {}
        document["clean"]["fix"] = wanted

    project_file.edit(project.file, change)
    return wanted


def write_goal(project: Project, found: Inferred) -> str:
    """Write labels or a schema that were read from the data into the user's files. Returns the file's name."""
    file = FILE
    if found.schema is not None:
        text = json.dumps(found.schema, indent=2, ensure_ascii=False) + "\n"
        file = _free_name(project.root, found.schema_file, text)
        write_text(project.root / file, text)

    def change(document: Any) -> None:
        goal = document["goal"]
        key, value = ("schema", file) if found.labels is None else ("labels", list(found.labels))
        goal[key] = value
        if not goal.fa.flow_style():  # a comment ends a line, so it would break {a: 1, b: 2} in two
            goal.yaml_add_eol_comment("read from the data; yours to edit", key)

    project_file.edit(project.file, change)
    return file


def _free_name(root: Path, name: str, text: str) -> str:
    """The name, unless a file with another content has it: what a user wrote is not overwritten."""
    path = root / name
    if not path.exists() or (path.is_file() and path.read_bytes() == text.encode()):
        return name
    stem, dot, endings = name.partition(".")
    return f"{stem}-{hash_of(text)[:8]}{dot}{endings}"


def write_settings(project: Project, values: Mapping[str, Any]) -> None:
    """Write settings by their keys (`train.epochs`); what they mean is checked first."""
    project.read([f"{key}={value}" for key, value in values.items()])

    def change(document: Any) -> None:
        for path, value in values.items():
            stage, key = path.split(".")
            if document.get(stage) is None:
                document[stage] = {}
            document[stage][key] = value

    project_file.edit(project.file, change)
