"""The end of an answer: how sure the model was, whether it is for a person, and how the answer is marked."""

from __future__ import annotations

import logging
from typing import Any

from tunesmith.deployment.exchange import Exchange
from tunesmith.errors import TunesmithError
from tunesmith.server.call import Call
from tunesmith.server.refusal import Refusal, not_kept
from tunesmith.server.served import Served

#: Why a person is asked, where no rule says so.
LOW_CONFIDENCE = "low_confidence"
#: Seconds after which a client may try again where too many requests wait for a person.
RETRY_SECONDS = 60.0

log = logging.getLogger("tunesmith.server")


async def conclude(
    served: Served, call: Call, confidence: float | None, *, about: Exchange | None = None, **more: Any
) -> dict[str, Any]:
    """What we add to an answer beside OpenAI's fields. One that is for a person is handed to one first.

    ``confidence`` is None where a rule ended the exchange before the model was asked. ``about``: the part of the
    request that this answer is to, where it has several; each is handed off by itself. Raises as `hand_off`.
    """
    exchange = call.exchange
    if exchange.confidence is None:
        exchange.confidence = confidence
    reason = _why_a_person(served, call, confidence)
    if reason is not None and (about is not None or not exchange.handed_off):
        exchange.handed_off = True
        exchange.ticket = await hand_off(served, about or exchange, reason)
    marked: dict[str, Any] = {
        "version": served.version.full_name,
        "confidence": confidence,
        "handed_off": reason is not None,
    }
    if reason is not None and exchange.ticket is not None:
        marked["ticket"] = exchange.ticket
    if exchange.actions:
        marked["rules"] = [{"rule": one.rule, "did": one.did, "where": one.where} for one in exchange.actions]
    return {**marked, **more}


async def hand_off(served: Served, exchange: Exchange, reason: str) -> str | None:
    """Have a person take it, and return the ticket.

    Where so many requests wait already, or it cannot be kept (a full disk), there is none. Raises Refusal
    ``inbox_full`` or ``not_kept`` where the client would be promised a person then, by a reply or by a rule's text.
    """
    people = served.site.people
    promised = people.reply is not None or (people.works and reason != LOW_CONFIDENCE)
    try:
        ticket = await people.take(exchange, reason)
    except TunesmithError as error:
        log.error("%s: it cannot be kept for a person: %s", exchange.id, error.code)
        if promised:
            raise not_kept() from error
        return None
    if ticket is None and promised:
        raise Refusal(503, "inbox_full", "too many requests wait for a person", retry_after=RETRY_SECONDS)
    return ticket


def reply_instead(served: Served, marked: dict[str, Any]) -> str | None:
    """What the client gets in place of the model's answer; None where it gets that."""
    return served.site.people.reply if marked["handed_off"] else None


def comes_whole(served: Served) -> bool:
    """Whether a stream must wait for its end: only then is it known whether the model's answer may leave."""
    return served.site.people.reply is not None and served.version.goal.unknown == "hand_off"


def is_unsure(served: Served, confidence: float) -> bool:
    """Whether the goal wants a person in place of an answer of this confidence."""
    goal = served.version.goal
    return goal.unknown == "hand_off" and confidence < goal.confidence


def _why_a_person(served: Served, call: Call, confidence: float | None) -> str | None:
    rule = next((one.rule for one in call.exchange.actions if one.did == "hand_off"), None)
    if rule is not None:
        return rule
    return LOW_CONFIDENCE if confidence is not None and is_unsure(served, confidence) else None
