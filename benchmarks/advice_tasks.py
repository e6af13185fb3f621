"""Five small tasks, each made so that another way to do it should win: what is true of them is known beforehand."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: Sentences on topics that a sentence encoder tells apart: beginnings and ends are put together at random.
TOPICS = {
    "cooking": (
        ("Stir the sauce", "Chop the onions", "Bake the bread", "Season the soup", "Knead the dough", "Fry the fish"),
        ("until it thickens", "with butter and garlic", "in a hot oven", "for the family dinner", "with fresh basil"),
    ),
    "football": (
        ("The striker scored", "The goalkeeper saved a penalty", "The referee showed a card", "The team won the match"),
        (
            "in the last minute",
            "in front of the home fans",
            "after half-time",
            "in the cup final",
            "against the league leaders",
        ),
    ),
    "weather": (
        ("Heavy rain is expected", "A cold front brings snow", "The storm passes", "Fog covers the valley"),
        (
            "along the coast tonight",
            "by tomorrow morning",
            "with strong winds",
            "and temperatures fall",
            "over the weekend",
        ),
    ),
    "banking": (
        (
            "The bank raised its interest rate",
            "I opened a savings account",
            "The transfer failed",
            "My credit card was charged",
        ),
        (
            "without any notice",
            "at the branch in town",
            "for a monthly fee",
            "twice this month",
            "because of the mortgage",
        ),
    ),
    "astronomy": (
        (
            "The telescope saw a galaxy",
            "The comet passes Jupiter",
            "A supernova lit up",
            "The moon of Saturn was mapped",
        ),
        (
            "millions of light years away",
            "in the night sky",
            "beyond the solar system",
            "by a space probe",
            "near a black hole",
        ),
    ),
}
#: Where a row is put that is of a topic; nothing in the words tells.
DESKS = {"cooking": "K7", "football": "Q2", "weather": "M4", "banking": "T9", "astronomy": "B5"}
THINGS = (
    *("parcel", "lamp", "invoice", "ticket", "laptop", "printer", "badge", "refund", "contract", "sofa"),
    *("package", "bicycle", "statement", "kettle", "jacket", "receipt", "router", "mattress", "calendar", "charger"),
)
PLACES = (
    *("in the office", "at the front desk", "by mail", "at our house"),
    *("at the depot", "on the second floor", "in the shop"),
)
DONE = (
    ("has arrived", "has not arrived"),
    ("was sent", "was never sent"),
    ("is working", "is not working"),
    ("was found", "could not be found"),
    ("has been paid", "has not been paid"),
    ("is here", "is not here"),
)
FIRST = (
    *("Falcon", "Amber", "Cedar", "Delta", "Harbor", "Ivory", "Juniper", "Lunar", "Maple"),
    *("Nova", "Opal", "Pine", "Quartz", "River", "Silver", "Tulip", "Violet", "Willow"),
)
ROOMS = 100
SECOND = ("room", "hall", "lab", "store", "garage", "studio", "archive", "vault")


@dataclass(frozen=True)
class Task:
    """A project to advise on: its settings without the rows, its rows, its documents, and the answer that is right."""

    name: str
    right: str
    settings: str
    rows: list[dict[str, str]]
    documents: dict[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> Path:
        """Write the project."""
        folder.mkdir(parents=True)
        (folder / "tunesmith.yaml").write_text(f"version: 1\nname: {self.name}\n{self.settings}", encoding="utf-8")
        lines = "".join(json.dumps(row) + "\n" for row in self.rows)
        (folder / "rows.jsonl").write_text(lines, encoding="utf-8")
        for name, text in self.documents.items():
            (folder / "docs").mkdir(exist_ok=True)
            (folder / "docs" / name).write_text(text, encoding="utf-8")
        return folder


COMMON = """\
collect: [{path: rows.jsonl, input: text, output: answer}]
clean: {drop: [duplicate], flag: [], private: keep, encoder: never}
split: {train: 0.6, validation: 0.35, test: 0.05, near: 1.0}
seed: SEED
"""


def _common(seed: int) -> str:
    return COMMON.replace("SEED", str(seed))


def _topic_rows(draw: random.Random, count: int, answers: dict[str, str]) -> list[dict[str, str]]:
    pairs = [(f"{begin} {end}.", topic) for topic, (begins, ends) in TOPICS.items() for begin in begins for end in ends]
    return [{"text": text, "answer": answers[topic]} for text, topic in draw.sample(pairs, count)]


def prompt(seed: int) -> Task:
    """Topics by their names: what the base can do by itself."""
    rows = _topic_rows(random.Random(seed), 100, {topic: topic for topic in TOPICS})
    return Task("prompt", "prompt", _classifier(seed, 0.75), rows)


def examples(seed: int) -> Task:
    """The same topics by the names of desks, which mean nothing: rows that are alike go to the same desk."""
    rows = _topic_rows(random.Random(seed), 100, DESKS)
    return Task("examples", "examples", _classifier(seed, 0.75), rows)


def tuned(seed: int) -> Task:
    """Done or not done, about anything: texts that are alike have different answers."""
    draw = random.Random(seed)
    every = [
        (f"The {thing} {said[undone]} {place}.", ("A1", "C3")[undone])
        for thing in THINGS
        for said in DONE
        for place in PLACES
        for undone in (0, 1)
    ]
    rows = [{"text": text, "answer": answer} for text, answer in draw.sample(every, 260)]
    return Task("tuned", "tuned", _classifier(seed, 0.9), rows)


def _classifier(seed: int, at_least: float) -> str:
    return (
        f"goal: {{input: text, output: label, success: [{{metric: accuracy, at_least: {at_least}}}]}}\n"
        "base: {model: all-minilm-l6-v2}\n"
        "train: {epochs: 12, batch_size: 16, refit: false, validations: 3}\n" + _common(seed)
    )


@dataclass(frozen=True)
class _Room:
    name: str
    code: str
    seats: int

    @property
    def note(self) -> str:
        return f"The access code of the {self.name} is {self.code}. It has {self.seats} seats."

    @property
    def question(self) -> str:
        return f"What is the access code of the {self.name}?"


def _rooms(seed: int) -> list[_Room]:
    draw = random.Random(seed)
    names = [f"{first} {second}" for first in FIRST for second in SECOND]
    draw.shuffle(names)
    return [_Room(name, str(draw.randrange(1000, 10_000)), draw.randrange(4, 40)) for name in names[:ROOMS]]


def _documents(rooms: Sequence[_Room]) -> dict[str, str]:
    text = "# Rooms\n\n" + "\n\n".join(f"## {room.name}\n\n{room.note}" for room in rooms)
    return {"rooms.md": text + "\n"}


def retrieval(seed: int) -> Task:
    """Codes that stand in the documents alone."""
    rooms = _rooms(seed)
    rows = [{"text": room.question, "answer": json.dumps({"code": room.code})} for room in rooms]
    schema = "{type: object, properties: {code: {type: string}}, required: [code], additionalProperties: false}"
    settings = _language_model(seed, "json", f", schema: {schema}", epochs=1)  # no training brings what it cannot know
    return Task("retrieval", "retrieval", settings, rows, _documents(rooms))


def tuned_retrieval(seed: int) -> Task:
    """Codes from the documents, in a form of their own; half of the messages come with the note pasted in."""
    rooms = _rooms(seed)
    rows = []
    for number, room in enumerate(rooms):
        pasted = f"Rooms / {room.name}\n{room.note}\n\n" if number % 2 else ""
        answer = f"<<{room.name.upper()} :: {room.code}>> over"
        rows.append({"text": pasted + room.question, "answer": answer})
    settings = _language_model(seed, "text", "", epochs=5)
    return Task("tuned_retrieval", "tuned_retrieval", settings, rows, _documents(rooms))


def _language_model(seed: int, output: str, more: str, epochs: int) -> str:
    goal = f"goal: {{input: text, output: {output}, system: Answer the question., success: [{{metric: exact_match, "
    return (
        f"{goal}at_least: 0.6}}]{more}}}\n"
        "base: {model: smollm2-135m-instruct}\n"
        f"train: {{epochs: {epochs}, forgetting: false, validations: 2}}\n"
        "advise: {knowledge: docs, chunks: 1, rows: 24, minutes: 100}\n" + _common(seed)
    )


TASKS: tuple[Callable[[int], Task], ...] = (prompt, examples, retrieval, tuned, tuned_retrieval)


def settings_of(task: Task) -> dict[str, Any]:
    """The settings of a task as a mapping."""
    from ruamel.yaml import YAML

    found: dict[str, Any] = YAML(typ="safe").load(f"version: 1\nname: {task.name}\n{task.settings}")
    return found
