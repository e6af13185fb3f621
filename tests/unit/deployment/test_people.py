"""Requests that are for people: kept whatever happens, one person at a time, settled once, gone when their time is."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.recipes.small_project import ROOT
from tests.unit.deployment.people_doubles import exchange, said
from tunesmith.deployment import feedback, forgetting, tickets
from tunesmith.deployment.feedback import FeedbackBook, NoSuchRequest, SaidOtherwise, TooMuch
from tunesmith.deployment.fitting import fitted
from tunesmith.deployment.inbox import HandOffQueue
from tunesmith.deployment.people_settings import FeedbackSettings, HandOffSettings
from tunesmith.deployment.retention import expire_people
from tunesmith.deployment.state import FILE, State
from tunesmith.deployment.tables import open_state
from tunesmith.deployment.tickets import DAY, Claim, Filter
from tunesmith.errors import InputError
from tunesmith.example import Message
from tunesmith.products import GoalSheet

LABELS = GoalSheet("text", "label", "", labels=("card lost", "Refund", "refund"))
FIELDS = {
    "type": "object",
    "properties": {"team": {"enum": ["north", "south"]}, "code": {"type": "string", "pattern": "^(a+)+$"}},
    "required": ["team"],
}
SLOW = '{"team": "north", "code": "' + "a" * 40 + '!"}'


@pytest.fixture
def state(tmp_path: Path) -> State:
    return open_state(tmp_path)


def queue_of(state: State, now: list[float] | None = None, **more: Any) -> HandOffQueue:
    clock = time.time if now is None else lambda: now[0]
    return HandOffQueue(state, HandOffSettings(**more), clock=clock)


def take(queue: HandOffQueue, **more: Any) -> str | None:
    return asyncio.run(queue.take(exchange(**more), "low_confidence"))


def waiting(state: State, **more: Any) -> list[str]:
    found, count = state.look(lambda one: tickets.listed(one, Filter(**more), 1000))
    assert count == len(found)
    return [one.ticket for one in found]


def test_no_hand_off_and_no_feedback_that_was_confirmed_is_lost_by_a_kill(tmp_path: Path):
    confirmed: list[str] = []
    for lines in (1, 40):
        command = [sys.executable, "-m", "tests.unit.deployment.keeper", str(tmp_path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert process.stdout is not None
        confirmed += [process.stdout.readline() for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        confirmed += [line for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        process.wait()
    assert len(confirmed) >= 41
    state = open_state(tmp_path)
    kept = set(waiting(state))
    remarks = {one.id for one in state.look(lambda one: feedback.remarks(one, 100_000))}
    told = [line.split() for line in confirmed]
    assert {ticket for ticket, _ in told} <= kept
    assert {int(id) for _, id in told} <= remarks


def test_the_client_is_told_what_became_of_it_and_nobody_else_is(state: State):
    queue = queue_of(state)
    ticket = take(queue)
    assert ticket is not None
    found = asyncio.run(queue.tell(ticket, "website"))
    assert found is not None
    assert (found.status, found.answer, found.confidence, found.fetched_at) == ("waiting", "It is late.", 0.4, None)
    assert asyncio.run(queue.tell(ticket, "another")) is None
    assert asyncio.run(queue.tell(ticket[:-1], "website")) is None
    claim = Claim("h1", "ana", time.time(), 60.0)
    assert state.change(lambda one: tickets.settle(one, ticket, "answered", "Tomorrow.", claim, example=True))
    told = asyncio.run(queue.tell(ticket, "website"))
    assert told is not None
    assert (told.status, told.reply, told.person) == ("answered", "Tomorrow.", "ana")
    assert told.fetched_at is not None
    assert not state.change(lambda one: tickets.reopen(one, ticket))  # the client knows it


def test_what_is_settled_is_settled_once_and_may_be_taken_back_until_the_client_knows(state: State):
    ticket = take(queue_of(state))
    assert ticket is not None

    def settle(person: str) -> bool:
        claim = Claim(person, person, time.time())
        return state.change(lambda one: tickets.settle(one, ticket, "answered", person, claim, example=True))

    assert [settle("ana"), settle("bo")] == [True, False]
    assert state.change(lambda one: tickets.reopen(one, ticket))
    assert waiting(state) == [ticket]
    assert settle("bo")


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["next", "settle", "release", "wait"])), max_size=30))
def test_no_two_people_have_the_same_request_open(tmp_path_factory: pytest.TempPathFactory, steps: Any):
    state = open_state(tmp_path_factory.mktemp("claims"))
    names = {take(queue_of(state), id=f"req-{number}") for number in range(3)}
    now = 0.0
    open_for: dict[str, tuple[str, float]] = {}  # by person: the ticket, and until when
    settled = 0
    for person, step in steps:
        claim = Claim(person, person, now, 10.0)
        if step == "wait":
            now += 4.0
        elif step == "next":
            found = state.change(lambda one, claim=claim: tickets.claim_next(one, Filter(), [], claim))
            others = {ticket for name, (ticket, until) in open_for.items() if name != person and until > now}
            if found is not None:
                assert found.ticket not in others
                open_for[person] = (found.ticket, now + 10.0)
            else:
                assert settled + len(others) == len(names)
        elif person in open_for:
            ticket, until = open_for.pop(person)
            if step == "release":
                state.change(lambda one, ticket=ticket, person=person: tickets.release(one, ticket, person))
            else:
                done = state.change(
                    lambda one, ticket=ticket, claim=claim: tickets.settle(
                        one, ticket, "answered", "x", claim, example=True
                    )
                )
                assert done or until <= now  # whoever has it open can settle it
                settled += done
    assert len(waiting(state)) == len(names) - settled
    state.close()


def test_requests_are_filtered_and_ordered(state: State):
    now = [1000.0]
    queue = queue_of(state, now)
    old = take(queue, id="req-1", arrived_at=1.0, text="Größe 42?")
    new = take(queue, id="req-2", arrived_at=2.0, version="desk@9c1b")
    assert waiting(state) == [old, new]
    assert waiting(state, newest=True) == [new, old]
    assert waiting(state, contains="GRÖSSE") == [old]
    assert waiting(state, contains="%") == []
    assert waiting(state, version="9c1b") == waiting(state, version="desk@9c1b") == [new]
    assert waiting(state, status="answered") == waiting(state, key="nobody") == waiting(state, reason="a rule") == []


def test_no_more_wait_than_the_owner_wants(state: State):
    queue = queue_of(state, most=2)
    assert [take(queue) is None for _ in range(3)] == [False, False, True]
    [first, _] = waiting(state)
    claim = Claim("h", "ana", time.time())
    state.change(lambda one: tickets.settle(one, first, "declined", "", claim, example=False))
    assert take(queue) is not None


def test_what_was_kept_long_enough_is_gone_for_the_client_at_once_and_from_the_file_soon(state: State, tmp_path: Path):
    now = [10 * DAY]
    queue = queue_of(state, now, waiting_days=5, settled_days=2)
    old = take(queue, arrived_at=9 * DAY, text="a very secret tent")
    assert old is not None
    now[0] = 13.9 * DAY
    assert asyncio.run(queue.tell(old, "website")) is not None
    now[0] = 14.1 * DAY
    assert asyncio.run(queue.tell(old, "website")) is None
    new = take(queue, arrived_at=14.1 * DAY)
    assert new is not None
    expire_people(state, queue.settings, "off", 14.1 * DAY)
    assert waiting(state) == [new]
    claim = Claim("h", "ana", 14.2 * DAY)
    state.change(lambda one: tickets.settle(one, new, "answered", "x", claim, example=True))
    expire_people(state, queue.settings, "off", 16.1 * DAY)
    assert waiting(state, status="answered") == [new]
    expire_people(state, queue.settings, "off", 16.3 * DAY)
    assert waiting(state, status="answered") == []
    take(queue, arrived_at=16.3 * DAY)
    expire_people(state, "off", "off", 16.3 * DAY + 29 * DAY)  # what is off now goes by the usual days
    assert len(waiting(state)) == 1
    expire_people(state, "off", "off", 16.3 * DAY + 31 * DAY)
    assert waiting(state) == []
    assert state.wipe()
    assert b"very secret" not in b"".join(path.read_bytes() for path in (tmp_path / FILE).parent.iterdir())


def test_private_data_is_masked_before_it_is_kept(state: State, tmp_path: Path):
    def mask(messages: Any) -> tuple[Message, ...]:
        return tuple(
            replace(one, parts=Message.of("user", one.text.replace("zq7", "[SECRET]")).parts) for one in messages
        )

    queue = HandOffQueue(state, HandOffSettings(), mask)
    ticket = asyncio.run(queue.take(exchange(text="I am zq7", answers=["hello zq7"]), "low_confidence"))
    assert ticket is not None
    [found] = state.look(lambda one: tickets.find(one, ticket))
    assert (found.messages[0].text, found.answer) == ("I am [SECRET]", "hello [SECRET]")
    book = FeedbackBook(state, FeedbackSettings(), mask)
    asyncio.run(book.record(exchange()))
    answered = asyncio.run(book.find("req-1", "website"))
    told = said(comment="zq7", correction="zq7!", messages=(Message.of("user", "zq7?"),))
    kept, _ = asyncio.run(book.add(answered, told))
    assert (kept.comment, kept.correction) == ("[SECRET]", "[SECRET]!")
    assert b"zq7" not in b"".join(path.read_bytes() for path in (tmp_path / FILE).parent.iterdir())


def test_a_rules_own_words_are_not_the_models(state: State):
    queue = queue_of(state)
    take(queue, id="req-1", finish_reason="content_filter", answers=["Ask a colleague."])
    take(queue, id="req-2", answers=[])
    found, _ = state.look(lambda one: tickets.listed(one, Filter(), 9))
    assert [one.by_rule for one in found] == [True, True]


def book_with(state: State, *ids: str, **more: Any) -> FeedbackBook:
    book = FeedbackBook(state, FeedbackSettings(), **more)
    for id in ids:
        asyncio.run(book.record(exchange(id)))
    return book


def add(book: FeedbackBook, request: str = "req-1", **more: Any) -> Any:
    answered = asyncio.run(book.find(request, "website"))
    return asyncio.run(book.add(answered, said(request, **more)))


def test_something_can_be_said_of_a_request_of_the_same_key_alone(state: State):
    book = book_with(state, "req-1")
    asyncio.run(book.record(exchange("req-refused", status=429)))
    asyncio.run(book.record(exchange("req-shadow", shadow=True)))
    for request, key in (
        ("req-1", "another"),
        ("req-2", "website"),
        ("req-refused", "website"),
        ("req-shadow", "website"),
    ):
        with pytest.raises(NoSuchRequest):
            asyncio.run(book.find(request, key))
    late = replace(book, clock=lambda: time.time() + 31 * DAY)
    with pytest.raises(NoSuchRequest):
        asyncio.run(late.find("req-1", "website"))


def test_saying_it_again_with_the_same_id_changes_nothing(state: State, monkeypatch: pytest.MonkeyPatch):
    book = book_with(state, "req-1", "req-2")
    first, fresh = add(book, client_id="mine")
    again, anew = add(book, client_id="mine")
    assert (first, fresh, anew) == (again, True, False)
    with pytest.raises(SaidOtherwise):
        add(book, client_id="mine", thumb="up")
    with pytest.raises(SaidOtherwise):
        add(book, "req-2", client_id="mine")
    monkeypatch.setattr(feedback, "MOST", 2)
    add(book)
    with pytest.raises(TooMuch):
        add(book)


def test_the_last_thumb_of_a_request_counts_for_its_version(state: State):
    book = book_with(state, *(f"req-{number}" for number in range(4)))
    asyncio.run(book.record(exchange("req-new", version="desk@9c1b")))
    for request, thumb in (("req-0", "up"), ("req-1", "up"), ("req-2", "down"), ("req-2", "up"), ("req-0", "down")):
        add(book, request, thumb=thumb, comment=None)
    add(book, "req-3", thumb=None, comment="fine")
    old, new = state.look(feedback.thumbs_by_version)
    assert (old.version, old.up, old.down, old.remarks, old.answered) == ("desk@3f2a", 2, 1, 1, 4)
    assert (new.version, new.up, new.down, new.answered) == ("desk@9c1b", 0, 0, 1)


def test_a_correction_has_the_request_that_was_kept_or_the_client_told(state: State):
    book = book_with(state, "req-1", "req-2", "req-3")
    take(queue_of(state), id="req-1", text="kept here")
    told = (Message.of("user", "told by the client"),)
    kept = [
        add(book, "req-1", correction="x", messages=told)[0],
        add(book, "req-2", correction="x", messages=told)[0],
        add(book, "req-3", correction="x")[0],
        add(book, "req-2", messages=told)[0],
    ]
    assert [one.messages[-1].text if one.messages else None for one in kept] == [
        "kept here",
        "told by the client",
        None,
        None,
    ]
    assert [one.id for one in state.look(feedback.corrections)] == [kept[0].id, kept[1].id]


@pytest.mark.parametrize(("given", "kept"), [("Refund", "Refund"), (" refund\n", "refund"), ("CARD LOST", "card lost")])
def test_a_label_is_spelled_as_the_goal_does(given: str, kept: str):
    assert fitted(LABELS, given) == kept


@pytest.mark.parametrize(
    ("goal", "given", "code"),
    [
        (LABELS, "REFUND", "not_a_label"),
        (LABELS, "other", "not_a_label"),
        (LABELS, "  ", "empty_answer"),
        (GoalSheet("text", "text", ""), "\n", "empty_answer"),
        (GoalSheet("text", "text", ""), "\ud800", "answer_does_not_fit"),
        (GoalSheet("text", "json", "", schema=FIELDS), "north", "answer_does_not_fit"),
        (GoalSheet("text", "json", "", schema=FIELDS), '{"team": "west"}', "answer_does_not_fit"),
        (GoalSheet("text", "json", "", schema=FIELDS), "[" * 100_000, "answer_does_not_fit"),
        (
            GoalSheet("text", "json", "", schema=FIELDS),
            '{"team": "north", "code": "' + "a" * 40 + '!"}',
            "answer_does_not_fit",
        ),
    ],
)
def test_an_answer_that_the_model_could_not_give_is_refused(goal: GoalSheet, given: str, code: str):
    with pytest.raises(InputError) as fault:
        fitted(goal, given)
    assert fault.value.code == code


def test_json_that_fits_is_kept_as_it_was_given():
    goal = GoalSheet("text", "json", "", schema=FIELDS)
    assert fitted(goal, '{"team":  "north"}') == '{"team":  "north"}'


def test_words_of_people_are_found_and_removed_to_the_last_byte(tmp_path: Path):
    state = open_state(tmp_path)
    for number, text in enumerate(("my name is Zqhollow", "hello")):
        take(queue_of(state), id=f"req-{number}", text=text)
    book = book_with(state, "req-0", "req-1")
    add(book, "req-0", comment="Zqhollow again", thumb=None)
    add(book, "req-1", comment="fine")
    hers = [one.id for one in forgetting.held(tmp_path) if any("Zqhollow" in text for text in one.texts)]
    assert len(hers) == 2
    forgetting.remove(tmp_path, hers)
    forgetting.remove(tmp_path, hers)  # a second time, after a kill
    assert len(forgetting.held(tmp_path)) == 2
    assert b"Zqhollow" not in b"".join(path.read_bytes() for path in (tmp_path / FILE).parent.iterdir())
    assert len(waiting(state)) == 1  # the server goes on
    state.close()
