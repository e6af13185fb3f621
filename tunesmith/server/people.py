"""GET /v1/hand_offs/{ticket} and POST /v1/feedback: what became of a request, and what its users say of the answer."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tunesmith.deployment.feedback import Answered, Feedback, NoSuchRequest, Said, SaidOtherwise, TooMuch
from tunesmith.deployment.fitting import LONGEST, fitted
from tunesmith.deployment.tickets import Ticket
from tunesmith.server.call import Call
from tunesmith.server.conversation import texts_of, turns_of
from tunesmith.server.refusal import Refusal
from tunesmith.server.registry import Registry
from tunesmith.server.requests import MOST_MESSAGES, ChatMessage
from tunesmith.server.site import Site
from tunesmith.tool_calls import has_tools

#: Seconds after which a client may ask again.
POLL_SECONDS = 5.0
#: Ids of answers begin so; what follows is that of the request.
PREFIXES = ("req-", "chatcmpl-", "cmpl-")


class FeedbackRequest(BaseModel):
    """What a client says of one of its requests; at least one of the thumb, the comment and the correction."""

    model_config = ConfigDict(extra="forbid")

    request: str = Field(max_length=100, description="The x-request-id, or the id of the completion.")
    thumb: Literal["up", "down"] | None = Field(None, description="Whether the answer was good.")
    comment: str | None = Field(None, min_length=1, max_length=4000, description="A remark for the owner.")
    correction: str | None = Field(None, min_length=1, max_length=LONGEST, description="The answer as it should be.")
    messages: list[ChatMessage] | None = Field(
        None,
        min_length=1,
        max_length=MOST_MESSAGES,
        description="What was asked. A correction becomes a proposed example only where this is known.",
    )
    id: str | None = Field(
        None, min_length=1, max_length=200, description="The client's own; sent again, it changes nothing."
    )


async def hand_off(registry: Registry, ticket: str, call: Call) -> tuple[dict[str, Any], dict[str, str]]:
    """What became of a request that went to a person, and headers. Raises Refusal ``no_such_ticket``."""
    for site in registry.sites:
        found = await site.people.tell(ticket, call.key.name)
        if found is not None:
            call.site = site
            waits = found.status == "waiting"
            return _told(found), {"retry-after": f"{POLL_SECONDS:g}"} if waits else {}
    raise Refusal(404, "no_such_ticket", "no request of this key has the ticket, or its time is over")


def _told(ticket: Ticket) -> dict[str, Any]:
    return {
        "object": "hand_off",
        "ticket": ticket.ticket,
        "request": ticket.request,
        "status": ticket.status,
        "reason": ticket.reason,
        "created": int(ticket.asked_at),
        "settled": None if ticket.settled_at is None else int(ticket.settled_at),
        "completion": _completion(ticket) if ticket.status == "answered" else None,
        "declined_because": (ticket.reply or None) if ticket.status == "declined" else None,
    }


def _completion(ticket: Ticket) -> dict[str, Any]:
    """A person's answer as a client of chat reads answers."""
    message = {"role": "assistant", "content": ticket.reply, "refusal": None}
    return {
        "id": f"chatcmpl-{ticket.request.removeprefix('req-')}",
        "object": "chat.completion",
        "created": int(ticket.settled_at or 0),
        "model": ticket.version,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        "tunesmith": {"version": ticket.version, "answered_by": "person", "ticket": ticket.ticket},
    }


async def take_feedback(registry: Registry, asked: FeedbackRequest, call: Call) -> dict[str, Any]:
    """Keep what a client says of a request. When this returns it is durable.

    Raises Refusal ``nothing_said``, ``no_such_request``, ``said_otherwise``, ``too_much_said``, and as `fitted` for a
    correction that the model could not give.
    """
    if asked.thumb is None and not (asked.comment or "").strip() and not (asked.correction or "").strip():
        raise Refusal(400, "nothing_said", "send a thumb, a comment or a correction")
    site, answered = await _answered(registry, asked.request, call)
    messages = () if asked.messages is None else texts_of(turns_of(asked.messages))
    said = Said(
        answered.request,
        asked.thumb,
        asked.comment,
        await asyncio.to_thread(_fitted, registry, site, answered, asked.correction),
        messages,
        asked.id,
    )
    assert site.feedback is not None
    try:
        kept, _ = await site.feedback.add(answered, said)
    except SaidOtherwise:
        what = "this id was sent before, with something else: use another"
        raise Refusal(409, "said_otherwise", what, param="id") from None
    except TooMuch:
        raise Refusal(429, "too_much_said", "so much was said of this request already") from None
    return _kept(kept)


async def _answered(registry: Registry, id: str, call: Call) -> tuple[Site, Answered]:
    bare = next((id.removeprefix(prefix) for prefix in PREFIXES if id.startswith(prefix)), id)
    for site in registry.sites:
        if site.feedback is None:
            continue
        try:
            found = await site.feedback.find(f"req-{bare}", call.key.name)
        except NoSuchRequest:
            continue
        call.site = site
        return site, found
    what = "no request of this key has the id, or its time is over"
    raise Refusal(404, "no_such_request", what, param="request")


def _fitted(registry: Registry, site: Site, answered: Answered, correction: str | None) -> str | None:
    """A correction as the goal of the version spells it; as it is where the version is no longer served."""
    if correction is None or not correction.strip():
        return None
    mine = [one for one in registry.served if one.site is site]
    same = [one for one in mine if one.version.full_name == answered.version] or mine
    return fitted(same[0].version.goal, correction) if same else correction


def _kept(kept: Feedback) -> dict[str, Any]:
    is_example = kept.prompt is not None and not has_tools(kept.messages)
    return {
        "object": "feedback",
        "id": f"feedback-{kept.id}",
        "request": kept.request,
        "created": int(kept.at),
        "thumb": kept.thumb,
        "comment": kept.comment is not None,
        "correction": None if kept.correction is None else "example" if is_example else "remark",
    }
