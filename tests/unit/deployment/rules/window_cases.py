"""What leaves of a text that is cut into pieces."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tunesmith.deployment.exchange import Action, Exchange
from tunesmith.deployment.guard import Guard, Task
from tunesmith.deployment.rules.build import Surroundings, build
from tunesmith.deployment.rules.settings import RuleSettings
from tunesmith.example import Message


@dataclass(frozen=True)
class Left:
    """``pieces``: what left at each step. ``said``: what the rule that stopped it says, None where none did."""

    pieces: list[str]
    said: str | None
    did: list[Action]

    @property
    def text(self) -> str:
        return "".join(self.pieces)


def guard(*rules: dict[str, Any]) -> Guard:
    made = [RuleSettings(**{"name": f"rule-{number}", **rule}) for number, rule in enumerate(rules)]
    return build(made, Surroundings(Path()))


def leave(
    given: Guard, text: str, cuts: Sequence[int] = (), task: Task | None = None, asked: str = "a question"
) -> Left:
    """Let a text through the window of an answer, cut at these places."""

    async def run() -> Left:
        exchange = Exchange("req", "/v1/chat/completions", "first", prompt=(Message.of("user", asked),))
        window = given.around(exchange, task or Task())
        pieces = []
        for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
            if window.stopped is None:
                pieces.append(window.add(text[start:end]))
        if window.stopped is None:
            pieces.append(await window.end())
        said = window.stopped.text if window.stopped else None
        return Left(pieces, said, exchange.actions)

    return asyncio.run(run())


@st.composite
def cut(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> tuple[str, list[int]]:
    """A text, and places to cut it at."""
    text = draw(texts)
    places = draw(st.lists(st.integers(0, len(text)), max_size=12))
    return text, sorted(places)


def of_parts(parts: Sequence[str], most: int = 12) -> st.SearchStrategy[str]:
    """Texts of these parts with words, signs and anything between them."""
    fillers = st.sampled_from(
        [" ", " and ", ". ", "\n", "-", "", ", the parcel came ", " Anna ", "\u200b", " é", "12 ", "坏 "]
    )
    piece = st.one_of(st.sampled_from(list(parts)), fillers, fillers, st.text(max_size=4))
    return st.lists(piece, max_size=most).map("".join)
