"""Requests that go to people, with the official client as it is: marked or replaced answers, tickets, feedback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion

from tests.unit.server.conftest import Running, running
from tunesmith.deployment import tickets
from tunesmith.deployment.tables import open_state
from tunesmith.deployment.tickets import Claim, Filter, Ticket

QUESTION = [{"role": "user", "content": "Where is my tent? 😀"}]
TEXT = QUESTION[0]["content"]
REPLY = "A colleague will write to you."


@pytest.fixture(scope="module")
def replying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that never shows an answer that is for a person."""
    folder = tmp_path_factory.mktemp("replying")
    (folder / "hand_off.json").write_text(json.dumps({"reply": REPLY, "most": 12}))
    with running(folder) as found:
        yield found


def ask(server: Running, **more: Any) -> Any:
    return server.client.chat.completions.create(**{"model": "echo", "messages": QUESTION, **more})


def marks(answer: Any) -> dict[str, Any]:
    return answer.model_extra["tunesmith"]  # type: ignore[no-any-return]


def poll(client: openai.OpenAI, ticket: str) -> Any:
    return client.get(f"/hand_offs/{ticket}", cast_to=object)


def settle(server: Running, ticket: str, status: Any, reply: str) -> None:
    """As a person does in another process."""
    state = open_state(server.folder)
    claim = Claim("h", "ana", 4e9)
    assert state.change(lambda one: tickets.settle(one, ticket, status, reply, claim, example=True))
    state.close()


def kept(server: Running, ticket: str) -> Ticket:
    state = open_state(server.folder)
    [found] = state.look(lambda one: tickets.find(one, ticket))
    state.close()
    return found


def test_an_unsure_answer_is_marked_and_a_person_answers_by_its_ticket(server: Running) -> None:
    answer = ask(server)
    ticket = marks(answer)["ticket"]
    assert answer.choices[0].message.content == TEXT
    told = poll(server.client, ticket)
    assert (told["status"], told["reason"], told["request"]) == ("waiting", "low_confidence", answer._request_id)
    assert told["completion"] is told["settled"] is None
    settle(server, ticket, "answered", "It is on its way.")
    told = poll(server.client, ticket)
    completion = ChatCompletion.model_validate(told["completion"])
    assert (told["status"], completion.choices[0].message.content) == ("answered", "It is on its way.")
    assert (completion.id, completion.model) == (answer.id, answer.model)
    assert "ana" not in json.dumps(told)  # who it was is nothing for the client


def test_a_declined_request_says_why(server: Running) -> None:
    ticket = marks(ask(server))["ticket"]
    settle(server, ticket, "declined", "not our shop")
    told = poll(server.client, ticket)
    assert (told["status"], told["declined_because"], told["completion"]) == ("declined", "not our shop", None)


def test_a_ticket_is_for_the_key_that_asked(server: Running) -> None:
    ticket = marks(ask(server))["ticket"]
    waits = server.ask("GET", f"/v1/hand_offs/{ticket}")
    assert (waits.status_code, waits.headers["retry-after"]) == (200, "5")
    for client, name in (
        (server.with_key("other"), ticket),
        (server.client, ticket[:-2]),
        (server.client, "ticket-"),
        (server.client, "%25"),
    ):
        with pytest.raises(openai.NotFoundError) as fault:
            poll(client, name)
        assert fault.value.code == "no_such_ticket"


def test_a_stream_has_the_ticket_in_its_last_chunk(server: Running) -> None:
    chunks = list(ask(server, stream=True))
    assert kept(server, marks(chunks[-1])["ticket"]).answer == TEXT


def test_of_several_prompts_each_unsure_one_has_a_ticket_of_its_own(server: Running) -> None:
    answer = server.client.completions.create(model="echo", prompt=["one", "two"])
    found = [kept(server, choice.model_extra["tunesmith"]["ticket"]) for choice in answer.choices]  # type: ignore[index]
    assert [(one.messages[0].text, one.answer) for one in found] == [("one", "one"), ("two", "two")]
    assert len({one.ticket for one in found}) == 2


