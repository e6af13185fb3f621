"""The steps that look at one row, in their order. What is usual in the set they learn from a survey before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tunesmith.errors import InputError
from tunesmith.example import Example
from tunesmith.json_schema import SIMPLER, SlowPattern
from tunesmith.products import GoalSheet, UnevenFormat
from tunesmith.scoring.rules import RuleCheck
from tunesmith.similarity.normal_form import fingerprint, normalise
from tunesmith.stages.clean import empty, structure, too_long
from tunesmith.stages.clean.encoding import EncodingMender
from tunesmith.stages.clean.json_layout import comparable, parse
from tunesmith.stages.clean.label_spelling import Spellings
from tunesmith.stages.clean.looks import Looks
from tunesmith.stages.clean.mending import Mender
from tunesmith.stages.clean.off_goal import LabelCheck, SchemaCheck
from tunesmith.stages.clean.private_data import MaskedRow, PrivateData
from tunesmith.stages.clean.remark import Remark
from tunesmith.stages.clean.settings import CleanSettings
from tunesmith.stages.clean.shorten import listed, shorten, writable
from tunesmith.stages.clean.texts import RowTexts, texts_of
from tunesmith.stages.clean.uneven import Uneven


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


@dataclass(frozen=True, slots=True)
class Learned:
    """What a survey taught: other processes are given it, and judge the same."""

    looks: Looks
    uneven: Uneven


class RowSteps:
    """The row-by-row steps for one goal and its settings. The same row always gives the same result."""

    def __init__(self, goal: GoalSheet, settings: CleanSettings, seed: int = 0, learned: Learned | None = None) -> None:
        self._goal = goal
        self._private = PrivateData(goal, settings, seed)
        self._drop = frozenset(settings.drop)
        self._fix = frozenset(settings.fix)
        self._max_characters = settings.max_characters
        self._encoding = EncodingMender(goal) if "encoding" in self._fix else None
        self._spellings = Spellings.of(goal.labels)
        self._labels = LabelCheck(goal.labels)
        self._schema = SchemaCheck(goal.schema if goal.output == "json" else None)
        self._rules = RuleCheck(goal.rules if "rules" in self._drop else (), goal.output == "json")
        self.learned = learned or Learned(Looks(settings), Uneven(settings))
        self._looks, self._uneven = self.learned.looks, self.learned.uneven
        self._mender = Mender(goal, settings, self._looks.markup, self._uneven)
        self._surveying = False

    def survey(self, examples: Iterable[Example]) -> list[UnevenFormat]:
        """Learn from these rows what is usual in the set. Returns what is written in several ways."""
        self._surveying = True
        for example in examples:
            checked = self.check(example)
            if checked.fault is None:
                row = self._texts(checked)
                self._looks.note(row)
                self._uneven.note(row)
        self._looks.settle()
        self._uneven.settle()
        self._surveying = False
        return self._uneven.findings()

    def prepared(self, examples: Iterable[Example]) -> Iterator[Example]:
        """The same examples, of which `check` is faster where it was done for many at once."""
        return self._private.prepared(examples)

    def seconds_for_names(self, sample: Sequence[Example], rows: int) -> float:
        """How long one core will look for names in so many rows."""
        return self._private.seconds_a_row(sample) * rows

    def check(self, example: Example) -> Checked:
        """Mend the encoding, mask, then mend what can be mended; the first fault that `clean.drop` names counts."""
        example, broken = self._encoding.mend(example) if self._encoding else (example, None)
        masked = self._private.mask(example)
        checked = self._check(masked.example)
        if masked.found:
            checked = self._with_private(example, masked, checked)
        if broken:  # of a row with private data not even the characters are told
            told = Remark("encoding", "read in the wrong encoding" if masked.found else broken)
            checked = replace(checked, fixes=(told, *checked.fixes))
        return checked

    def _with_private(self, example: Example, masked: MaskedRow, checked: Checked) -> Checked:
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
        if fault:
            return Checked(example, fault=fault)
        example, fixes = self._mender.messages(example)
        if self._goal.output == "text":
            checked = Checked(example)
        else:
            checked = self._check_label(example) if self._goal.output == "label" else self._check_json(example)
        checked = checked if checked.fault else self._judged(checked)
        return replace(checked, fixes=(*fixes, *checked.fixes)) if fixes else checked

    def _fault(self, code: str, evidence: str | None) -> Remark | None:
        return Remark(code, evidence) if evidence and code in self._drop else None

    def _judged(self, checked: Checked) -> Checked:
        """Hold the row against the goal's rules, and look at its texts."""
        if self._rules and (
            broken := self._rules.faults(checked.example.answer or "", checked.value, checked.example.input)
        ):
            return replace(checked, fault=Remark("rules", writable(listed(broken))))
        if self._surveying:
            return checked
        row = self._texts(checked)
        if found := self._looks.fault(row):
            return replace(checked, fault=Remark(*found))
        flags = tuple(Remark(*found) for found in self._looks.flags(row))
        return replace(checked, flags=flags) if flags else checked

    def _texts(self, checked: Checked) -> RowTexts:
        return texts_of(checked.example, self._goal.output, checked.value, self._mender.listed)

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
                value, text, fixes = self._mender.json(value, text)
            fault = self._fault("off_goal", self._schema.fault(value))
        except RecursionError:
            return Checked(example, fault=self._fault("off_goal", "the answer is nested too deeply"))
        except SlowPattern as slow:
            raise InputError("slow_pattern", f"{slow} in the answer", example.source.where, SIMPLER) from None
        return Checked(example.with_answer(text) if fixes else example, fixes, fault, value)

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
