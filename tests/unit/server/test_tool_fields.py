"""What a chat request may say of tools, and what is refused before any model sees it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tunesmith.example import Message
from tunesmith.server.conversation import prompt_of, texts_of, turns_of, with_texts
from tunesmith.server.refusal import Refusal
from tunesmith.server.requests import ChatRequest
from tunesmith.tool_calls import ToolCall, Tools, Turn

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather at a place.",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
    },
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"place":"Köln"}'}}
CALLED: list[dict[str, Any]] = [
    {"role": "user", "content": "Do I need a coat in Köln?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "6 °C, rain"},
]


def request(**more: Any) -> ChatRequest:
    return ChatRequest.model_validate({"model": "m", "messages": [{"role": "user", "content": "a"}], **more})


def tools(**more: Any) -> Tools | None:
    asked = request(**more)
    asked.check()
    return asked.asked_tools


def code(**more: Any) -> str:
    with pytest.raises(Refusal) as refused:
        tools(**more)
    return refused.value.code


def test_tools_come_with_whether_one_must_be_called() -> None:
    assert tools() is None
    assert tools(tools=[WEATHER]) == Tools((WEATHER,))
    assert tools(tools=[WEATHER], tool_choice="auto", parallel_tool_calls=False) == Tools((WEATHER,), parallel=False)
    assert tools(tools=[WEATHER], tool_choice="none") is None
    assert tools(tools=[WEATHER], tool_choice="required") == Tools((WEATHER,), required=True)
    named = {"type": "function", "function": {"name": "weather"}}
    assert tools(tools=[WEATHER], tool_choice=named) == Tools((WEATHER,), True, "weather", parallel=False)


def test_what_is_wrong_with_tools_is_told() -> None:
    other = {"type": "function", "function": {"name": "other"}}
    assert code(tools=[WEATHER, WEATHER]) == "wrong_value"
    assert code(tools=[WEATHER], tool_choice=other) == "wrong_value"
    assert code(tools=[WEATHER], tool_choice="always") == "wrong_value"
    assert code(tool_choice="required") == "wrong_value"
    assert code(tools=[{"type": "custom", "custom": {"name": "a"}}]) == "tools_not_served"
    assert code(tools=[{"type": "function", "function": {"name": "a", "description": "\ud800"}}]) == "not_utf8"
    assert code(functions=[WEATHER["function"]]) == "not_served"
    for wrong in ({"name": "two words"}, {"name": "a" * 65}, {}):
        with pytest.raises(ValidationError):
            request(tools=[{"type": "function", "function": wrong}])


def test_tools_of_absurd_size_are_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(500):
        deep = {"properties": {"a": deep}}
    wide = {"properties": {f"key{number}": {} for number in range(6000)}}
    slow = {"properties": {"a": {"type": "string", "pattern": "(a|a)*" * 200}}}
    for parameters in (deep, wide, slow):
        assert code(tools=[{"type": "function", "function": {"name": "a", "parameters": parameters}}]) == "bad_schema"
    few = {"properties": {f"key{number}": {} for number in range(100)}}
    many = [{"type": "function", "function": {"name": f"f{number}", "parameters": few}} for number in range(100)]
    assert code(tools=many) == "bad_schema"  # together
    with pytest.raises(ValidationError):
        request(tools=[WEATHER] * 129)
    with pytest.raises(ValidationError):
        request(messages=[{"role": "assistant", "tool_calls": [CALL] * 129}])


def test_a_conversation_has_its_calls_and_what_came_of_them() -> None:
    assert turns_of(request(messages=CALLED).messages) == (
        Turn("user", "Do I need a coat in Köln?"),
        Turn("assistant", "", (ToolCall("call_1", "weather", '{"place": "Köln"}'),)),
        Turn("tool", "6 °C, rain", call_id="call_1", name="weather"),
    )
    with pytest.raises(Refusal) as refused:
        prompt_of(request(messages=CALLED).messages)
    assert refused.value.code == "tools_not_served"


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([CALLED[0], CALLED[2]], "wrong_value"),  # of a call that nobody made
        (CALLED[:2], "no_question"),
        ([*CALLED[:2], {"role": "function", "content": "6 °C"}], "not_served"),
    ],
)
def test_a_conversation_that_does_not_hang_together_is_refused(messages: Any, expected: str) -> None:
    with pytest.raises(Refusal) as refused:
        turns_of(request(messages=messages).messages)
    assert refused.value.code == expected


@pytest.mark.parametrize(
    "arguments", ["[]", "no", '{"a": NaN}', "[" * 100_000, '{"a":' * 50 + "1" + "}" * 50, '{"a": "\\ud800"}']
)
def test_arguments_that_are_no_json_object_are_refused(arguments: str) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": arguments}}
    with pytest.raises(Refusal) as refused:
        turns_of(request(messages=[CALLED[0], {"role": "assistant", "tool_calls": [call]}, CALLED[0]]).messages)
    assert refused.value.code in ("wrong_value", "not_utf8")


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
calls = st.builds(
    lambda id, name, arguments: ToolCall(id, name, json.dumps(arguments, ensure_ascii=False)),
    words,
    st.from_regex(r"[a-z_]{1,9}", fullmatch=True),
    st.dictionaries(words, words | st.integers() | st.none(), max_size=3),
)
turns = st.lists(
    st.builds(Turn, st.just("user"), words) | st.builds(Turn, st.just("assistant"), words, st.lists(calls).map(tuple)),
    max_size=5,
).map(tuple)


@given(turns)
def test_all_that_is_said_can_be_changed_and_put_back(conversation: tuple[Turn, ...]) -> None:
    texts = texts_of(conversation)
    assert with_texts(conversation, texts) == conversation
    masked = with_texts(conversation, [Message.of(one.role, "[GONE]") for one in texts])
    assert [turn.role for turn in masked] == [turn.role for turn in conversation]
    told = [call.arguments for turn in masked for call in turn.calls]
    assert [json.loads(one) for one in told] == [{"masked": "[GONE]"}] * len(told)
