"""What leaves of an answer while it is written: rules one after the other, each with what it holds back.

Each looks at the text anew after every word, and at every `STEP` characters of a text without spaces: at places that
the text decides, and not how it is cut into pieces. So whatever the pieces, the same leaves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from tunesmith.deployment.exchange import Action, Did
from tunesmith.deployment.guard import Stopped

#: A text without spaces is looked at after so many characters.
STEP = 16

#: Told that a text was changed.
Told = Callable[[], None]


class Sieve(Protocol):
    """Something that finds what must not leave."""

    #: Characters before a text that must be seen with it.
    reach: int

    def open_from(self, text: str, start: int) -> int:
        """From where on, at least ``start``, it is not settled what is found, while the text goes on."""
        ...

    def changed(self, before: str, text: str, after: str) -> str | None:
        """The text with a stand-in for what must not leave, None where there is nothing of that."""
        ...


class Part(Protocol):
    """One rule's part of a window."""

    def add(self, text: str) -> str: ...

    async def end(self, text: str) -> str:
        """The last text; what ends the answer here is in ``stopped``."""
        ...

    @property
    def stopped(self) -> Stopped | None:
        """What ended the answer, behind all that was let out."""
        ...


class Sieved:
    """Lets out what is settled. ``stop``: what ends the answer where something is found; None where it is masked."""

    def __init__(self, sieve: Sieve, stop: Stopped | None, told: Told) -> None:
        self._sieve = sieve
        self._stop = stop
        self._told = told
        self._before = ""
        self._held = ""
        self._since = 0
        self.stopped: Stopped | None = None

    def add(self, text: str) -> str:
        out: list[str] = []
        begin = 0
        for at, character in enumerate(text):
            self._since += 1
            if character.isspace() or self._since >= STEP:
                self._held += text[begin : at + 1]
                begin = at + 1
                self._since = 0
                out.append(self._settle(whole=False))
                if self.stopped:
                    return "".join(out)
        self._held += text[begin:]
        return "".join(out)

    async def end(self, text: str) -> str:
        out = self.add(text)
        if self.stopped is None:
            out += self._settle(whole=True)
        return out

    def _settle(self, *, whole: bool) -> str:
        seen = self._before + self._held
        start = len(self._before)
        at = len(seen) if whole else self._sieve.open_from(seen, start)
        if at == start:
            return ""
        text = seen[start:at]
        found = self._sieve.changed(self._before, text, seen[at:])
        if found is not None and self._stop is not None:
            self.stopped = self._stop
            return ""
        if found is not None:
            self._told()
        self._before, self._held = seen[:at][-self._sieve.reach :], seen[at:]
        return text if found is None else found


class HeldWhole:
    """Holds all back until the answer is whole, and lets it out where ``breaks`` says False."""

    def __init__(self, breaks: Callable[[str], bool], stop: Stopped) -> None:
        self._breaks = breaks
        self._stop = stop
        self._held = ""
        self.stopped: Stopped | None = None

    def add(self, text: str) -> str:
        self._held += text
        return ""

    async def end(self, text: str) -> str:
        self._held += text
        if await asyncio.to_thread(self._breaks, self._held):
            self.stopped = self._stop
            return ""
        return self._held


def stop_of(rule: str, did: Did, text: str) -> Stopped:
    """What ends an answer."""
    return Stopped(text, Action(rule, did, "after"))


class RulesWindow:
    """The parts of all rules, in their order. What one lets out is what the next sees."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts

    @property
    def stopped(self) -> Stopped | None:
        """The last rule has seen least, so what stopped it stands first in the answer."""
        return next((part.stopped for part in reversed(self._parts) if part.stopped is not None), None)

    def add(self, text: str) -> str:
        for part in self._parts:
            text = part.add(text)
        return text

    async def end(self) -> str:
        text, ends = "", True
        for part in self._parts:
            text = await part.end(text) if ends else part.add(text)
            ends = ends and part.stopped is None  # behind a stop the answer does not end: it breaks off
        return text
