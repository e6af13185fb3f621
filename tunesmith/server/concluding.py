"""The end of an answer: how sure the model was, whether it is for a person, and how the answer is marked."""

from __future__ import annotations

from typing import Any

from tunesmith.server.call import Call
from tunesmith.server.served import Served

#: Why a person is asked, where no rule says so.
LOW_CONFIDENCE = "low_confidence"


async def conclude(served: Served, call: Call, confidence: float | None, **more: Any) -> dict[str, Any]:
    """What we add to an answer beside OpenAI's fields. One that is for a person is handed to one first.

    ``confidence`` is None where a rule ended the exchange before the model was asked.
    """
    exchange = call.exchange
    if exchange.confidence is None:
        exchange.confidence = confidence
    reason = _why_a_person(served, call, confidence)
    if reason is not None and not exchange.handed_off:
        exchange.handed_off = True
        exchange.ticket = await served.site.people.take(exchange, reason)
    marked: dict[str, Any] = {
        "version": served.version.full_name,
        "confidence": confidence,
        "handed_off": reason is not None,
    }
    if exchange.ticket is not None:
        marked["ticket"] = exchange.ticket
    if exchange.actions:
        marked["rules"] = [{"rule": one.rule, "did": one.did, "where": one.where} for one in exchange.actions]
    return {**marked, **more}


def is_unsure(served: Served, confidence: float) -> bool:
    """Whether the goal wants a person in place of an answer of this confidence."""
    goal = served.version.goal
    return goal.unknown == "hand_off" and confidence < goal.confidence


def _why_a_person(served: Served, call: Call, confidence: float | None) -> str | None:
    rule = next((one.rule for one in call.exchange.actions if one.did == "hand_off"), None)
    if rule is not None:
        return rule
    return LOW_CONFIDENCE if confidence is not None and is_unsure(served, confidence) else None
