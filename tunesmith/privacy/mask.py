"""Mask the private values of an example: the same value gets the same placeholder in all of its texts."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from tunesmith.privacy.fake import fake
from tunesmith.privacy.find import PLACEHOLDER, REGIONS, find
from tunesmith.privacy.names import Name
from tunesmith.privacy.span import KINDS, Kind, Span

Choice = Literal["mask", "fake", "set_aside", "keep"]
CHOICES: tuple[Choice, ...] = get_args(Choice)


@dataclass(frozen=True, slots=True)
class Change:
    """One replacement: ``start`` is its place in the text before it. The original is in no repr."""

    kind: Kind
    start: int
    replacement: str
    original: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Masked:
    """A text without private values. ``layers`` are the changes that were made one after the other.

    ``rewritten`` is the text before, where the values inside a JSON text were changed and not the text itself.
    """

    text: str
    layers: tuple[tuple[Change, ...], ...] = ()
    rewritten: str | None = field(default=None, repr=False)

    @property
    def changes(self) -> list[Change]:
        return [change for layer in self.layers for change in layer]

    def restored(self) -> str:
        """The text as it was."""
        if self.rewritten is not None:
            return self.rewritten
        text = self.text
        for layer in reversed(self.layers):
            pieces, at, shift = [], 0, 0
            for change in layer:
                start = change.start + shift
                pieces += [text[at:start], change.original]
                at = start + len(change.replacement)
                shift += len(change.replacement) - len(change.original)
            text = "".join((*pieces, text[at:]))
        return text


@dataclass(frozen=True)
class Masker:
    """What to do with which kind, for all examples of a project. ``seed`` decides the fakes."""

    choices: Mapping[Kind, Choice] = field(default_factory=lambda: dict.fromkeys(KINDS, "mask"))
    regions: Sequence[str] = REGIONS
    seed: int = 0

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds that are looked for."""
        return frozenset(kind for kind, choice in self.choices.items() if choice != "keep")

    def example(self, texts: Iterable[str], names: Sequence[Name] = ()) -> ExampleMasker:
        """A masker for one example with these texts, and the names that were found in them."""
        return ExampleMasker(self, texts, names)


def masked_text(text: str) -> str:
    """A text alone with all that is private masked: for messages and reports."""
    return Masker().example([text]).mask(text).text


