"""The rules of one project at work."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tunesmith.deployment.exchange import Action, Exchange
from tunesmith.deployment.guard import OpenWindow, Stopped, Task, Window
from tunesmith.deployment.rules.ready import Ready
from tunesmith.deployment.rules.window import HeldWhole, Part, RulesWindow, Sieved, stop_of
from tunesmith.example import Message

#: Characters of a request from which on it is looked at beside the event loop, so that others need not wait.
LONG_TEXT = 20_000


class Rules:
    """A guard of rules, which look in their order; what one masks is what the next sees."""

    def __init__(self, rules: Sequence[Ready]) -> None:
        self._before = [rule for rule in rules if rule.settings.stands != "after"]
        self._after = [rule for rule in rules if rule.settings.stands != "before"]

    @property
    def looks_after(self) -> bool:
        return bool(self._after)

    async def before(self, messages: Sequence[Message], exchange: Exchange) -> tuple[Message, ...]:
        """The messages as the model may see them. Raises `Stopped`."""
        seen = tuple(messages)
        for rule in self._before:
            if rule.sieve is not None:
                seen = await self._sifted(rule, seen, exchange)
            elif rule.meets is not None and await rule.meets(seen):
                raise _stopped(rule)
        return seen

    async def _sifted(self, rule: Ready, messages: tuple[Message, ...], exchange: Exchange) -> tuple[Message, ...]:
        if rule.slow or sum(len(message.text) for message in messages) >= LONG_TEXT:
            found = await asyncio.to_thread(_sift, rule, messages)
        else:
            found = _sift(rule, messages)
        if found is None:
            return messages
        if rule.settings.does != "mask":
            raise _stopped(rule)
        exchange.actions.append(Action(rule.settings.name, "mask", "before"))
        return found

    def around(self, exchange: Exchange, task: Task) -> Window:
        """A window for one answer; where no rule can be broken by it, an open one."""
        parts = [part for rule in self._after if (part := _part(rule, exchange, task)) is not None]
        return RulesWindow(parts) if parts else OpenWindow()


def _sift(rule: Ready, messages: tuple[Message, ...]) -> tuple[Message, ...] | None:
    """The messages with what was found in them masked, None where nothing was."""
    assert rule.sieve is not None
    sieve = rule.sieve([message.text for message in messages], None)
    changed = [sieve.changed("", message.text, "") for message in messages]
    if all(text is None for text in changed):
        return None
    return tuple(
        message if text is None else Message.of(message.role, text)
        for message, text in zip(messages, changed, strict=True)
    )


def _stopped(rule: Ready) -> Stopped:
    return Stopped(rule.text, Action(rule.settings.name, rule.settings.does, "before"))


def _part(rule: Ready, exchange: Exchange, task: Task) -> Part | None:
    name, does = rule.settings.name, rule.settings.does
    if rule.sieve is None:
        breaks = rule.breaks(exchange, task) if rule.breaks else None
        return HeldWhole(breaks, stop_of(name, does, rule.text)) if breaks else None
    texts = [message.text for message in exchange.prompt]
    sieve = rule.sieve(texts, task)
    if Action(name, "mask", "before") in exchange.actions:
        for text in texts:  # a value that the request had keeps the placeholder that the model saw
            sieve.changed("", text, "")
    action = Action(name, "mask", "after")
    told = [False]

    def tell() -> None:
        if not told[0]:
            told[0] = True
            exchange.actions.append(action)

    return Sieved(sieve, None if does == "mask" else stop_of(name, does, rule.text), tell)
