"""Models whose worth is known, planted: does each get the right verdict, in words?

Each is a learner that answers as it is told, in a project of 2,000 test rows, tested by the stage itself. Answers are
right with a chance that is planted, drawn anew for each seed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figure import Figure, at_least
from benchmarks.overrides import numbers

ROWS, SEEDS = 2000, 10
LABELS = ("delivery", "billing", "returns")
#: Channels of the rows, their tags; the share of rows that the last has.
CHANNELS, LAST = ("mail", "chat", "phone"), 0.15

Shares = Mapping[str, float] | float


@dataclass(frozen=True)
class Case:
    """A planted truth: how often base, tuned model and version in use are right, and what must be said of it.

    Shares right may differ by channel. ``decision`` and ``says`` must be in the verdict, ``never`` must not.
    """

    title: str
    base: Shares
    tuned: Shares
    decision: str
    says: Sequence[str]
    never: Sequence[str] = ()
    in_use: Shares | None = None
    trained: Callable[[], Mapping[str, Any]] = dict
    tie: bool = False


def overfitted() -> Mapping[str, Any]:
    """What training says of a validation loss that falls and rises again."""
    from tunesmith.training.verdict import judge_loss

    curve = [{"step": step, "validation_loss": 1.0 + abs(step - 20) / 30} for step in range(0, 101, 10)]
    judged = judge_loss(curve, 100)
    return {"verdict": {"code": judged.code, "words": judged.words, "try": judged.advice}, "curve": tuple(curve)}


def forgetful() -> Mapping[str, Any]:
    """What training says where the base's own answers became much less likely."""
    from tunesmith.learners.protocol import RowOutcome
    from tunesmith.stages.train.forgetting import judge

    draw = np.random.default_rng(0)
    before = {str(row): RowOutcome(0.6 + 0.1 * draw.random(), 0.9) for row in range(24)}
    after = {row: RowOutcome(one.loss + 1.2 + 0.4 * draw.random(), 0.4) for row, one in before.items()}
    return {"forgetting": judge(before, after, "", 0)}


CASES = {
    "better": Case(
        "better by 5 points", 0.80, 0.85, "ship", ("Ship. The goal is met", "Tuning beats the base"), ("Do not",)
    ),
    "equal": Case(
        "equal to the base",
        0.85,
        0.85,
        "ship",
        ("The tuned model is not shown to be better than the base", "you do not need this model"),
        ("beats the base", "worse than"),
        tie=True,
    ),
    "slice": Case(
        "better, and worse on one slice",
        0.80,
        {"mail": 0.90, "chat": 0.90, "phone": 0.55},
        "do_not_ship",
        ("Do not ship. It is much worse than the base with your prompt on a slice: tag “phone”", "The goal is met"),
    ),
    "overfitted": Case(
        "overfitted",
        0.80,
        0.65,
        "do_not_ship",
        ("Do not ship. The goal is not met", "Training tells why: The model learned, then overfitted after step 20"),
        trained=overfitted,
    ),
    "forgetting": Case(
        "better, and forgetting what the base could",
        0.80,
        0.85,
        "do_not_ship",
        ("Do not ship. Much general ability was lost", "The goal is met"),
        trained=forgetful,
    ),
    "regressed": Case(
        "better than the base, worse than the version in use",
        0.80,
        0.85,
        "do_not_ship",
        ("Do not ship. It is worse than the version in use: accuracy by −", "The goal is met"),
        ("worse than the base",),
        in_use=0.90,
    ),
}
#: What is asked of all.
ASKED = 0.75


def run(overrides: Sequence[str] = ()) -> list[Figure]:
    """Ten seeds of each case; ``--set seeds=1`` and ``--set rows=500`` for a shorter look."""
    asked = numbers(overrides, seeds=SEEDS, rows=ROWS)
    figures = []
    for name, case in CASES.items():
        wrong = [seed for seed in range(asked["seeds"]) if faults(name, seed, asked["rows"])]
        right = asked["seeds"] - len(wrong)
        note = f"{asked['rows']:,} rows" + (f"; wrong: seeds {', '.join(map(str, wrong))}" if wrong else "")
        figures.append(at_least(case.title, right, f"of {asked['seeds']}", asked["seeds"], note))
    return figures


def faults(name: str, seed: int, rows: int = ROWS) -> list[str]:
    """What is wrong with the verdict on a case; nothing where it is right."""
    case = CASES[name]
    with tempfile.TemporaryDirectory(prefix="tunesmith-verdicts-") as folder:
        verdict = judged(case, seed, rows, Path(folder))
    words = f"{verdict['words']} {verdict['comparison']['words']}"
    found = [f"{one!r} is missing: {words}" for one in case.says if one not in words]
    found += [f"{one!r} is said: {words}" for one in case.never if one in words]
    return found + ([f"{verdict['decision']}: {words}"] if verdict["decision"] != case.decision else [])


def judged(case: Case, seed: int, rows: int, folder: Path) -> dict[str, Any]:
    """The verdict of the stage on a planted case."""
    from tests.unit.stages.test.conftest import ProjectMaker

    draw = np.random.default_rng([seed, rows])
    due = [LABELS[at] for at in draw.integers(0, len(LABELS), rows)]
    tags = [CHANNELS[-1] if one < LAST else CHANNELS[int(one * 100) % 2] for one in draw.random(rows)]
    test = [(f"message {number}", label) for number, label in enumerate(due)]
    base = answers(due, tags, case.base, draw)
    tuned = tied(due, base, draw) if case.tie else answers(due, tags, case.tuned, draw)
    facts: dict[str, Any] = {}
    if case.in_use is not None:
        maker = ProjectMaker(made(folder / "before"))
        before = maker.run(goal(maker), test, base, answers(due, tags, case.in_use, draw), tags=tags)
        facts = {"in_use": before.folder, "in_use_round": 1}
    maker = ProjectMaker(made(folder / "now"))
    ended = maker.run(goal(maker), test, base, tuned, tags=tags, facts=facts, trained=case.trained())
    found: dict[str, Any] = ended.report.verdict
    return found


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def goal(maker: Any) -> Any:
    return maker.goal("label", labels=LABELS, success=(("accuracy", ASKED),))


def answers(due: Sequence[str], tags: Sequence[str], share: Shares, draw: np.random.Generator) -> list[str]:
    """Answers that are right with this chance, by channel."""
    chance = [share if isinstance(share, float) else share[tag] for tag in tags]
    right = draw.random(len(due)) < chance
    return [label if hit else other(label) for label, hit in zip(due, right, strict=True)]


def tied(due: Sequence[str], base: Sequence[str], draw: np.random.Generator) -> list[str]:
    """Answers that are right on as many rows as the base's, and not on the same ones."""
    hits = sum(one == label for one, label in zip(base, due, strict=True))
    right = np.zeros(len(due), bool)
    right[draw.permutation(len(due))[:hits]] = True
    return [label if hit else other(label) for label, hit in zip(due, right, strict=True)]


def other(label: str) -> str:
    return LABELS[(LABELS.index(label) + 1) % len(LABELS)]
