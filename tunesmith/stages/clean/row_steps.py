"""The steps that look at one row alone, in their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tunesmith.errors import InputError
from tunesmith.example import Example
from tunesmith.json_schema import SIMPLER, SlowPattern
from tunesmith.products import GoalSheet
from tunesmith.similarity.normal_form import fingerprint, normalise
from tunesmith.stages.clean import empty, structure, too_long
from tunesmith.stages.clean.json_layout import canonical, comparable, parse
from tunesmith.stages.clean.label_spelling import Spellings, enum_spellings, mend_enums
from tunesmith.stages.clean.off_goal import LabelCheck, SchemaCheck
from tunesmith.stages.clean.private_data import MaskedRow, PrivateData
from tunesmith.stages.clean.settings import CleanSettings
from tunesmith.stages.clean.shorten import shorten


@dataclass(frozen=True, slots=True)
class Remark:
    """What a step found or did: its code, and the evidence."""

    code: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A row after the steps: ``fixes`` made it what it is now, ``fault`` speaks against keeping it.

    ``flags`` are what a person should look at; they change nothing.
    ``value`` is the answer as parsed, for output json. ``private`` is the row after masking alone.
    """

    example: Example
    fixes: tuple[Remark, ...] = ()
    fault: Remark | None = None
    value: Any = None
    private: MaskedRow | None = None
    flags: tuple[Remark, ...] = ()


class RowSteps:
    """The row-by-row steps for one goal and its settings. The same row always gives the same result."""

    def __init__(self, goal: GoalSheet, settings: CleanSettings, seed: int = 0) -> None:
        self._goal = goal
        self._private = PrivateData(goal, settings, seed)
        self._drop = frozenset(settings.drop)
        self._fix = frozenset(settings.fix)
        self._max_characters = settings.max_characters
        self._spellings = Spellings.of(goal.labels)
        self._labels = LabelCheck(goal.labels)
        self._enums = enum_spellings(goal.schema)
        self._schema = SchemaCheck(goal.schema if goal.output == "json" else None)

    def prepared(self, examples: Iterable[Example]) -> Iterator[Example]:
        """The same examples, of which `check` is faster where it was done for many at once."""
        return self._private.prepared(examples)

    def seconds_for_names(self, sample: Sequence[Example], rows: int) -> float:
        """How long one core will look for names in so many rows."""
        return self._private.seconds_a_row(sample) * rows

    def check(self, example: Example) -> Checked:
        """Mask, then mend what can be mended; the first fault that `clean.drop` names is the row's fault."""
        masked = self._private.mask(example)
        checked = self._check(masked.example)
        if not masked.found:
            return checked
        found = tuple(Remark(one.code, one.evidence) for one in masked.found)
        fault = checked.fault
        if masked.set_aside and (fault is None or fault.code != "structure"):
            first = masked.set_aside[0]
            fault = Remark(first.code, first.evidence)
        elif fault is not None and fault.code == "off_goal" and not self._check(example).fault:
            advice = "masking made it so: see clean.private, where `fake` keeps the form of a value"
            fault = Remark(fault.code, f"{fault.evidence} ({advice})")
        return replace(checked, fixes=(*found, *checked.fixes), fault=fault, private=masked)

    def _check(self, example: Example) -> Checked:
        if evidence := structure.fault(example):
            return Checked(example, fault=Remark("structure", evidence))
        fault = self._fault("empty", empty.fault(example))
        fault = fault or self._fault("too_long", too_long.fault(example, self._max_characters))
        if fault or self._goal.output == "text":
            return Checked(example, fault=fault)
        return self._check_label(example) if self._goal.output == "label" else self._check_json(example)

    def _fault(self, code: str, evidence: str | None) -> Remark | None:
        return Remark(code, evidence) if evidence and code in self._drop else None

    def _check_label(self, example: Example) -> Checked:
        answer = example.answer or ""
        fixes: tuple[Remark, ...] = ()
        if "label_spelling" in self._fix and (better := self._spellings.mend(answer)) != answer:
            fixes = (Remark("label_spelling", f"{shorten(answer)} → {shorten(better)}"),)
            example, answer = example.with_answer(better), better
        return Checked(example, fixes, self._fault("off_goal", self._labels.fault(answer)))

    def _check_json(self, example: Example) -> Checked:
        text = example.answer or ""
        try:
            value = parse(text)
        except ValueError as error:
            return Checked(example, fault=self._fault("off_goal", f"the answer is not JSON: {error}"))
        if fault := self._fault("empty", empty.json_fault(value)):
            return Checked(example, fault=fault)
        try:
            fixes: tuple[Remark, ...] = ()
            if isinstance(value, dict):
                value, text, fixes = self._mend_json(value, text)
            fault = self._fault("off_goal", self._schema.fault(value))
        except RecursionError:
            return Checked(example, fault=self._fault("off_goal", "the answer is nested too deeply"))
        except SlowPattern as slow:
            raise InputError("slow_pattern", f"{slow} in the answer", example.source.where, SIMPLER) from None
        return Checked(example.with_answer(text) if fixes else example, fixes, fault, value)

    def _mend_json(self, value: dict[str, Any], text: str) -> tuple[dict[str, Any], str, tuple[Remark, ...]]:
        fixes = []
        if "label_spelling" in self._fix:
            value, changes = mend_enums(value, self._enums)
            if changes:
                fixes.append(Remark("label_spelling", changes))
                text = canonical(value, self._goal.schema)
        if "json_layout" in self._fix and (written := canonical(value, self._goal.schema)) != text:
            fixes.append(Remark("json_layout", "written in one layout, with the keys in the schema's order"))
            text = written
        return value, text, tuple(fixes)

    def fingerprints(self, checked: Checked) -> tuple[bytes, bytes]:
        """What goes in and what comes out as 16 bytes each, equal for rows that a person would call the same."""
        example = checked.example
        media = [part.blob or "" for message in example.prompt for part in message.parts if part.kind != "text"]
        given = fingerprint(normalise(example.system or ""), normalise(example.input), *media)
        rejected = [] if example.rejected is None else [normalise(example.rejected)]
        return given, fingerprint(self._comparable(checked), *rejected)

    def _comparable(self, checked: Checked) -> str:
        answer = checked.example.answer or ""
        if self._goal.output == "label" and answer in self._spellings.known:
            return f"label {answer}"  # two labels may differ by their case alone
        if checked.value is not None:
            try:
                return normalise(comparable(checked.value))
            except RecursionError:
                pass
        return normalise(answer)
