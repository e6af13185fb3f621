"""Read the calls of tools in what a model writes, while it writes. What is no call stays text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tunesmith.learners.causal_lm.call_form import CallForm
from tunesmith.tool_calls import Called


class FormReader:
    """Reads calls of a `CallForm` to one of the functions in ``names``."""

    def __init__(self, form: CallForm, names: Sequence[str]) -> None:
        self._form = form
        self._names = frozenset(names)
        self._open, self._close = form.open.strip(), form.close.strip()
        self._held = ""
        self._json: _JsonEnd | None = None
        self._closing = False
        self._began = False  # a text that is no call was begun: without a marker none comes behind it

    def add(self, text: str) -> list[str | Called]:
        """What is settled with this text: pieces of text, and whole calls, in their order."""
        self._held += text
        found: list[str | Called] = []
        while self._step(found):
            pass
        return found

    def end(self) -> list[str | Called]:
        """What was held back, when the answer is over."""
        rest, self._held = self._held, ""
        if self._closing and self._close.startswith(rest.strip()):
            return []
        return [rest] if rest.strip() else []

    def _step(self, found: list[str | Called]) -> bool:
        """Take what can be taken of the text that is held; False where more must come first."""
        if self._json is not None:
            return self._in_call(self._json, found)
        if self._closing and not self._closed():
            return False
        return self._with_marker(found) if self._open else self._without_marker(found)

    def _closed(self) -> bool:
        """Swallow what stands behind a call; False while it may yet come."""
        rest = self._held.lstrip()
        if len(rest) < len(self._close) and self._close.startswith(rest):
            return False
        self._closing = False
        self._held = rest.removeprefix(self._close).lstrip()
        return True

    def _with_marker(self, found: list[str | Called]) -> bool:
        before, marker, _ = self._held.partition(self._open)
        if marker:
            said = before.rstrip()
            self._say(said, found)
            self._held = self._held[len(said) :]
            self._json = _JsonEnd(len(before) - len(said) + len(marker))
            return True
        kept = len(before) - _overlap(before, self._open)
        kept = len(before[:kept].rstrip())
        self._held = before[kept:]
        self._say(before[:kept], found)
        return False

    def _without_marker(self, found: list[str | Called]) -> bool:
        rest = self._held.lstrip()
        if not self._began and not rest:
            return False
        if not self._began and rest[0] in "[{":
            self._held = rest
            self._json = _JsonEnd(0)
            return True
        self._say(self._held, found)
        self._held = ""
        return False

    def _in_call(self, json_end: _JsonEnd, found: list[str | Called]) -> bool:
        end = json_end.find(self._held)
        if end is None:
            return False
        self._json = None
        calls = self._calls(self._held[json_end.start : end]) if end else None
        if calls is None:
            end = end or json_end.start or 1
            self._say(self._held[:end], found)
        else:
            found += calls
            self._closing = True
        self._held = self._held[end:]
        return True

    def _say(self, text: str, found: list[str | Called]) -> None:
        if text:
            self._began = True
            found.append(text)

    def _calls(self, text: str) -> list[Called] | None:
        """The calls that a JSON text is; None where it is something else."""
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return None
        values = value if isinstance(value, list) else [value]
        calls = [self._call(one) for one in values]
        return [one for one in calls if one] if calls and all(calls) else None

    def _call(self, value: Any) -> Called | None:
        if not isinstance(value, Mapping):
            return None
        keys = (self._form.arguments_key, "arguments", "parameters")
        arguments = next((value[key] for key in keys if key in value), None)
        return called(value.get(self._form.name_key), arguments, self._names)


class TemplateReader:
    """Reads by the tokenizer's own description of its answers (``response_template`` of transformers)."""

    def __init__(self, parser: Any, names: Sequence[str]) -> None:
        self._parser = parser
        self._names = frozenset(names)
        self._raw: str | None = None  # of the call that is being written
        self._broken = False

    def add(self, text: str) -> list[str | Called]:
        """As `FormReader.add`."""
        if self._broken:
            return [text]
        if self._raw is not None:
            self._raw += text
        try:
            return self._found(self._parser.feed(text), text)
        except ValueError:  # a call that is not written as described
            return self._give_up(text)

    def end(self) -> list[str | Called]:
        if self._broken:
            return []
        try:
            _, events = self._parser.finalize()
            return self._found(events, "")
        except ValueError:
            return self._give_up("")

    def _give_up(self, text: str) -> list[str | Called]:
        self._broken = True
        return [one for one in (self._raw if self._raw is not None else text,) if one]

    def _found(self, events: Sequence[Mapping[str, Any]], text: str) -> list[str | Called]:
        found: list[str | Called] = []
        for event in events:
            kind, field = event["type"], event["field"]
            if field == "tool_calls" and kind == "region_open":
                self._raw = text
            if field == "tool_calls" and kind == "region_close":
                found += self._calls(event["value"])
                self._raw = None
            if field == "content" and kind == "region_chunk":
                found.append(event["text"])
        return found

    def _calls(self, value: Any) -> list[str | Called]:
        values = value if isinstance(value, list) else [value]
        functions = [one.get("function", one) if isinstance(one, Mapping) else {} for one in values]
        calls = [called(one.get("name"), one.get("arguments"), self._names) for one in functions]
        if calls and all(calls):
            return [one for one in calls if one]
        return [self._raw] if self._raw else []


def called(name: Any, arguments: Any, names: frozenset[str]) -> Called | None:
    """A call of one of the functions; None where it is none of them, or the arguments are no object."""
    try:
        value = json.loads(arguments) if isinstance(arguments, str) else arguments
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError):
        return None
    if not isinstance(name, str) or name not in names or not isinstance(value, dict):
        return None
    if any("\ud800" <= character <= "\udfff" for character in text):  # half a character
        return None
    return Called(name, text)


@dataclass
class _JsonEnd:
    """Finds where the JSON value ends that begins behind ``start``, in a text that grows; each character is looked at
    once."""

    start: int
    _at: int = -1
    _depth: int = 0
    _in_string: bool = False
    _escaped: bool = False

    def find(self, text: str) -> int | None:
        """The place behind its last bracket; None while more must come, 0 where no object or list begins."""
        self._at = max(self._at, self.start)
        while self._at < len(text):
            character = text[self._at]
            self._at += 1
            if self._depth == 0 and character not in "[{":
                if character.isspace():
                    continue
                return 0
            self._take(character)
            if self._depth == 0:
                return self._at
        return None

    def _take(self, character: str) -> None:
        if self._in_string:
            self._in_string = self._escaped or character != '"'
            self._escaped = character == "\\" and not self._escaped
        elif character == '"':
            self._in_string = True
        elif character in "[{":
            self._depth += 1
        elif character in "]}":
            self._depth -= 1


def _overlap(text: str, marker: str) -> int:
    """The length of the longest beginning of the marker that the text ends with."""
    return next((size for size in range(min(len(marker) - 1, len(text)), 0, -1) if text.endswith(marker[:size])), 0)
