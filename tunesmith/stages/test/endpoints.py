"""Candidates behind an endpoint: they answer the same rows, which leave this machine for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tunesmith.answering.answerer import Answerer, Prompt
from tunesmith.answering.cache import AnswerCache
from tunesmith.answering.endpoint import of_endpoint
from tunesmith.engines.openai_endpoint import Endpoint, key_of
from tunesmith.events import Pace
from tunesmith.example import Example
from tunesmith.learners.protocol import Prediction
from tunesmith.products import GoalSheet
from tunesmith.stages.context import Context
from tunesmith.stages.test.settings import ENDPOINT, EndpointSettings, TestSettings
from tunesmith.stages.test.wording import plural

#: Answers that are kept together: what a kill may cost is paid for. Never fewer than so many rounds of requests.
AT_ONCE, ROUNDS = 16, 4
_HERE = ("localhost", "127.0.0.1", "::1")


def endpoint_of(settings: EndpointSettings) -> Endpoint:
    """The endpoint that the settings describe."""
    return Endpoint(
        settings.name,
        settings.url,
        settings.model,
        settings.key_env,
        settings.timeout_seconds,
        settings.at_once,
        settings.tries,
        settings.options,
    )


def check_endpoints(settings: TestSettings) -> None:
    """Raise InputError when a key is missing, before anything is asked of anybody."""
    for name in dict.fromkeys(settings.asked_endpoints):
        key_of(endpoint_of(settings.endpoint(name)))


def answers_of_endpoints(
    settings: TestSettings, rows: Sequence[Example], goal: GoalSheet, context: Context, *, max_new_tokens: int
) -> dict[str, list[Prediction]]:
    """The answers of each endpoint among the candidates, by the candidate's name."""
    found = {}
    for candidate in settings.candidates:
        if candidate.startswith(ENDPOINT):
            endpoint = endpoint_of(settings.endpoint(candidate.removeprefix(ENDPOINT)))
            answerer = of_endpoint(endpoint, goal.system, max_new_tokens=max_new_tokens, name=candidate)
            context.warn(leaving(endpoint, f"{plural(len(rows), 'test row')} and the system prompt", "test.candidates"))
            found[candidate] = asked(answerer, [row.prompt for row in rows], context, candidate, endpoint.at_once)
    return found


def leaving(endpoint: Endpoint, what: str, why: str) -> str:
    """What leaves this machine, and whether anybody on the way can read it."""
    parts = urlsplit(endpoint.url)
    if parts.hostname in _HERE:
        return f"{what} are sent to {endpoint.url}, on this machine, since {why} names {endpoint.name}"
    open_ = "; it is not encrypted on the way (http)" if parts.scheme == "http" else ""
    told = f"{what} leave this machine: they are sent to {endpoint.url}, since {why} names {endpoint.name}"
    return f"{told}{open_}. Answers that are known already are not asked for again"


def asked(answerer: Answerer, prompts: Sequence[Prompt], context: Context, unit: str, at_once: int) -> list[Prediction]:
    """The answers, a few at a time, so that what came is kept when the next does not; ``at_once`` are under way."""
    block = max(AT_ONCE, ROUNDS * at_once)
    folder: Path | None = context.facts.get("answers")
    cache, pace, found = AnswerCache(folder), Pace(len(prompts)), list[Prediction]()
    for start in range(0, len(prompts), block):

        def tell(done: int, total: int, before: int = start) -> None:
            context.check()
            if pace.due():
                context.progress(before + done, len(prompts), unit, pace.seconds_left(before + done))

        found += cache.answer(answerer, prompts[start : start + block], tell)
    return found


def facts_of_endpoints(settings: TestSettings) -> dict[str, Any]:
    """What stands behind each endpoint, for the report; no key."""
    asked = dict.fromkeys(settings.asked_endpoints)
    return {name: {"url": one.url, "model": one.model} for name in asked for one in [settings.endpoint(name)]}