def test_a_reply_stands_in_place_of_every_answer_that_is_for_a_person(replying: Running) -> None:
    answer = ask(replying, logprobs=True)
    assert answer.choices[0].message.content == REPLY
    assert (answer.choices[0].logprobs, answer.choices[0].finish_reason) == (None, "stop")
    assert kept(replying, marks(answer)["ticket"]).answer == TEXT
    chunks = list(ask(replying, stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == REPLY
    assert marks(chunks[-2])["handed_off"] is True
    assert chunks[-1].usage.completion_tokens == len(TEXT.encode())
    plain = replying.client.completions.create(model="echo", prompt="one")
    assert plain.choices[0].text == REPLY
    chunked = list(replying.client.completions.create(model="echo", prompt="one", stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunked) == REPLY


def test_a_reply_stands_in_place_of_an_unsure_label(replying: Running) -> None:
    chat = ask(replying, model="letters", messages=[{"role": "user", "content": "m"}], logprobs=True)
    assert (chat.choices[0].message.content, chat.choices[0].logprobs) == (REPLY, None)
    body = {"model": "letters", "input": ["\x01", "m"]}
    sure, unsure = replying.ask("POST", "/v1/classifications", json=body).json()["data"]
    assert (sure["label"], sure["handed_off"]) == ("early", False)
    assert (unsure["label"], unsure["probabilities"], unsure["reply"]) == (None, {}, REPLY)
    assert kept(replying, unsure["ticket"]).messages[0].text == "m"


def test_nobody_is_promised_a_person_where_the_inbox_is_full(replying: Running) -> None:
    while open_tickets(replying) < 12:
        ask(replying)
    with pytest.raises(openai.APIStatusError) as fault:
        ask(replying)
    assert (fault.value.status_code, fault.value.code) == (503, "inbox_full")
    assert open_tickets(replying) == 12


def open_tickets(server: Running) -> int:
    state = open_state(server.folder)
    [_, count] = state.look(lambda one: tickets.listed(one, Filter(), 1))
    state.close()
    return count


def test_feedback_is_kept_by_the_id_of_the_request_or_of_the_completion(server: Running) -> None:
    answer = ask(server, model="letters", messages=[{"role": "user", "content": "apple"}])
    told = server.client.post("/feedback", body={"request": answer.id, "thumb": "up", "id": "a"}, cast_to=object)
    again = server.client.post(
        "/feedback", body={"request": answer._request_id, "thumb": "up", "id": "a"}, cast_to=object
    )
    assert told == again
    assert told["request"] == answer._request_id  # type: ignore[index]
    fixed = {"request": answer.id, "correction": "LATE"}
    assert server.ask("POST", "/v1/feedback", json=fixed).json()["correction"] == "remark"
    asked = {**fixed, "messages": [{"role": "user", "content": "apple"}]}
    assert server.ask("POST", "/v1/feedback", json=asked).json()["correction"] == "example"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"request": "req-0", "thumb": "up"}, 404, "no_such_request"),
        ({"request": "OWN"}, 400, "nothing_said"),
        ({"request": "OWN", "comment": "  "}, 400, "nothing_said"),
        ({"request": "OWN", "correction": "neither"}, 400, "not_a_label"),
        ({"request": "OWN", "comment": "x" * 4001}, 400, "wrong_value"),
        ({"request": "OWN", "thumb": "sideways"}, 400, "wrong_value"),
        ({"request": "OWN", "thumb": "up", "more": 1}, 400, "wrong_value"),
        ({"request": "OWN", "comment": "\ud800"}, 400, "wrong_value"),
        ({"request": "OWN", "thumb": "up", "messages": [{"role": "system", "content": "x"}]}, 400, "no_question"),
        ({"request": "OWN", "thumb": "up", "id": "mine"}, 409, "said_otherwise"),
    ],
)
def test_feedback_that_cannot_be_kept_is_refused_in_words(
    server: Running, body: dict[str, Any], status: int, code: str
) -> None:
    answer = ask(server, model="letters", messages=[{"role": "user", "content": "apple"}])
    if code == "said_otherwise":
        server.ask("POST", "/v1/feedback", json={**body, "request": answer.id, "thumb": "down"})
    sent = {**body, "request": answer.id if body["request"] == "OWN" else body["request"]}
    told = server.ask("POST", "/v1/feedback", content=json.dumps(sent), headers={"content-type": "application/json"})
    assert (told.status_code, told.json()["error"]["code"]) == (status, code)


def test_another_key_can_say_nothing_of_it(server: Running) -> None:
    answer = ask(server)
    other = server.keys.make("stranger", server.keys.all()[0].limits)
    told = server.ask("POST", "/v1/feedback", key=other, json={"request": answer.id, "thumb": "up"})
    assert told.json()["error"]["code"] == "no_such_request"
