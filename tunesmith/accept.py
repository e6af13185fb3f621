"""Accept a proposal in parts: what shall be done is durable first, and each of its steps can be taken again.

Labels and removals become decisions on rows (decisions.jsonl, which `tunesmith clean --undo` takes back), added rows
a source of their own (improve/round-N.jsonl), rows to label a file to fill in (improve/to-label-N.jsonl), settings a
change of tunesmith.yaml. What was decided on each item stands in .tunesmith/accepted.jsonl.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tunesmith import decisions, durable_lines, project_file
from tunesmith.artifact import make_folder, write_text
from tunesmith.decisions import Decision
from tunesmith.errors import InputError, raise_all
from tunesmith.pipeline import rounds
from tunesmith.products import Proposal, ProposedItem, ProposedRow
from tunesmith.rounds.switch import ACCEPTED

if TYPE_CHECKING:
    from tunesmith.project import Project

FOLDER = "improve"
State = Literal["open", "begun", "accepted", "rejected"]
ALL = "all"


@dataclass(frozen=True)
class Accepted:
    """Items and what came of each, in words; ``files`` that were written; what was ``already`` accepted before."""

    done: list[tuple[str, str]] = field(default_factory=list)
    already: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)


def states(project: Project, proposal: Proposal) -> dict[str, State]:
    """What was decided on each item of a proposal."""
    found: dict[str, State] = {item.id: "open" for item in proposal.items}
    for line in _log(project):
        if "went_to" in line:
            found = {id: "rejected" if state == "rejected" else "open" for id, state in found.items()}
        elif line["proposal"] == proposal.id and line["item"] in found:
            found[line["item"]] = line["state"]
    return found


def accept(project: Project, words: Sequence[str]) -> Accepted:
    """Accept items of the last proposal, by their ids or all that can be; a row of one as ITEM/ROW.

    Raises InputError ``no_such_item`` for a word that names none; then nothing is done.
    """
    with project.store.lock():
        proposal: Proposal = project.product("improve")
        known = states(project, proposal)
        chosen = _chosen(proposal, words, known)
        told = Accepted()
        for item, rows in chosen:
            if known[item.id] == "accepted":
                told.already.append(item.id)
                continue
            number = _round_of(project, proposal, item.id)
            note(project, proposal, item.id, "begun", round=number, rows=rows)
            said = _carry_out(project, item, _rows(proposal, item, rows), number, told.files)
            # rows that were picked one by one leave the rest of the item open
            note(project, proposal, item.id, "open" if rows else "accepted", round=number)
            told.done.append((item.id, said))
        return told


def reject(project: Project, words: Sequence[str]) -> list[str]:
    """Note that items were rejected. Returns those that were not before; what was accepted stays done.

    Raises InputError ``no_such_item``, and ``no_part_to_reject`` for a row of one; then nothing is noted.
    """
    with project.store.lock():
        proposal: Proposal = project.product("improve")
        known = states(project, proposal)
        whole = list(known) if _means_all(words) else [item.id for item, _ in _named(proposal, words, rows=False)]
        chosen = [id for id in whole if known[id] in ("open", "begun")]
        for id in chosen:
            note(project, proposal, id, "rejected")
        return chosen


def _chosen(
    proposal: Proposal, words: Sequence[str], known: Mapping[str, State]
) -> list[tuple[ProposedItem, list[str]]]:
    """The items to accept, with the rows that are picked of each; none are all."""
    if _means_all(words):
        return [(item, []) for item in proposal.items if item.accepted_by_itself and known[item.id] != "rejected"]
    found = _named(proposal, words, rows=True)
    for item, _ in found:
        if not item.accepted_by_itself:
            raise InputError(
                "nothing_to_accept",
                f"{item.id} asks for examples that nobody has yet",
                fix="collect them, and `tunesmith add FILE`",
            )
    return found


def _means_all(words: Sequence[str]) -> bool:
    return list(words) in ([], [ALL])


def _named(proposal: Proposal, words: Sequence[str], *, rows: bool) -> list[tuple[ProposedItem, list[str]]]:
    """The items that the words name; with ``rows`` a word may pick a row of one."""
    items = {item.id: item for item in proposal.items}
    found: dict[str, list[str]] = {}
    for word in words:
        name, _, row = word.partition("/")
        there = name in items and (not row or any(one.id == row for one in proposal.rows(name)))
        if not there:
            fix = f"items: {', '.join(items) or 'none'}; a row of one is ITEM/ROW"
            raise InputError("no_such_item", f"the last proposal has no item {word!r}", str(proposal.path), fix)
        if row and not rows:
            what = f"{word} is a row of {name}, and only a whole item can be rejected"
            fix = f"`tunesmith improve --reject {name}`, or accept the other rows of it as {name}/ROW"
            raise InputError("no_part_to_reject", what, str(proposal.path), fix)
        found.setdefault(name, []).extend([row] if row else [])
    return [(items[name], rows) for name, rows in found.items()]


def _rows(proposal: Proposal, item: ProposedItem, picked: Sequence[str]) -> list[ProposedRow]:
    return [row for row in proposal.rows(item.id) if not picked or row.id in picked]


def _log(project: Project) -> list[dict[str, Any]]:
    return [json.loads(line) for line in durable_lines.whole_lines(project.store.root / ACCEPTED)]


def note(project: Project, proposal: Proposal, item: str, state: State, **more: Any) -> None:
    """Add a line on an item; when this returns it is durable. Call it under the project's lock."""
    line = {"proposal": proposal.id, "item": item, "state": state, "when": rounds.now(), **more}
    durable_lines.append(project.store.root / ACCEPTED, [line])


