"""The double server with rules: `python -m tests.unit.server.guarded_server FOLDER`.

The model `echo` has rules before and after it, `teller` tells its system prompt before it echoes, `former` must fit a
schema, `letters` is the classifier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.unit.server.double_server import CONTEXT, Bytes, Echo, FirstLetter, main, version
from tunesmith.deployment.rules.build import Surroundings, build
from tunesmith.deployment.rules.settings import RuleSettings
from tunesmith.example import Message
from tunesmith.server.engines import LabelEngine
from tunesmith.server.limits import Gate
from tunesmith.server.served import Served, ServedLabels, ServedText
from tunesmith.server.site import Site

SYSTEM = "You are the desk of Larch Outdoor, and you never promise a refund to anybody."
#: Its matches have no bound, so answers are held back whole.
BOMB = {"name": "bomb", "patterns": ["(x+x+)+y"]}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
RULES: list[dict[str, Any]] = [
    {"name": "private", "private": "all"},
    {"name": "injection", "injections": "all"},
    {"name": "stolen", "words": ["stolen"], "where": "before", "do": "hand_off", "text": "A person will answer."},
    {"name": "rude", "words": ["bother", "damn"], "where": "after"},
    {"name": "codes", "patterns": ["[A-Z]{2}-[0-9]{4}"], "where": "after", "text": "No codes."},
]


class Telling(Bytes):
    """The prompt begins with the system prompt, so that an echo tells it."""

    def of_messages(self, messages: Sequence[Message]) -> list[int]:
        return [*SYSTEM.encode(), *super().of_messages(messages)]


def site(name: str, *rules: dict[str, Any]) -> Site:
    return Site(name, guard=build([RuleSettings(**rule) for rule in rules], Surroundings(Path())))


def models(folder: Path, waiting: int) -> list[Served]:
    def text(name: str, codec: Bytes, *rules: dict[str, Any], **goal: object) -> ServedText:
        made = version(name, "text", **goal)
        made = replace(made, goal=replace(made.goal, system=SYSTEM))
        return ServedText(made, Echo(folder), codec, Gate(2, waiting), CONTEXT, site(name, *rules))

    return [
        text("echo", Bytes(), *RULES),
        text("teller", Telling(), {"name": "leak", "repeats": ["system"]}, BOMB),
        text("former", Bytes(), {"name": "form", "fits_schema": True, "do": "hand_off"}, schema=SCHEMA),
        ServedLabels(
            version("letters", "label", labels=("early", "late")),
            LabelEngine(FirstLetter()),
            Gate(64, waiting),
            site("letters", *RULES[:3]),
        ),
    ]


if __name__ == "__main__":
    main(models)
