"""A rule made ready: what it looks for, loaded and checked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tunesmith.deployment.exchange import Exchange
from tunesmith.deployment.guard import Task
from tunesmith.deployment.rules.injections import is_injection
from tunesmith.deployment.rules.repeats import Repeats
from tunesmith.deployment.rules.settings import RuleSettings
from tunesmith.deployment.rules.sieves import Found, Private
from tunesmith.deployment.rules.topics import Topic
from tunesmith.deployment.rules.window import Sieve
from tunesmith.errors import InputError
from tunesmith.example import Message
from tunesmith.privacy.span import Kind
from tunesmith.products import GoalSheet, Rule
from tunesmith.scoring.json_answers import NOT_JSON, checker, parse
from tunesmith.scoring.rules import RuleCheck

REFUSED = "I cannot help with that."
HANDED_OFF = "This is for a person to answer. It was passed on."


@dataclass(frozen=True)
class Ready:
    """One rule. Of the three ways to look it has those that it needs:

    ``sieve`` makes what finds and replaces, for texts that belong together and a task (None before the model).
    ``meets`` says of messages whether the rule is about them. ``breaks`` makes what says it of a whole answer, None
    where this answer cannot break the rule. ``slow``: a look takes so long that it is taken beside the event loop.
    """

    settings: RuleSettings
    sieve: Callable[[Sequence[str], Task | None], Sieve] | None = None
    meets: Callable[[Sequence[Message]], Awaitable[bool]] | None = None
    breaks: Callable[[Exchange, Task], Callable[[str], bool] | None] | None = None
    slow: bool = False

    @property
    def text(self) -> str:
        """What the client gets where the rule ends the exchange."""
        return self.settings.text or (HANDED_OFF if self.settings.does == "hand_off" else REFUSED)


def of_private(rule: RuleSettings, kinds: frozenset[Kind], slow: bool) -> Ready:
    return Ready(rule, sieve=lambda texts, task: Private(kinds, texts), slow=slow)


def of_found(rule: RuleSettings, finder: Any) -> Ready:
    """A rule over words or patterns, whose finder is the same for all texts."""
    return Ready(rule, sieve=lambda texts, task: Found(finder))


def of_repeats(rule: RuleSettings) -> Ready:
    given = rule.repeats or []

    def sieve(texts: Sequence[str], task: Task | None) -> Sieve:
        secrets = [text for name in given for text in getattr(task, name)] if task else []
        return Found(Repeats(secrets, texts, rule.in_a_row))

    return Ready(rule, sieve=sieve)


def of_injections(rule: RuleSettings) -> Ready:
    languages = None if rule.injections == "all" else rule.injections

    async def meets(messages: Sequence[Message]) -> bool:
        # a system message of the client's own is no injection: it is the instructions
        texts = [message.text for message in messages if message.role != "system"]
        return any(is_injection(text, languages) for text in texts)

    def breaks(exchange: Exchange, task: Task) -> Callable[[str], bool]:
        return lambda text: is_injection(text, languages)

    return Ready(rule, meets=meets, breaks=breaks)


def of_topic(rule: RuleSettings, topic: Topic) -> Ready:
    async def meets(messages: Sequence[Message]) -> bool:
        texts = [message.text for message in messages if message.role == "user" and message.text.strip()]
        if not texts:
            return False
        vectors = await asyncio.wrap_future(topic.encoder.vectors(texts))
        return topic.is_met(vectors)

    def breaks(exchange: Exchange, task: Task) -> Callable[[str], bool]:
        return lambda text: bool(text.strip()) and topic.is_met(topic.encoder.vectors([text]).result())

    return Ready(rule, meets=meets, breaks=breaks)


def of_schema(rule: RuleSettings) -> Ready:
    known = _Last(checker)

    def breaks(exchange: Exchange, task: Task) -> Callable[[str], bool] | None:
        if task.schema is None:
            return None
        fits = known.of(task.schema)

        def broken(text: str) -> bool:
            value = parse(text)
            try:
                good = value is not NOT_JSON and bool(fits(value))
            except InputError:  # a schema that refers to what is not in it
                good = False
            exchange.fits_schema = good and exchange.fits_schema is not False
            return not good

        return broken

    return Ready(rule, breaks=breaks)


def of_length(rule: RuleSettings) -> Ready:
    check = RuleCheck([Rule(at_most_words=rule.at_most_words)])
    return Ready(rule, breaks=lambda exchange, task: lambda text: bool(check.faults(text)))


def of_goal(rule: RuleSettings) -> Ready:
    known = _Last(_check_of)

    def breaks(exchange: Exchange, task: Task) -> Callable[[str], bool] | None:
        if task.goal is None or not task.goal.rules:
            return None
        check: RuleCheck = known.of(task.goal)
        asked = next((message.text for message in reversed(exchange.prompt) if message.role == "user"), "")

        def broken(text: str) -> bool:
            try:
                return bool(check.faults(text, None, asked))
            except InputError:  # a pattern that takes too long for this answer, or code that fails
                return True

        return broken

    return Ready(rule, breaks=breaks)


def _check_of(goal: GoalSheet) -> RuleCheck:
    return RuleCheck(goal.rules, goal.output == "json")


class _Last:
    """What was made of a thing the last time, for as long as it is the same thing."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self._make = make
        self._last: tuple[Any, Any] | None = None

    def of(self, thing: Any) -> Any:
        last = self._last
        if last is None or last[0] is not thing:
            last = self._last = (thing, self._make(thing))
        return last[1]
