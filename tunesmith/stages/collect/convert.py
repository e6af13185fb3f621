"""Turn a raw row into an Example, by its layout."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from tunesmith.example import Example, Message, Role, Source, make_example
from tunesmith.stages.collect.rows import BadRow, RawRow, RowProblem, bad, excerpt
from tunesmith.stages.collect.settings import SourceSettings
from tunesmith.stages.collect.shapes import Layout, as_turns

OPENAI_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
SHAREGPT_ROLES: dict[str, Role] = {
    "system": "system",
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "tool": "tool",
    "observation": "tool",
    "function_response": "tool",
}
TEXT_PARTS = ("text", "input_text", "output_text")

#: Makes the messages of a row and the weight that its own layout gives it.
Messages = Callable[[Mapping[str, Any]], tuple[list[Message], float]]


def converter(layout: Layout, source: SourceSettings, uri: str) -> Callable[[RawRow], Example | BadRow]:
    """Make the function that turns rows of one file into examples; a row that cannot be one becomes a BadRow."""
    messages_of = _messages_of(layout)

    def convert(row: RawRow) -> Example | BadRow:
        value = row.value
        try:
            messages, weight = messages_of(value)
            if source.weight is not None:
                weight *= to_weight(value.get(source.weight), source.weight)
            return make_example(
                messages,
                Source(uri, row.line, source.licence),
                rejected=to_text(value.get(source.rejected)) or None if source.rejected is not None else None,
                tags=_tags(value, source.tags) if source.tags else (),
                weight=weight,
                part=source.part,
            )
        except RowProblem as problem:
            return bad(row, problem)

    return convert


def _messages_of(layout: Layout) -> Messages:
    if layout.shape == "openai_chat":
        return lambda row: _openai_chat(row, layout.input[0])
    if layout.shape == "sharegpt":
        return lambda row: _sharegpt(row, layout.input[0])
    if layout.shape == "text":
        return lambda row: ([Message.of("assistant", to_text(row.get(layout.output[0])))], 1.0)
    return _columns(layout)


def _columns(layout: Layout) -> Messages:
    between = "\n\n" if layout.shape == "alpaca" else "\n"
    answer_of = _object_answer if layout.as_object else _joined_answer
    first_in, several_in = layout.input[0], len(layout.input) > 1

    def messages(row: Mapping[str, Any]) -> tuple[list[Message], float]:
        if several_in:
            texts = [to_text(row.get(name)) for name in layout.input]
            text = between.join(part for part in texts if part)
        else:
            text = to_text(row.get(first_in))
        turns = [Message.of("user", text), Message.of("assistant", answer_of(row, layout.output))]
        if layout.shape == "alpaca" and (system := to_text(row.get("system"))):
            turns.insert(0, Message.of("system", system))
        return turns, 1.0

    return messages


def _joined_answer(row: Mapping[str, Any], columns: tuple[str, ...]) -> str:
    return to_text(row.get(columns[0]))


def _object_answer(row: Mapping[str, Any], columns: tuple[str, ...]) -> str:
    """One JSON object in the order of the columns; "" when all of them are empty."""
    values = {name: "" if _is_missing(row.get(name)) else row[name] for name in columns}
    if all(isinstance(value, str) and not value.strip() for value in values.values()):
        return ""
    return json.dumps(values, ensure_ascii=False, default=to_text)


def _openai_chat(row: Mapping[str, Any], key: str) -> tuple[list[Message], float]:
    weight = to_weight(row.get("weight"), "weight")
    messages = []
    for turn in _turns(row, key):
        role = _role(turn.get("role"), OPENAI_ROLES)
        if turn.get("tool_calls") or turn.get("function_call"):
            raise RowProblem("unsupported_content", "a message calls a tool; only text can be learned from yet")
        messages.append(Message.of(role, _content(turn.get("content"))))
        own_weight = to_weight(turn.get("weight"), "weight")
    return _ending_with_assistant(messages, key), weight * own_weight


def _sharegpt(row: Mapping[str, Any], key: str) -> tuple[list[Message], float]:
    weight = to_weight(row.get("weight"), "weight")
    messages = []
    for turn in _turns(row, key):
        role = _role(turn.get("from"), SHAREGPT_ROLES)
        messages.append(Message.of(role, to_text(turn.get("value"))))
        own_weight = to_weight(turn.get("weight"), "weight")
    system = to_text(row.get("system"))
    if system and messages[0].role != "system":
        messages.insert(0, Message.of("system", system))
    return _ending_with_assistant(messages, key), weight * own_weight


def _turns(row: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    value = row.get(key)
    turns = as_turns(value)
    if turns is None:
        raise RowProblem("no_turns", f"{key!r} holds no list of messages: {excerpt(to_text(value))}")
    if not turns:
        raise RowProblem("no_turns", f"{key!r} is an empty list")
    for turn in turns:
        if not isinstance(turn, dict):
            raise RowProblem("no_turns", f"a message in {key!r} is no object: {excerpt(to_text(turn))}")
    return turns


def _role(name: Any, roles: Mapping[str, Role]) -> Role:
    role = roles.get(name) if isinstance(name, str) else None
    if role is None:
        found = "a message has no role" if name is None else f"unknown role {excerpt(to_text(name))}"
        raise RowProblem("unknown_role", f"{found}; known are {', '.join(roles)}")
    return role


def _ending_with_assistant(messages: list[Message], key: str) -> list[Message]:
    if messages[-1].role != "assistant":
        raise RowProblem(
            "no_assistant_at_end", f"the last message in {key!r} is of {messages[-1].role!r}, not of the assistant"
        )
    return messages


def _content(content: Any) -> str:
    """The text of an OpenAI message: a text, or a list of parts of type text."""
    if not isinstance(content, list):
        return to_text(content)
    texts = []
    for part in content:
        if isinstance(part, dict) and part.get("type") in TEXT_PARTS:
            texts.append(to_text(part.get("text")))
        elif isinstance(part, str):
            texts.append(part)
        else:
            kind = part.get("type") if isinstance(part, dict) else type(part).__name__
            raise RowProblem("unsupported_content", f"a message holds a part of type {kind!r}; only text is read yet")
    return "".join(texts)


def _tags(row: Mapping[str, Any], columns: list[str]) -> list[str]:
    texts = [(name, to_text(row.get(name))) for name in columns]
    return [f"{name}={text}" for name, text in texts if text]


def to_weight(value: Any, name: str) -> float:
    """A weight as a number of at least 0; 1 where there is none. Raises RowProblem on anything else."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return 1.0
    try:
        weight = float(value)
    except (TypeError, ValueError, OverflowError):
        weight = math.nan
    if not (math.isfinite(weight) and weight >= 0):
        raise RowProblem("bad_weight", f"{name!r} is {excerpt(to_text(value))}, not a number of at least 0")
    return weight


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def to_text(value: Any) -> str:
    """A value as text: "" for a missing one, JSON for true, false, numbers, objects and arrays."""
    if isinstance(value, str):
        return value
    if _is_missing(value):
        return ""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise RowProblem("undecodable", f"a value of bytes is not utf-8: {value[:20]!r}") from error
    if isinstance(value, bool | int | float | list | dict):
        return json.dumps(value, ensure_ascii=False, default=to_text)
    return str(value)
