"""A conversation with tools as the set-up in use puts it to the model, and as rules leave it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.server.double_server import Bytes, ByteTools, version
from tests.unit.server.test_tool_fields import CALLED, WEATHER
from tunesmith.answering.answerer import Prompt
from tunesmith.deployment.exchange import Exchange
from tunesmith.example import Message
from tunesmith.server.call import Call
from tunesmith.server.conversation import turns_of
from tunesmith.server.keys import Key
from tunesmith.server.limits import Gate, Limiter
from tunesmith.server.refusal import Refusal
from tunesmith.server.requests import ChatRequest
from tunesmith.server.served import ServedText
from tunesmith.server.site import Site
from tunesmith.server.tool_prompts import ToolPrompt, put_with_tools
from tunesmith.tool_calls import Tools, Turn


class Seen(Bytes):
    """Keeps the turns that it was given."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []

    @property
    def tools(self) -> Any:
        outer = self

        class Keeping(ByteTools):
            def of_turns(self, turns: Any, tools: Any) -> list[int]:
                outer.turns = list(turns)
                return [1, 2, 3]

        return Keeping()


def prepared(prompt: Prompt) -> Prompt:
    """As a set-up with one example and documents."""
    own = prompt[:1] if prompt[0].role == "system" else ()
    *turns, last = prompt[len(own) :]
    example = (Message.of("user", "An example?"), Message.of("assistant", "Its answer."))
    return (*own, *example, *turns, Message.of("user", f"Notes.\n\n{last.text}"))


def put(messages: list[dict[str, Any]], codec: Any) -> ToolPrompt:
    served = ServedText(version("echo", "text"), None, codec, Gate(1, 1), 100, Site("echo"), prepared)  # type: ignore[arg-type]
    call = Call(Key("a", "", 0.0), Exchange("req-1", "/", "a"), Limiter())
    asked = ChatRequest.model_validate({"model": "echo", "messages": messages})
    found = asyncio.run(put_with_tools(served, call, turns_of(asked.messages), Tools((WEATHER,))))
    assert [message.role for message in call.exchange.prompt] == [one["role"] for one in messages]
    return found


@pytest.mark.parametrize("system", [True, False])
def test_examples_and_documents_stand_where_they_stood_before_the_call(system: bool) -> None:
    codec = Seen()
    own = [{"role": "system", "content": "Be brief."}] if system else []
    first = put([*own, CALLED[0]], codec)
    before = codec.turns
    later = put([*own, *CALLED], codec)
    assert codec.turns[: len(before)] == before
    assert [turn.text for turn in before] == [
        *(["Be brief."] if system else []),
        "An example?",
        "Its answer.",
        "Notes.\n\nDo I need a coat in Köln?",
    ]
    assert codec.turns[len(before) :] == list(
        turns_of(ChatRequest.model_validate({"model": "m", "messages": CALLED}).messages)[1:]
    )
    assert first.given == later.given
    assert first.messages == later.messages


def test_a_model_that_cannot_be_told_of_tools_refuses_and_says_what_to_do() -> None:
    class Without(Bytes):
        tools = None  # type: ignore[assignment]

    for codec in (Without(), Seen()):
        made = version("echo", "text")
        documents = isinstance(codec, Seen)  # such a model goes on from a text
        served = ServedText(
            replace(made, documents=documents),
            None,
            codec,
            Gate(1, 1),
            100,
            Site("echo"),  # type: ignore[arg-type]
        )
        call = Call(Key("a", "", 0.0), Exchange("req-1", "/", "a"), Limiter())
        with pytest.raises(Refusal) as refused:
            asyncio.run(put_with_tools(served, call, (Turn("user", "a"),), Tools((WEATHER,))))
        assert refused.value.code == "tools_not_served"
        assert "tool_choice: none" in refused.value.message
