"""What a client is told of a person where the request cannot be given to one."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from tunesmith.deployment.exchange import Exchange
from tunesmith.deployment.people import NobodyThere
from tunesmith.errors import TunesmithError
from tunesmith.server.concluding import LOW_CONFIDENCE, hand_off
from tunesmith.server.refusal import Refusal, refusal_of

DISK_FULL = TunesmithError("disk_full", "the disk is full", "state.db", "free space, and try again")


class Queue:
    """One that is full, or that cannot be written to."""

    works = True

    def __init__(self, reply: str | None, error: TunesmithError | None) -> None:
        self.reply = reply
        self._error = error

    async def take(self, exchange: Exchange, reason: str) -> str | None:
        if self._error is not None:
            raise self._error
        return None


def handed(people: Any, reason: str) -> str | None:
    served: Any = SimpleNamespace(site=SimpleNamespace(people=people))
    return asyncio.run(hand_off(served, Exchange("req-1", "/v1/chat/completions", "first"), reason))


@pytest.mark.parametrize(("error", "code"), [(DISK_FULL, "not_kept"), (None, "inbox_full")])
@pytest.mark.parametrize(("reply", "reason"), [(None, "lawyers"), ("A colleague will write.", LOW_CONFIDENCE)])
def test_nobody_is_promised_a_person_who_will_never_see_the_request(
    error: TunesmithError | None, code: str, reply: str | None, reason: str
) -> None:
    with pytest.raises(Refusal) as caught:
        handed(Queue(reply, error), reason)
    assert (caught.value.status, caught.value.code) == (503, code)
    assert caught.value.retry_after


@pytest.mark.parametrize("people", [Queue(None, DISK_FULL), Queue(None, None)])
def test_an_unsure_answer_leaves_without_a_ticket_where_nothing_was_promised(people: Queue) -> None:
    assert handed(people, LOW_CONFIDENCE) is None


def test_where_nobody_works_a_queue_a_rule_says_what_it_says() -> None:
    assert handed(NobodyThere(), "lawyers") is None


@pytest.mark.parametrize("code", ["disk_full", "state_in_use"])
def test_what_cannot_be_written_now_may_be_sent_again(code: str) -> None:
    refusal = refusal_of(TunesmithError(code, "no", "state.db"))
    assert (refusal.status, refusal.code, "state.db" in refusal.message) == (503, "not_kept", False)