class ExampleMasker:
    """Mask the texts of one example, one after the other."""

    def __init__(self, masker: Masker, texts: Iterable[str], names: Sequence[Name] = ()) -> None:
        self._masker = masker
        self._names = names
        self._kinds = masker.kinds
        #: Placeholders that the example came with stand for something else.
        self._taken = {found[0] for text in texts if "[" in text for found in PLACEHOLDER.finditer(text)}
        self._given: dict[tuple[Kind, str], str] = {}
        self._last: dict[Kind, int] = {}

    def know(self, names: Sequence[Name]) -> None:
        """Look for these names too."""
        self._names = (*self._names, *(name for name in names if name not in self._names))

    def mask(self, text: str, before: str = "", after: str = "") -> Masked:
        """Mask one text. ``before`` is what a person would read before it (the name of its field), ``after`` what
        follows: both stay as they are, and no value reaches from the text into what follows."""
        layers: list[tuple[Change, ...]] = []
        done: list[tuple[int, int]] = []
        while spans := _outside(done, self._find(text, before, after)):
            layer = tuple(self._change(text, span) for span in spans)
            text, done = _replaced(text, layer, done)
            layers.append(layer)
        return Masked(text, tuple(layers))

    def _find(self, text: str, before: str, after: str) -> list[Span]:
        if not before and not after:
            return find(text, self._kinds, self._masker.regions, self._names)
        shift = len(before)
        found = find(before + text + after, self._kinds, self._masker.regions, self._names)
        return [
            Span(span.kind, max(0, span.start - shift), min(len(text), span.end - shift), span.key)
            for span in found
            if span.end > shift and span.start < shift + len(text)
        ]

    def _change(self, text: str, span: Span) -> Change:
        value = text[span.start : span.end]
        return Change(span.kind, span.start, self._stand_in(span, value), value)

    def _stand_in(self, span: Span, value: str) -> str:
        if self._masker.choices[span.kind] == "fake":
            return fake(span.kind, value, span.key, self._masker.seed)
        key = (span.kind, span.key)
        while key not in self._given:
            number = self._last[span.kind] = self._last.get(span.kind, 0) + 1
            placeholder = f"[{span.kind.upper()}_{number}]"
            if placeholder not in self._taken:
                self._given[key] = placeholder
        return self._given[key]

    def mask_json(self, value: Any, schema: Any = None, name: str = "") -> tuple[Any, list[Change]]:
        """Mask the texts and long numbers in a JSON value; what the schema lists as a choice stays as it is."""
        rules = schema if isinstance(schema, Mapping) else {}
        if isinstance(value, dict):
            return self._mask_object(value, rules)
        if isinstance(value, list):
            pairs = [self.mask_json(item, rules.get("items"), name) for item in value]
            return [item for item, _ in pairs], [change for _, changes in pairs for change in changes]
        if value in rules.get("enum", ()) or ("const" in rules and value == rules["const"]):
            return value, []
        if isinstance(value, str):
            masked = self.mask(value, f"{name}: " if name else "")
            return masked.text, masked.changes
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**6:
            return self._mask_number(value, name)
        return value, []

    def _mask_object(self, value: dict[str, Any], rules: Mapping[str, Any]) -> tuple[dict[str, Any], list[Change]]:
        properties = rules.get("properties", {})
        masked: dict[str, Any] = {}
        changes: list[Change] = []
        for key, item in value.items():
            name = key
            if key not in properties:
                renamed = self.mask(key)
                name, changes = renamed.text, changes + renamed.changes
            while name in masked:  # two spellings of one value
                name += "'"
            masked[name], more = self.mask_json(item, properties.get(key), key)
            changes += more
        return masked, changes

    def _mask_number(self, value: int, name: str) -> tuple[Any, list[Change]]:
        masked = self.mask(str(value), f"{name}: " if name else "")
        if not masked.layers:
            return value, []
        return int(masked.text) if masked.text.isdecimal() else masked.text, masked.changes

    def mask_either(self, text: str) -> Masked:
        """Mask one text; where it is JSON and would not be after that, the values in it are masked instead."""
        masked = self.mask(text)
        if not masked.layers or text.lstrip()[:1] not in ("{", "["):
            return masked
        value = _parsed(text)
        if value is None or _parsed(masked.text) is not None:
            return masked
        inside, changes = self.mask_json(value)
        written = json.dumps(inside, ensure_ascii=False)
        return Masked(written, (tuple(changes),), text)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _outside(done: list[tuple[int, int]], spans: list[Span]) -> list[Span]:
    """The spans that overlap none of the places, which are sorted."""
    ends = [end for _, end in done]
    return [
        span for span in spans if (place := bisect_right(ends, span.start)) == len(done) or span.end <= done[place][0]
    ]


def _replaced(text: str, layer: tuple[Change, ...], done: list[tuple[int, int]]) -> tuple[str, list[tuple[int, int]]]:
    """The text after the changes, and where all that was put in stands in it."""
    pieces, at, shift = [], 0, 0
    places = []
    edits = []
    for change in layer:
        end = change.start + len(change.original)
        pieces += [text[at : change.start], change.replacement]
        places.append((change.start + shift, change.start + shift + len(change.replacement)))
        shift += len(change.replacement) - len(change.original)
        edits.append((end, shift))
        at = end
    afters = [end for end, _ in edits]
    for start, end in done:
        place = bisect_right(afters, start)
        moved = edits[place - 1][1] if place else 0
        places.append((start + moved, end + moved))
    return "".join((*pieces, text[at:])), sorted(places)
