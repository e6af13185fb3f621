"""Step `private`: private values are masked in all texts of a row, before any other step sees it.

So neither evidence nor fingerprints nor messages of errors hold them. What a row was before goes to private.parquet
alone, which only its owner can read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tunesmith.artifact import for_owner
from tunesmith.example import Example, Message, Part, content_hash
from tunesmith.example_parquet import PRIVATE, RowWriter, example_row
from tunesmith.privacy.find import may_hold
from tunesmith.privacy.mask import Change, ExampleMasker, Masker
from tunesmith.privacy.span import Kind
from tunesmith.products import PRIVATE_FILE, GoalSheet
from tunesmith.stages.clean.json_layout import canonical, parse
from tunesmith.stages.clean.label_spelling import Spellings
from tunesmith.stages.clean.settings import CleanSettings
from tunesmith.stages.clean.shorten import listed

_NAMES: dict[Kind, str] = {
    "email": "e-mail address",
    "phone": "phone number",
    "card": "card number",
    "iban": "bank account",
    "national_id": "national id",
    "ip_address": "IP address",
    "mac_address": "MAC address",
    "street_address": "street address",
    "api_key": "API key or token",
    "password": "password",
    "url_credentials": "user and password in a URL",
}


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of one kind: ``evidence`` says where, never what."""

    code: str
    evidence: str


@dataclass(frozen=True, slots=True)
class MaskedRow:
    """A row with its private values replaced. ``set_aside`` are the finds for which the user wants the row out."""

    example: Example
    found: tuple[Found, ...] = ()
    set_aside: tuple[Found, ...] = ()


class PrivateData:
    """The step for one goal and its settings."""

    def __init__(self, goal: GoalSheet, settings: CleanSettings, seed: int) -> None:
        self._goal = goal
        self._choices = settings.private.choices
        self._masker = Masker(self._choices, tuple(settings.private.regions), seed)
        self._on = bool(self._masker.kinds)
        self._labels = Spellings.of(goal.labels)
        self._layout = "json_layout" in settings.fix

    def mask(self, example: Example) -> MaskedRow:
        """Replace the private values in the messages and in the rejected answer. A label stays as it is."""
        if not self._on or not any(_may_hold(text) for text in _texts(example)):
            return MaskedRow(example)
        masker = self._masker.example(_texts(example))
        last = len(example.messages) - 1
        changes: list[tuple[str, Change]] = []
        messages = []
        for place, message in enumerate(example.messages):
            is_answer = place == last and message.role == "assistant"
            name = "the answer" if is_answer else f"message {place + 1} ({message.role})"
            masked, found = self._mask_answer(masker, message) if is_answer else _mask_message(masker, message)
            messages.append(masked)
            changes += [(name, change) for change in found]
        rejected = example.rejected
        if rejected is not None:
            text, found = self._mask_target(masker, rejected)
            rejected = text
            changes += [("the rejected answer", change) for change in found]
        if not changes:
            return MaskedRow(example)
        after = replace(
            example, messages=tuple(messages), rejected=rejected, content_id=content_hash(messages, rejected)
        )
        found_kinds = list(_by_kind(changes))
        out = tuple(one for kind, one in found_kinds if self._choices[kind] == "set_aside")
        return MaskedRow(after, tuple(one for _, one in found_kinds), out)

    def _mask_answer(self, masker: ExampleMasker, message: Message) -> tuple[Message, list[Change]]:
        if self._goal.output == "text" or len(message.parts) != 1 or message.parts[0].kind != "text":
            return _mask_message(masker, message)
        text, changes = self._mask_target(masker, message.text)
        return (Message.of(message.role, text), changes) if changes else (message, [])

    def _mask_target(self, masker: ExampleMasker, text: str) -> tuple[str, list[Change]]:
        if self._goal.output == "label" and self._labels.mend(text) in self._labels.known:
            return text, []
        if self._goal.output == "json":
            try:
                return self._mask_json(masker, text)
            except (ValueError, RecursionError):
                pass  # it is no JSON: masked as text
        masked = masker.mask_either(text)
        return masked.text, masked.changes

    def _mask_json(self, masker: ExampleMasker, text: str) -> tuple[str, list[Change]]:
        value = parse(text)
        masked, changes = masker.mask_json(value, self._goal.schema)
        if not changes:
            return text, []
        if self._layout and isinstance(masked, dict):
            return canonical(masked, self._goal.schema), changes
        return json.dumps(masked, ensure_ascii=False), changes


def _texts(example: Example) -> Iterator[str]:
    yield from (part.text or "" for message in example.messages for part in message.parts)
    yield example.rejected or ""


def _may_hold(text: str) -> bool:
    """Whether a private value may be in a text, or in one of the values where it is JSON."""
    return "\\u" in text or may_hold(text)


def _mask_message(masker: ExampleMasker, message: Message) -> tuple[Message, list[Change]]:
    parts: list[Part] = []
    changes: list[Change] = []
    for part in message.parts:
        masked = masker.mask_either(part.text) if part.text else None
        if masked is None or not masked.layers:
            parts.append(part)
        else:
            parts.append(replace(part, text=masked.text))
            changes += masked.changes
    return (Message(message.role, tuple(parts)), changes) if changes else (message, [])


def _by_kind(changes: list[tuple[str, Change]]) -> Iterator[tuple[Kind, Found]]:
    """One find a kind: how often, and in which messages at which character."""
    for kind in dict.fromkeys(change.kind for _, change in changes):
        places = [f"{name}, character {change.start + 1}" for name, change in changes if change.kind == kind]
        yield kind, Found(f"private_{kind}", f"{_NAMES[kind]} in {listed(places)}")


class PrivateFile(RowWriter):
    """Write the rows as they came in, to a file that only its owner can read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(for_owner(folder / PRIVATE_FILE), PRIVATE)

    def add(self, example: Example, state: str, found: tuple[Found, ...]) -> None:
        row: dict[str, Any] = example_row(example)
        self.write({**row, "state": state, "found": [f"{one.code}: {one.evidence}" for one in found]})
