"""Rows of the data whose answers look wrong, or which teach nothing: to relabel, or to remove.

Rows of the test part are never among them: the stage looks at training and validation alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from tunesmith.decisions import Decisions
from tunesmith.example import Example
from tunesmith.learners.protocol import Prediction
from tunesmith.products import CleanSet, GoalSheet, ProposedItem, ProposedRow, TunedModel
from tunesmith.stages.improve.item import Made, counted, quoted
from tunesmith.stages.improve.quick_gain import QuickClassifier

#: What `clean` flags because a row should perhaps not be learned from, in the words of the proposal.
FLAGS = {
    "truncated": "answers that break off",
    "copied": "answers that are copied from the input",
    "boilerplate": "answers with text that a machine put there",
    "language": "rows in another language than the rest",
    "far": "inputs that are like no other row's",
}
#: The tuned model must be at least so sure of another label on a row that it was taught.
SURE = 0.5
_BETTER = re.compile(r'rows like it are "(.*?)(…?)" \(probability')

Ask = Callable[[Sequence[Example]], list[Prediction]]


def to_relabel(
    rows: Mapping[str, Example],
    clean: CleanSet,
    tuned: TunedModel,
    goal: GoalSheet,
    decisions: Decisions,
    hardest: int,
    ask: Ask,
    quick: QuickClassifier,
) -> list[Made]:
    """Rows that rows like theirs speak against, and those that the tuned model answers otherwise though taught them."""
    if goal.output != "label":
        return []
    found: dict[str, ProposedRow] = {}
    for line in clean.ledger():
        if line.code == "wrong_label" and line.state == "flagged" and line.id in rows and line.id not in decisions.rows:
            better = _named(line.evidence, goal)
            if better is not None and better != rows[line.id].answer:
                found[line.id] = _row("relabel", rows[line.id], better, line.evidence)
    flagged = len(found)
    for row, why, better in _unlearned(rows, tuned, decisions, hardest, ask):
        if row.id not in found and better in goal.labels:
            found[row.id] = _row("relabel", row, better, why)
    if not found:
        return []
    gain, how = quick.gain({id: row.proposed for id, row in found.items()}, ())
    evidence = []
    if flagged:
        evidence.append(f"{counted(flagged, 'label')} by confident learning: rows like it have another label.")
    if len(found) > flagged:
        evidence.append(
            f"{counted(len(found) - flagged, 'row')} the tuned model answers otherwise, though it was trained on it."
        )
    what = f"Relabel {counted(len(found), 'row')} of the training and validation data"
    item = ProposedItem("relabel", "relabel", what, tuple(evidence), gain, how, len(found))
    return [Made(item, tuple(found.values()))]


def _unlearned(
    rows: Mapping[str, Example], tuned: TunedModel, decisions: Decisions, hardest: int, ask: Ask
) -> list[tuple[Example, str, str]]:
    """The hardest rows that the tuned model, sure of it, gives another label than the one it was taught."""
    lines = [line for line in tuned.hardest(hardest) if line.id in rows and line.id not in decisions.rows]
    asked = [rows[line.id] for line in lines]
    told = []
    for line, row, answer in zip(lines, asked, ask(asked) if asked else [], strict=True):
        if answer.text != row.answer and answer.confidence >= SURE:
            why = (
                f"the tuned model was trained on it {counted(len(line.steps), 'time')} and says {quoted(answer.text)} "
                f"(confidence {answer.confidence:.2f}; its loss was {line.loss:.2f})"
            )
            told.append((row, why, answer.text))
    return told


def _named(evidence: str, goal: GoalSheet) -> str | None:
    """The label that the evidence of `clean` names; None where it was cut and several labels begin so."""
    match = _BETTER.search(evidence)
    if match is None:
        return None
    said, cut = match[1], bool(match[2])
    fits = [label for label in goal.labels if " ".join(label.split()) == said]
    if cut and not fits:
        fits = [label for label in goal.labels if " ".join(label.split()).startswith(said)]
    return fits[0] if len(fits) == 1 else None


def to_remove(
    rows: Mapping[str, Example], clean: CleanSet, goal: GoalSheet, decisions: Decisions, quick: QuickClassifier
) -> list[Made]:
    """What `clean` flagged to be looked at and nobody has decided on, an item for each reason."""
    by_code: dict[str, list[ProposedRow]] = {}
    for line in clean.ledger():
        if line.state == "flagged" and line.code in FLAGS and line.id in rows and line.id not in decisions.rows:
            by_code.setdefault(line.code, []).append(_row(f"remove-{line.code}", rows[line.id], "", line.evidence))
    made = []
    for code, found in sorted(by_code.items(), key=lambda item: -len(item[1])):
        if code in decisions.rules:
            continue
        gain, how = None, "not known: only what labels bring is measured by a quick classifier"
        if goal.output == "label":
            gain, how = quick.gain({}, {row.id for row in found})
        what = f"Remove {counted(len(found), 'row')}: {FLAGS[code]}"
        evidence = (f"`clean` flagged them as {code}; `tunesmith clean --review` shows them one by one.",)
        item = ProposedItem(f"remove-{code}", "remove", what, evidence, gain, how, len(found))
        made.append(Made(item, tuple(found)))
    return made


def _row(item: str, row: Example, proposed: str, why: str) -> ProposedRow:
    return ProposedRow(item, row.id, row.input, row.answer or "", proposed, why, row.source.where)
