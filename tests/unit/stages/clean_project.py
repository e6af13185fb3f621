"""Collections, clean sets and splits of a few rows, for the tests of `clean` and `split`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from tunesmith.decisions import Decisions, RuleAction
from tunesmith.events import Event
from tunesmith.example import Example, Message, Source, make_example
from tunesmith.example_parquet import ExampleWriter, RowWriter, read_examples, read_rows
from tunesmith.products import PARTS, CleanSet, Collection, Dataset, GoalSheet, LedgerLine, Part, Splits
from tunesmith.stages.clean import run as clean
from tunesmith.stages.clean.settings import CleanSettings
from tunesmith.stages.context import Context
from tunesmith.stages.split import run as split
from tunesmith.stages.split.settings import SplitSettings

TEXT = GoalSheet("text", "text", "You help.")
LABELS = GoalSheet("text", "label", "You sort.", labels=("refund", "card lost", "top_up"))
TICKET = GoalSheet(
    "text",
    "json",
    "You read.",
    schema={
        "type": "object",
        "properties": {
            "category": {"type": "string", "enum": ["billing", "late delivery"]},
            "reply": {"type": "string"},
        },
        "required": ["category", "reply"],
    },
)


def row(given: str, answer: str, at: int = 1, **more: Any) -> Example:
    """An example of one turn, from line ``at`` of rows.csv."""
    return make_example([Message.of("user", given), Message.of("assistant", answer)], Source("rows.csv", at), **more)


def rows(*pairs: tuple[str, str]) -> list[Example]:
    return [row(given, answer, at) for at, (given, answer) in enumerate(pairs, 2)]


def filler(answers: Sequence[str] = ("refund", "card lost"), number: int = 12) -> list[Example]:
    """Enough sound rows, far from everything else, that a stage goes on."""
    return [
        row(f"{'abcdefghijklmnopqrstuvwxyz'[i % 26] * 9} {i * i}", answers[i % len(answers)], 1000 + i)
        for i in range(number)
    ]


@dataclass
class Made:
    """What a run of `clean` left behind."""

    folder: Path
    counts: dict[str, Any]
    events: list[Event] = field(default_factory=list)

    def read(self, name: str) -> list[Example]:
        return list(read_examples(self.folder / f"{name}.parquet"))

    @property
    def kept(self) -> list[Example]:
        return self.read("examples")

    @property
    def ledger(self) -> list[LedgerLine]:
        return list(CleanSet(self.folder, self.counts).ledger())

    def lines(self, code: str) -> dict[str, LedgerLine]:
        """The lines with this code, by example."""
        return {line.id: line for line in self.ledger if line.code == code}

    @property
    def coverage(self) -> Any:
        return CleanSet(self.folder, self.counts).coverage()

    def line(self, example: Example) -> LedgerLine:
        """The one line of an example."""
        lines = [line for line in self.ledger if line.id == example.id]
        assert len(lines) == 1, lines
        return lines[0]

    def answers(self, *examples: Example) -> list[str | None]:
        """The answers of these examples as kept, None for one that was not."""
        by_id = {example.id: example.answer for example in self.kept}
        return [by_id.get(example.id) for example in examples]


def cleaned(
    tmp_path: Path,
    examples: Sequence[Example],
    goal: GoalSheet = LABELS,
    decisions: Decisions | Mapping[str, RuleAction] | None = None,
    collected: int | None = None,
    facts: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Made:
    """Run `clean` on examples written the way `collect` writes them."""
    source, folder = _fresh(tmp_path, "collect"), _fresh(tmp_path, "clean")
    writer = ExampleWriter(source / "examples.parquet")
    with writer:
        for example in examples:
            writer.add(example)
    counts = {"examples": len(examples) if collected is None else collected}
    collection = Collection(source, ({"path": "rows.csv"},), counts)
    events: list[Event] = []
    chosen = decisions if isinstance(decisions, Decisions) else Decisions.of(decisions or {})
    context = Context("clean", tmp_path, folder, tmp_path, sink=events.append, decisions=chosen, facts=facts or {})
    made = clean.run({"collect": collection, "goal": goal}, CleanSettings(**settings), context)
    return Made(folder, made, events)


@dataclass
class Parted:
    """What a run of `split` left behind."""

    folder: Path
    counts: dict[str, Any]
    facts: dict[str, Any]
    events: list[Event]
    clean: CleanSet

    def splits(self, *, holder: str = "test", readable: tuple[Part, ...] = PARTS) -> Splits:
        """The split as a stage is given it."""
        return Splits(self.folder, self.facts, self.counts, readable, holder)

    def ids(self, part: Part) -> list[str]:
        return self.splits().ids(part)

    def part_of(self) -> dict[str, str]:
        return {id: part for part in PARTS for id in self.ids(part)}

    @property
    def certificate(self) -> Any:
        return json.loads((self.folder / "certificate.json").read_text(encoding="utf-8"))

    @property
    def left_out(self) -> dict[str, str]:
        """The rows in no part, each with its reason."""
        return {line["id"]: line["reason"] for line in read_rows(self.folder / "left_out.parquet")}

    def told(self, kind: str) -> list[str]:
        return [event.data["text"] for event in self.events if event.kind == kind]


def parted(
    tmp_path: Path,
    examples: Sequence[Example],
    goal: GoalSheet = TEXT,
    seed: int = 0,
    without: Sequence[Example] = (),
    after: Parted | None = None,
    **settings: Any,
) -> Parted:
    """Run `split` on a clean set; the rows in ``without`` are those that `format` set aside.

    ``after`` is the split of an earlier round.
    """
    source, encoded, folder = (_fresh(tmp_path, name) for name in ("clean", "format", "split"))
    writer = ExampleWriter(source / "examples.parquet")
    with writer:
        for example in examples:
            writer.add(example)
    aside = {example.id for example in without}
    with RowWriter(encoded / "rows.parquet", pa.schema([("id", pa.string())])) as ids:
        for example in examples:
            if example.id not in aside:
                ids.write({"id": example.id})
    events: list[Event] = []
    inputs: dict[str, Any] = {"clean": CleanSet(source, {}), "format": Dataset(encoded, {}, {}), "goal": goal}
    facts = {"earlier_split": after.folder if after else None}
    context = Context("split", tmp_path, folder, tmp_path, seed=seed, sink=events.append, facts=facts)
    counts = split.run(inputs, SplitSettings(**settings), context)
    found = json.loads((folder / "split.json").read_text(encoding="utf-8"))
    return Parted(folder, counts, found, events, inputs["clean"])


def _fresh(tmp_path: Path, name: str) -> Path:
    folder = tmp_path / f"{name}-{sum(1 for _ in tmp_path.iterdir())}"
    folder.mkdir()
    return folder


THINGS = [
    *("tent", "stove", "canister", "bag", "pole", "peg", "map", "lamp"),
    *("boot", "sock", "rope", "filter", "kettle", "mat", "poncho"),
]
REPLY = GoalSheet(
    "text",
    "json",
    "",
    schema={
        "type": "object",
        "properties": {"day": {"type": "string"}, "city": {"type": "string"}, "reply": {"type": "string"}},
        "required": ["reply"],
    },
)


def usual(number: int = 60) -> list[Example]:
    """Rows of a shop's desk: plain English that ends with a full stop."""
    return [
        row(
            f"My order of {at + 2} {THINGS[at % 15]}s has not come yet, where is parcel number {at}?",
            f"We looked for your {THINGS[at % 15]}s and found them in parcel {at}; they come on Friday.",
            at,
        )
        for at in range(number)
    ]


def flagged(tmp_path: Path, odd: Example, code: str, goal: GoalSheet = TEXT, rows: list[Example] | None = None) -> str:
    """The evidence for which the row is flagged; every other row must not be."""
    made = cleaned(tmp_path, [*(usual() if rows is None else rows), odd], goal)
    lines = [line for line in made.ledger if line.state == "flagged"]
    assert [(line.id, line.code) for line in lines] == [(odd.id, code)], lines
    assert odd.id in {example.id for example in made.kept}
    return lines[0].evidence
