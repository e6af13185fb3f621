"""Step `private`: private values are masked in all texts of a row, before any other step sees it.

So neither evidence nor fingerprints nor messages of errors hold them. What a row was before goes to private.parquet
alone, which only its owner can read.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from tunesmith.artifact import for_owner
from tunesmith.example import Example, Message, Part, content_hash
from tunesmith.example_parquet import PRIVATE, RowWriter, example_row
from tunesmith.privacy.find import may_hold
from tunesmith.privacy.mask import Change, ExampleMasker, Masker
from tunesmith.privacy.name_finder import find_names, require_names
from tunesmith.privacy.names import Name, staying
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
    "person": "name of a person",
    "organisation": "name of an organisation",
    "place": "name of a place",
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


#: Rows whose names are looked for together.
BATCH = 128


class PrivateData:
    """The step for one goal and its settings."""

    def __init__(self, goal: GoalSheet, settings: CleanSettings, seed: int) -> None:
        self._goal = goal
        self._choices = settings.private.choices
        self._masker = Masker(self._choices, tuple(settings.private.regions), seed)
        self._on = bool(self._masker.kinds)
        self._labels = Spellings.of(goal.labels)
        self._layout = "json_layout" in settings.fix
        self._name_kinds = settings.private.names
        self._stay = staying([*goal.labels, *choices(goal.schema), *settings.private.keep_names])
        self._names: dict[str, tuple[Name, ...]] = {}
        if self._name_kinds:
            require_names(f"clean.private.{min(self._name_kinds)}")

    def prepared(self, examples: Iterable[Example]) -> Iterator[Example]:
        """The same examples. Where names are looked for, it is done here for many at once, which is faster."""
        if not self._name_kinds:
            yield from examples
            return
        waiting = iter(examples)
        while batch := list(islice(waiting, BATCH)):
            found = self._find_names(batch)
            self._names = {example.content_id: names for example, names in zip(batch, found, strict=True)}
            yield from batch

    def seconds_a_row(self, sample: Sequence[Example]) -> float:
        """How long it takes to look for names, as measured on a sample; 0 where nobody asked for it."""
        if not self._name_kinds or not sample:
            return 0.0
        self._find_names(sample[:1])  # reads the model
        started = time.perf_counter()
        self._find_names(sample)
        return (time.perf_counter() - started) / len(sample)

    def _find_names(self, examples: Sequence[Example]) -> list[tuple[Name, ...]]:
        return find_names([list(_readable(example)) for example in examples], self._name_kinds, self._stay)

    def _names_in(self, example: Example) -> tuple[Name, ...]:
        if not self._name_kinds:
            return ()
        names = self._names.get(example.content_id)
        return self._find_names([example])[0] if names is None else names

    def mask(self, example: Example) -> MaskedRow:
        """Replace the private values in the messages, the rejected answer and the tags. A label stays as it is."""
        if not self._on:
            return MaskedRow(example)
        names = self._names_in(example)
        if not names and not any(_may_hold(text) for text in _texts(example)):
            return MaskedRow(example)
        masker = self._masker.example(_texts(example), names)
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
        tags = [masker.mask(tag) for tag in example.tags]
        changes += [(f"tag {place}", change) for place, tag in enumerate(tags, 1) for change in tag.changes]
        if not changes:
            return MaskedRow(example)
        after = replace(
            example,
            messages=tuple(messages),
            rejected=rejected,
            tags=tuple(tag.text for tag in tags),
            content_id=content_hash(messages, rejected),
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
    yield from example.tags


def _readable(example: Example) -> Iterator[str]:
    """The texts as a person reads them: of JSON the fields, each with its name before it."""
    for text in _texts(example):
        value = _json(text)
        if value is None:
            yield text
        else:
            yield from _fields(value, "")


def _json(text: str) -> Any:
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _fields(value: Any, name: str) -> Iterator[str]:
    waiting = [(name, value)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(key, item) for key, item in value.items()]
        elif isinstance(value, list):
            waiting += [(name, item) for item in value]
        elif isinstance(value, str):
            yield f"{name}: {value}" if name else value


def choices(schema: Any) -> Iterator[str]:
    """The texts that a JSON schema lists as choices, and the names of its fields."""
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            listed_here = [*part["enum"]] if isinstance(part.get("enum"), list) else []
            yield from (one for one in [*listed_here, part.get("const")] if isinstance(one, str))
            if isinstance(part.get("properties"), dict):
                yield from part["properties"]
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part


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
