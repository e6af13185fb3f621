"""The texts of a row, by where they stand: what steps look at, and what fixes write anew."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from tunesmith.example import Example, Message, content_hash

Side = Literal["input", "answer"]
Key = tuple[Side, str]


@dataclass(frozen=True, slots=True)
class Text:
    """One text. ``field`` is the path of a field in a JSON answer, "" for a whole message."""

    side: Side
    field: str
    text: str

    @property
    def key(self) -> Key:
        return self.side, self.field

    @property
    def name(self) -> str:
        return f"the {self.side}" if not self.field else self.field


@dataclass(frozen=True, slots=True)
class RowTexts:
    """What the user says, and the prose of the answer: no labels, no fields with a list of allowed values."""

    inputs: tuple[Text, ...]
    answers: tuple[Text, ...]

    @property
    def all(self) -> tuple[Text, ...]:
        return (*self.inputs, *self.answers)


def texts_of(example: Example, output: str, value: Any, listed: Collection[str]) -> RowTexts:
    """The texts of a row. ``value`` is a JSON answer as parsed; ``listed`` fields have values from a list."""
    inputs = tuple(
        Text("input", "", part.text)
        for message in example.prompt
        if message.role == "user"
        for part in message.parts
        if part.text
    )
    if output == "text":
        answer = example.answer
        return RowTexts(inputs, (Text("answer", "", answer),) if answer else ())
    if output == "json" and value is not None:
        return RowTexts(inputs, tuple(Text("answer", field, text) for field, text in _strings(value, "", listed)))
    return RowTexts(inputs, ())


def _strings(value: Any, path: str, listed: Collection[str]) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        if value:
            yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if path or key not in listed:
                yield from _strings(inner, f"{path}.{key}" if path else str(key), listed)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner, f"{path}[]", listed)


def rewrite_value(value: Any, change: Callable[[Text], str], listed: Collection[str], path: str = "") -> Any:
    """A JSON answer with its texts as ``change`` gives them."""
    if isinstance(value, str):
        return change(Text("answer", path, value)) if value else value
    if isinstance(value, dict):
        return {
            key: rewrite_value(inner, change, listed, f"{path}.{key}" if path else str(key))
            if path or key not in listed
            else inner
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [rewrite_value(inner, change, listed, f"{path}[]") for inner in value]
    return value


def rewrite_messages(example: Example, change: Callable[[Text], str], answer: bool) -> Example:
    """The example with the texts of its user messages, and with ``answer`` of its answer, as ``change`` gives them."""
    last = len(example.messages) - 1
    messages = tuple(
        _rewrite(message, change, "answer")
        if answer and place == last and message.role == "assistant"
        else _rewrite(message, change, "input")
        if message.role == "user"
        else message
        for place, message in enumerate(example.messages)
    )
    if messages == example.messages:
        return example
    return replace(example, messages=messages, content_id=content_hash(messages, example.rejected))


def _rewrite(message: Message, change: Callable[[Text], str], side: Side) -> Message:
    parts = tuple(
        replace(part, text=change(Text(side, "", part.text))) if part.kind == "text" and part.text else part
        for part in message.parts
    )
    return Message(message.role, parts)
