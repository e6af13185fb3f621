"""A test row with what was asked for and what each model answered, laid out for reading."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from tunesmith.example import Example
from tunesmith.products import GoalSheet
from tunesmith.scoring.json_answers import NOT_JSON, field_scores, parse
from tunesmith.stages.test.answers import TUNED
from tunesmith.stages.test.scored import Scored

LONGEST_SHOWN = 1500  # characters
#: From this score on an answer is near enough to its reference for single words to be marked.
ALIKE = 0.5

_WORDS = re.compile(r"\S+\s*|\s+")


@dataclass(frozen=True)
class Span:
    """A piece of a line; ``off`` where it differs from the reference."""

    text: str
    off: bool = False


@dataclass(frozen=True)
class Line:
    spans: tuple[Span, ...]

    @property
    def text(self) -> str:
        return "".join(span.text for span in self.spans)


@dataclass(frozen=True)
class Shown:
    """One answer: its lines, its score (0 to 1) and, where there is one, a remark."""

    lines: tuple[Line, ...]
    score: float
    confidence: float
    remark: str = ""


@dataclass(frozen=True)
class WorstRow:
    id: str
    where: str
    input: str
    reference: tuple[Line, ...]
    answers: tuple[tuple[str, Shown], ...]


def side_by_side(
    rows: Sequence[Example],
    references: Sequence[str],
    scored: Mapping[str, Scored],
    worst: Sequence[int],
    goal: GoalSheet,
    rival: str,
) -> list[WorstRow]:
    """The given rows, each with the rival's and the tuned model's answer."""
    return [
        WorstRow(
            rows[index].id,
            rows[index].source.where,
            clipped(rows[index].input),
            _reference(references[index], goal),
            tuple((name, _shown(scored[name], index, references[index], goal)) for name in (rival, TUNED)),
        )
        for index in worst
    ]


def _reference(reference: str, goal: GoalSheet) -> tuple[Line, ...]:
    value = parse(reference) if goal.output == "json" else NOT_JSON
    return _plain(reference) if value is NOT_JSON else _fields(value, {}, {})


def _shown(scored: Scored, index: int, reference: str, goal: GoalSheet) -> Shown:
    answer, score = scored.answers[index], float(scored.by_row[index])
    remarks = [] if answer.finished else ["cut at the length limit"]
    given = parse(answer.text) if goal.output == "json" else NOT_JSON
    if not answer.text.strip():
        lines = _lines([Span("(nothing)", True)])
    elif goal.output == "label":
        lines = _lines([Span(clipped(answer.text), score < 1)])
    elif given is not NOT_JSON:
        due = parse(reference)
        lines = _fields(given, due, field_scores(due, given, goal.schema))
    elif goal.output == "text" and score >= ALIKE:
        lines = _lines(differing(clipped(answer.text), clipped(reference)))
    else:
        lines = _plain(answer.text)
    if goal.output == "json" and given is NOT_JSON:
        remarks.insert(0, "not JSON")
    return Shown(lines, score, answer.confidence, "; ".join(remarks))


def _plain(text: str) -> tuple[Line, ...]:
    return _lines([Span(clipped(text))])


def _fields(value: Any, reference: Any, marks: Mapping[str, float]) -> tuple[Line, ...]:
    """Indented JSON, the fields in the reference's order; what is not fully right is marked."""
    if not isinstance(value, dict):
        return _lines([Span(clipped(_indented(value)), bool(marks))])
    due = reference if isinstance(reference, dict) else {}
    names = [*(name for name in due if name in value), *(name for name in value if name not in due)]
    spans = [Span("{\n")]
    for position, name in enumerate(names):
        text, score = clipped(_indented(value[name])).replace("\n", "\n  "), marks.get(name, 1.0)
        if ALIKE <= score < 1 and name in due:
            inner = differing(text, _indented(due[name]).replace("\n", "\n  "))
        else:
            inner = [Span(text, score < 1)]
        comma = "," if position < len(names) - 1 else ""
        spans += [Span(f"  {clipped(_indented(name))}: "), *inner, Span(f"{comma}\n")]
    return _lines([*spans, Span("}")])


def differing(text: str, reference: str) -> list[Span]:
    """The text cut into spans, those marked whose words the reference does not have at that place."""
    ours, theirs = _WORDS.findall(text), _WORDS.findall(reference)
    spans: list[Span] = []
    for kind, start, end, _, _ in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        piece = "".join(ours[start:end])
        words = piece.rstrip()
        spans += [Span(words, kind != "equal"), Span(piece[len(words) :])]
    return [span for span in spans if span.text]


def _lines(spans: Sequence[Span]) -> tuple[Line, ...]:
    """Break spans at line ends; marks do not cover the indentation."""
    lines: list[list[Span]] = [[]]
    for span in spans:
        for number, piece in enumerate(span.text.split("\n")):
            if number:
                lines.append([])
            blank = len(piece) - len(piece.lstrip(" ")) if span.off and not lines[-1] else 0
            lines[-1] += [Span(text, off) for text, off in ((piece[:blank], False), (piece[blank:], span.off)) if text]
    return tuple(Line(tuple(line)) for line in lines)


def _indented(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def clipped(text: str, longest: int = LONGEST_SHOWN) -> str:
    """The text's beginning, with a word on how much is left out."""
    text = readable(text)
    return text if len(text) <= longest else f"{text[:longest]} … ({len(text) - longest:,} more characters)"


def readable(text: str) -> str:
    """Text that can be written as UTF-8 and shown: lone surrogates and control characters are replaced."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(character if character >= " " or character in "\n\t" else "\ufffd" for character in text)