def _round_of(project: Project, proposal: Proposal, item: str) -> int:
    """The number that the files are named by: of the next round, or of the one for which a kill cut the item off."""
    begun = [line for line in _log(project) if line.get("proposal") == proposal.id and line.get("item") == item]
    if begun and begun[-1]["state"] == "begun":
        return int(begun[-1]["round"])
    return max(rounds.read(project.store).known, default=0) + 1


def _carry_out(
    project: Project, item: ProposedItem, rows: Sequence[ProposedRow], number: int, files: list[Path]
) -> str:
    """Do one item. Each step that was done before is left out, so that a kill in the midst costs nothing."""
    if item.kind in ("relabel", "remove"):
        count = _decide(project, item, rows)
        return f"{count:,} decision{'s' * (count != 1)} on rows in {decisions.FILE}"
    if item.kind == "add":
        path = project.root / FOLDER / f"round-{number}.jsonl"
        count = _add_lines(path, [_example_line(row) for row in rows])
        add_source(project, {"path": f"{FOLDER}/{path.name}"})
        files.append(path)
        return f"{count:,} row{'s' * (count != 1)} in {FOLDER}/{path.name}, a source in {project.file.name}"
    if item.kind == "label":
        path = project.root / FOLDER / f"to-label-{number}.jsonl"
        known = _answers_given(project)
        count = _add_lines(path, [{"input": row.input, "answer": known.get(row.input, "")} for row in rows])
        files.append(path)
        return f"{count:,} row{'s' * (count != 1)} to fill in: the answers in {FOLDER}/{path.name}"
    key, value = item.setting or ("", None)
    _set(project, key, value)
    return f"{key}: {value:g} in {project.file.name}"


def _decide(project: Project, item: ProposedItem, rows: Iterable[ProposedRow]) -> int:
    """Decisions on rows that are not as wanted yet."""
    known = project.decisions().rows
    wanted = {row.id: _decision(item, row) for row in rows}
    fresh = {id: one for id, one in wanted.items() if known.get(id) != one}
    decisions.append(project.root / decisions.FILE, [one.line(id) for id, one in fresh.items()])
    return len(fresh)


def _decision(item: ProposedItem, row: ProposedRow) -> Decision:
    if item.kind == "remove":
        return Decision("drop", reason=item.id.removeprefix("remove-"))
    return Decision("edit", row.proposed, item.id)


