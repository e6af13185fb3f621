"""Example, Message, Part: the one unit of data, whatever the modality.

The target is what the last assistant message holds: a label, JSON, prose. A stage never asks
which; what differs lives in ``learners/``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]
ROLES: tuple[Role, ...] = ("system", "user", "assistant", "tool")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a message: text, or media named by the sha256 of its bytes."""

    kind: Literal["text", "image", "audio"]
    text: str | None = None
    blob: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    parts: tuple[Part, ...]

    @classmethod
    def of(cls, role: Role, text: str) -> Message:
        """Make a message of one text part."""
        return cls(role, (Part("text", text),))

    @property
    def text(self) -> str:
        """The text parts, joined."""
        return "".join(part.text or "" for part in self.parts)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a row came from: ``row`` is the 1-based line (or row) number in the file at ``uri``."""

    uri: str
    row: int
    licence: str | None = None
    fetched_at: str | None = None

    @property
    def where(self) -> str:
        return f"{self.uri}:{self.row}"


@dataclass(frozen=True, slots=True)
class Finding:
    """Why an example was changed, set aside or flagged."""

    example_id: str
    code: str
    severity: Literal["info", "warning", "error"]
    evidence: str


@dataclass(frozen=True, slots=True)
class Score:
    """A measured value: never a number without ``n`` and a 95% interval ``[low, high]``."""

    metric: str
    value: float
    n: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Example:
    """One piece of work done the user's way.

    ``id`` is the hash of source, row and content; ``content_id`` the hash of the content alone.
    ``weight`` scales the loss of this row (0 keeps it out of training). ``part`` is set when the
    user says which part a source belongs to. ``group`` is a hash of what must not be torn apart by the split (a
    customer, a thread, a document); ``time`` is in microseconds since 1970, UTC.
    """

    id: str
    content_id: str
    messages: tuple[Message, ...]
    source: Source
    rejected: str | None = None
    tags: tuple[str, ...] = ()
    weight: float = 1.0
    part: Literal["train", "validation", "test"] | None = None
    group: str | None = None
    time: int | None = None

    @property
    def system(self) -> str | None:
        """The system message, when the row has one of its own."""
        first = self.messages[0] if self.messages else None
        return first.text if first is not None and first.role == "system" else None

    @property
    def turns(self) -> tuple[Message, ...]:
        """All messages but the leading system message."""
        return self.messages[1:] if self.system is not None else self.messages

    @property
    def prompt(self) -> tuple[Message, ...]:
        """What comes before the last assistant message."""
        return self.messages[:-1] if self.answer is not None else self.messages

    @property
    def answer(self) -> str | None:
        """The target: the last message when it is the assistant's."""
        last = self.messages[-1] if self.messages else None
        return last.text if last is not None and last.role == "assistant" else None

    @property
    def is_document(self) -> bool:
        """Whether this is a text to be learned whole: what the assistant writes, with nothing before it."""
        return len(self.messages) == 1 and self.messages[0].role == "assistant"

    @property
    def input(self) -> str:
        """What the user said, all turns before the answer, for comparing rows with each other; a document's text."""
        if self.is_document:
            return self.messages[0].text
        return input_of(self.prompt)

    def with_answer(self, answer: str) -> Example:
        """The same row with another target; ``id`` stays, since it names the row that came in."""
        messages = (*self.prompt, Message.of("assistant", answer))
        return replace(self, messages=messages, content_id=content_hash(messages, self.rejected))


def input_of(prompt: Sequence[Message]) -> str:
    """What is said in a prompt, as one text: the user's words, or all turns with who says them; no system prompt."""
    said = [message for message in prompt if message.role != "system"]
    if len(said) == 1:
        return said[0].text
    return "\n".join(f"{message.role}: {message.text}" for message in said)


def digest(*parts: str) -> str:
    """First 16 hex digits of the sha256 over length-prefixed parts (so that no two lists collide)."""
    hasher = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        hasher.update(b"%d:" % len(data))
        hasher.update(data)
    return hasher.hexdigest()[:16]


def content_hash(messages: Sequence[Message], rejected: str | None) -> str:
    """Hash of what the row says, independent of where it came from."""
    flat: list[str] = []
    for message in messages:
        flat.append(message.role)
        for part in message.parts:
            flat += [part.kind, part.text or "", part.blob or ""]
    return digest(*flat, "rejected" if rejected is not None else "", rejected or "")


def make_example(
    messages: Sequence[Message],
    source: Source,
    *,
    rejected: str | None = None,
    tags: Sequence[str] = (),
    weight: float = 1.0,
    part: Literal["train", "validation", "test"] | None = None,
    group: str | None = None,
    time: int | None = None,
) -> Example:
    """Make an Example and compute its two hashes."""
    content_id = content_hash(messages, rejected)
    return Example(
        id=digest(source.uri, str(source.row), content_id),
        content_id=content_id,
        messages=tuple(messages),
        source=source,
        rejected=rejected,
        tags=tuple(tags),
        weight=weight,
        part=part,
        group=group,
        time=time,
    )


def messages_to_json(messages: Sequence[Message]) -> str:
    """Compact JSON: text-only messages as ``{"role", "content"}``, others with their parts."""
    return json.dumps([_message_to_dict(message) for message in messages], ensure_ascii=True, separators=(",", ":"))


def _message_to_dict(message: Message) -> dict[str, Any]:
    if len(message.parts) == 1 and message.parts[0].kind == "text":
        return {"role": message.role, "content": message.parts[0].text or ""}
    parts = [{"type": part.kind, "text": part.text, "blob": part.blob} for part in message.parts]
    return {"role": message.role, "content": parts}


def messages_from_json(text: str) -> tuple[Message, ...]:
    """The inverse of `messages_to_json`."""
    return tuple(_message_from_dict(item) for item in json.loads(text))


def _message_from_dict(item: Mapping[str, Any]) -> Message:
    content = item["content"]
    if isinstance(content, str):
        return Message.of(item["role"], content)
    parts = tuple(Part(part["type"], part.get("text"), part.get("blob")) for part in content)
    return Message(item["role"], parts)
