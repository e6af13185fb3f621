"""Limits of keys, and turns at a model."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tunesmith.server.keys import Key, Limits
from tunesmith.server.limits import Gate, Limiter
from tunesmith.server.refusal import Refusal


def key(name: str, **limits: Any) -> Key:
    return Key(name, name, 0.0, Limits(**limits))


def test_a_key_asks_so_often_a_minute_and_is_told_when_it_may_again() -> None:
    now = 1000.0
    limiter = Limiter(lambda: now)
    some, other = key("some", requests_a_minute=2), key("other", requests_a_minute=2)
    limiter.begin(some)
    assert limiter.told(some)["x-ratelimit-remaining-requests"] == "1"
    now = 1010.0
    limiter.begin(some)
    with pytest.raises(Refusal) as refused:
        limiter.begin(some)
    assert (refused.value.status, refused.value.code) == (429, "too_many_requests")
    assert refused.value.headers == {"retry-after": "50"}
    limiter.begin(other)
    now = 1061.0
    limiter.begin(some)
    with pytest.raises(Refusal):
        limiter.begin(some)


def test_a_key_uses_so_many_tokens_a_minute_counted_as_they_are_written() -> None:
    now = 1000.0
    limiter = Limiter(lambda: now)
    some = key("some", tokens_a_minute=100)
    limiter.begin(some)
    limiter.read(some, 60)
    assert limiter.told(some) == {
        "x-ratelimit-limit-tokens": "100",
        "x-ratelimit-remaining-tokens": "40",
        "x-ratelimit-reset-tokens": "60s",
    }
    with pytest.raises(Refusal) as too_much:
        limiter.read(some, 40)  # there would be no room for an answer
    assert (too_much.value.status, too_much.value.code) == (429, "too_many_tokens_a_minute")
    assert too_much.value.headers == {"retry-after": "60"}
    now = 1020.0
    for _ in range(50):
        limiter.wrote(some)  # an answer that has begun is written to its end
    with pytest.raises(Refusal) as used_up:
        limiter.begin(some)
    assert used_up.value.headers == {"retry-after": "40"}  # when the first prompt is a minute old
    assert limiter.told(some)["x-ratelimit-remaining-tokens"] == "0"
    now = 1060.5
    limiter.begin(some)
    limiter.read(some, 49)
    assert limiter.told(some)["x-ratelimit-remaining-tokens"] == "1"


def test_a_prompt_that_no_minute_has_room_for_is_not_told_to_come_again() -> None:
    limiter = Limiter()
    with pytest.raises(Refusal) as refused:
        limiter.read(key("some", tokens_a_minute=100), 100)
    assert (refused.value.status, refused.value.code) == (400, "too_many_tokens")


def test_counting_tokens_takes_no_more_memory_the_more_are_written() -> None:
    now = 0.0
    limiter = Limiter(lambda: now)
    some = key("some", tokens_a_minute=10**9)
    for step in range(20_000):
        now = step / 100
        limiter.wrote(some)
    limiter.told(some)
    assert len(limiter._uses["some"].tokens) <= 61


def test_a_key_has_so_many_requests_at_once() -> None:
    limiter = Limiter()
    some = key("some", at_once=1)
    limiter.begin(some)
    with pytest.raises(Refusal) as refused:
        limiter.begin(some)
    assert (refused.value.status, refused.value.code) == (429, "too_many_at_once")
    limiter.end(some)
    limiter.begin(some)


def test_keys_take_turns_however_much_one_asks() -> None:
    served: list[str] = []

    async def ask(gate: Gate, name: str) -> None:
        async with gate.turn(name):
            served.append(name)
            await asyncio.sleep(0)

    async def all_of_them() -> None:
        gate = Gate(1, 100)
        loud = [asyncio.create_task(ask(gate, "loud")) for _ in range(6)]
        await asyncio.sleep(0)
        quiet = asyncio.create_task(ask(gate, "quiet"))
        await asyncio.gather(quiet, *loud)

    asyncio.run(all_of_them())
    assert len(served) == 7
    assert served.index("quiet") <= 3  # behind the one that ran, and a turn of the other key


def test_a_full_queue_refuses_at_once_and_says_when_to_come_again() -> None:
    async def fill() -> Refusal:
        gate = Gate(1, 1)
        async with gate.turn("a"):
            waiting = asyncio.create_task(gate._enter("b"))
            await asyncio.sleep(0)
            with pytest.raises(Refusal) as refused:
                await gate._enter("c")
        await waiting
        return refused.value

    refused = asyncio.run(fill())
    assert (refused.status, refused.code) == (429, "queue_full")
    assert int(refused.headers["retry-after"]) >= 1


def test_a_key_that_fills_the_queue_makes_room_for_one_that_has_fewer() -> None:
    async def fill() -> list[object]:
        gate = Gate(1, 3)
        async with gate.turn("loud"):
            loud = [asyncio.create_task(gate._enter("loud")) for _ in range(3)]
            await asyncio.sleep(0)
            quiet = [asyncio.create_task(gate._enter("quiet")) for _ in range(2)]
            await asyncio.sleep(0)
            found: list[object] = [gate.waiting]
        for task in (loud[0], quiet[0], loud[1]):  # in turns
            await task
            gate._leave()
        left = await asyncio.gather(loud[2], quiet[1], return_exceptions=True)
        return [*found, *(getattr(one, "code", one) for one in left)]

    # the first of the quiet key took the last place of the loud one; then both would have as many
    assert asyncio.run(fill()) == [3, "queue_full", "queue_full"]


@pytest.mark.parametrize("when", ["while it waits", "when its turn has just come"])
def test_who_goes_away_takes_no_slot_along(when: str) -> None:
    async def leave() -> int:
        gate = Gate(1, 5)
        async with gate.turn("a"):
            waiting = asyncio.create_task(gate._enter("b"))
            await asyncio.sleep(0)
            if when == "while it waits":
                waiting.cancel()
                await asyncio.sleep(0)
        if when == "when its turn has just come":
            waiting.cancel()  # the turn is given, and the task has not run since
        await asyncio.gather(waiting, return_exceptions=True)
        async with asyncio.timeout(5), gate.turn("c"):
            return gate.waiting

    assert asyncio.run(leave()) == 0