def _example_line(row: ProposedRow) -> dict[str, Any]:
    prompt = json.loads(row.messages) if row.messages else [{"role": "user", "content": row.input}]
    return {"messages": [*prompt, {"role": "assistant", "content": row.proposed}]}


def _add_lines(path: Path, lines: Sequence[Mapping[str, Any]]) -> int:
    """Add the lines whose input is not in the file yet; what the user filled in stays. Whole or not at all."""
    make_folder(path.parent)
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    there = {_asks(json.loads(line)) for line in before.split("\n") if line.strip()}
    fresh = [line for line in lines if _asks(line) not in there]
    if fresh:
        ending = "" if not before or before.endswith("\n") else "\n"
        write_text(path, before + ending + "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in fresh))
    return len(fresh)


def take_labels(project: Project) -> int:
    """Make the rows that the user gave an answer a source, and return how many they are; the others wait.

    A row without an answer must teach nothing, so the file to fill in is none itself. Files that were accepted in a
    round that was left since are passed over. Raises InputError ``broken_label`` with every line that cannot be read.
    """
    taken = 0
    with project.store.lock():
        for path in wanted_files(project):
            lines = [line for line in read_labels(path) if line["answer"] not in ("", None)]
            target = labelled(path)
            text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
            if (target.read_text(encoding="utf-8") if target.exists() else "") != text:
                write_text(target, text)
            if lines:
                add_source(project, {"path": f"{FOLDER}/{target.name}", "input": "input", "output": "answer"})
            taken += len(lines)
    return taken


def labelled(path: Path) -> Path:
    """The source that is made of a file to fill in."""
    return path.with_name(path.name.replace("to-label", "labelled"))


def wanted_files(project: Project) -> list[Path]:
    """The files to fill in that the project as it is now goes by: accepted since it went to its round, or a source."""
    since: set[str] = set()
    for line in _log(project):
        if "went_to" in line:
            since.clear()
        elif "round" in line:
            since.add(f"to-label-{line['round']}.jsonl")
    sources = {source.path for source in project.settings.collect}
    files = sorted((project.root / FOLDER).glob("to-label-*.jsonl"))
    return [path for path in files if path.name in since or f"{FOLDER}/{labelled(path).name}" in sources]


def _answers_given(project: Project) -> dict[str, Any]:
    """What the user has answered so far, in every file to fill in."""
    files = sorted((project.root / FOLDER).glob("to-label-*.jsonl"))
    return {line["input"]: line["answer"] for path in files for line in read_labels(path) if line["answer"]}


def read_labels(path: Path) -> list[dict[str, Any]]:
    """The lines of a file to fill in: ``input`` and ``answer`` each. Raises InputError ``broken_label``."""
    found, faults = [], []
    for number, text in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), 1):
        if not text.strip():
            continue
        try:
            line = json.loads(text)
            found.append({"input": str(line["input"]), "answer": line["answer"]})
        except (ValueError, KeyError, TypeError):
            what = "this line is no row to label"
            fix = 'a line is {"input": "…", "answer": "…"}; leave the answer empty where there is none yet'
            faults.append(InputError("broken_label", what, f"{FOLDER}/{path.name}:{number}", fix))
    raise_all(faults)
    return found


def _asks(line: Mapping[str, Any]) -> str:
    """What a line asks: the user's text, or a conversation as JSON."""
    if "messages" not in line:
        return str(line.get("input", ""))
    prompt = line["messages"][:-1]
    return str(prompt[0]["content"]) if len(prompt) == 1 else json.dumps(prompt)


def add_source(project: Project, entry: Mapping[str, Any]) -> None:
    """Add a source to ``collect`` where it is not there yet."""

    def change(document: Any) -> None:
        if not document.get("collect"):
            document["collect"] = []
        if all(str(source.get("path")) != entry["path"] for source in document["collect"]):
            document["collect"].append(dict(entry))

    project_file.edit(project.file, change)


def _set(project: Project, key: str, value: Any) -> None:
    stage, _, name = key.partition(".")

    def change(document: Any) -> None:
        if not isinstance(document.get(stage), Mapping):
            document[stage] = {}
        document[stage][name] = value

    project_file.edit(project.file, change)
