"""The goal's own rules for answers: words that must or must not be there, length, form, language.

Examples are held against them by `clean`, a model's answers by `test`.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import regex
from jsonschema.exceptions import best_match
from referencing.exceptions import Unresolvable

from tunesmith.allowed_code import function_of
from tunesmith.errors import InputError
from tunesmith.json_schema import PATTERN_SECONDS, SIMPLER, SlowPattern, validator
from tunesmith.language import is_other, known_languages, language_of
from tunesmith.products import Rule
from tunesmith.scoring.reading_level import grade
from tunesmith.scoring.statistic import Mean, Statistic
from tunesmith.scoring.words import words

SHOWN = 40

#: What is no JSON, or was not read as such.
_NO_VALUE = object()
_Check = Callable[[str], str | None]


@dataclass(frozen=True)
class _Piece:
    """What a rule is about: a text, what it is as JSON, and the input that it answers."""

    text: str
    value: Any
    input: str


_Look = Callable[[_Piece], str | None]


class RuleCheck:
    """Whether answers keep to the rules. ``is_json``: answers are JSON objects, and rules may be about their fields."""

    def __init__(self, rules: Sequence[Rule], is_json: bool = False) -> None:
        self._rules = [(rule.field, list(_looks(rule, number))) for number, rule in enumerate(rules)]
        self._is_json = is_json

    def __bool__(self) -> bool:
        return bool(self._rules)

    def faults(self, answer: str, value: Any = None, input: str = "") -> list[str]:
        """Say which rules the answer breaks, and how. ``value`` is a JSON answer as parsed, where that was done;
        ``input`` is what it answers, for rules in Python.

        Raises InputError ``slow_pattern`` for a pattern that takes too long, ``rule_failed`` for
        Python code that fails.
        """
        if self._is_json and value is None:
            value = _parsed(answer)
        return [
            f"{name}{fault}"
            for field, looks in self._rules
            for name, piece in self._pieces(field, answer, value, input)
            for look in looks
            if (fault := look(piece))
        ]

    def _pieces(self, field: str | None, answer: str, value: Any, input: str) -> Iterator[tuple[str, _Piece]]:
        """What a rule is about, with what it is called. A field that is not there breaks no rule: the schema asks."""
        if field is not None:
            if isinstance(value, dict) and value.get(field) is not None:
                yield f"{field}: ", _Piece(_written(value[field]), value[field], input)
        elif self._is_json and isinstance(value, dict):
            yield "", _Piece("\n".join(map(_written, value.values())), value, input)
        else:
            yield "", _Piece(answer, _NO_VALUE, input)


def measure_rules(
    answers: Sequence[str], rules: Sequence[Rule], *, is_json: bool, inputs: Sequence[str] | None = None
) -> dict[str, Statistic]:
    """``rules_kept``: the share of answers that break none of the rules.

    A pattern that takes too long or Python code that fails is not kept, nor is anything by what should be a JSON
    object and is none. Raises ValueError when a rule in Python is given no ``inputs``.
    """
    check = RuleCheck(rules, is_json)
    if inputs is None and any(rule.python for rule in rules):
        raise ValueError("a rule in Python is called with answer and input, and there are no inputs")

    def keeps(answer: str, input: str) -> bool:
        value = _parsed(answer) if is_json else None
        if is_json and not isinstance(value, dict):
            return False
        try:
            return not check.faults(answer, value, input)
        except InputError:  # the rule was fast on every example: it is this answer that it cannot read
            return False

    return {
        "rules_kept": Mean(
            np.array([float(keeps(*pair)) for pair in zip(answers, inputs or [""] * len(answers), strict=True)])
        )
    }


def _parsed(answer: str) -> Any:
    try:
        return json.loads(answer)
    except (ValueError, RecursionError):
        return None


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _looks(rule: Rule, number: int) -> Iterator[_Look]:
    for check in _checks(rule, number):
        yield _of_text(check)
    if rule.schema is not None:
        yield _schema(rule.schema, f"goal.rules.{number}.schema")
    if rule.python is not None:
        yield _python(rule.code or "", rule.python, f"goal.rules.{number}.python")


def _of_text(check: _Check) -> _Look:
    return lambda piece: check(piece.text)


def _checks(rule: Rule, number: int) -> Iterator[_Check]:
    """One check for each thing that the rule asks for."""
    for phrase in rule.contains:
        yield _contains(phrase, True)
    for phrase in rule.never_contains:
        yield _contains(phrase, False)
    if rule.starts_with:
        yield _begins(rule.starts_with)
    if rule.ends_with:
        yield _ends(rule.ends_with)
    if rule.one_of:
        yield _one_of(rule.one_of)
    if rule.matches is not None:
        yield _matches(rule.matches, f"goal.rules.{number}.matches", True)
    if rule.never_matches is not None:
        yield _matches(rule.never_matches, f"goal.rules.{number}.never_matches", False)
    if rule.at_least_words is not None or rule.at_most_words is not None:
        yield _length(rule.at_least_words, rule.at_most_words)
    if rule.language is not None:
        yield _language(rule.language)
    if rule.at_most_grade is not None:
        yield _reading_level(rule.at_most_grade)


def _contains(phrase: str, wanted: bool) -> _Check:
    """Whole words in any case: "art" is not in "party"."""
    bare = phrase.strip()
    before = r"(?<!\w)" if bare[0].isalnum() else ""
    after = r"(?!\w)" if bare[-1].isalnum() else ""
    spaced = r"[\s\x1c-\x1f]+".join(  # what str.split takes for space
        map(regex.escape, bare.split())
    )
    pattern = regex.compile(f"{before}{spaced}{after}", regex.IGNORECASE)

    def check(text: str) -> str | None:
        found = pattern.search(text)
        if wanted:
            return None if found else f'"{bare}" is not there'
        return f'"{found.group()}" must not be there' if found else None

    return check


def _begins(beginnings: tuple[str, ...]) -> _Check:
    def check(text: str) -> str | None:
        if text.lstrip().startswith(beginnings):
            return None
        return f"it begins with {_cut(text.strip())}, not with {_any(beginnings)}"

    return check


def _ends(ends: tuple[str, ...]) -> _Check:
    def check(text: str) -> str | None:
        bare = text.rstrip()
        return None if bare.endswith(ends) else f'it ends with "…{bare[-SHOWN:]}", not with {_any(ends)}'

    return check


def _one_of(known: tuple[str, ...]) -> _Check:
    def check(text: str) -> str | None:
        return None if text.strip() in known else f"{_cut(text)} is not one of {_any(known)}"

    return check


def _matches(written: str, where: str, wanted: bool) -> _Check:
    pattern = regex.compile(written)

    def check(text: str) -> str | None:
        try:
            found = pattern.search(text, timeout=PATTERN_SECONDS)
        except TimeoutError:
            raise InputError(
                "slow_pattern",
                f"this pattern takes more than {PATTERN_SECONDS:g} s on one answer of {len(text):,} characters",
                f"tunesmith.yaml: {where}",
                "a repetition within a repetition, such as (a+)+, does that: write it with one",
            ) from None
        if wanted:
            return None if found else f"the pattern {_cut(written)} is not found"
        return f"{_cut(found.group())} matches the pattern {_cut(written)}" if found else None

    return check


def _length(least: int | None, most: int | None) -> _Check:
    def check(text: str) -> str | None:
        count = len(words(text))
        if least is not None and count < least:
            return f"{_words(count)}, fewer than {least}"
        return f"{_words(count)}, more than {most}" if most is not None and count > most else None

    return check


def _words(count: int) -> str:
    return f"{count:,} word{'' if count == 1 else 's'}"


def _language(code: str) -> _Check:
    name = known_languages().get(code, code)

    def check(text: str) -> str | None:
        found = language_of(text, code)
        if found is None or not is_other(found.code, code):
            return None
        return f"it looks {found.name} ({found.share}% of it), not {name}"

    return check


def _reading_level(most: float) -> _Check:
    def check(text: str) -> str | None:
        found = grade(text)
        return f"it reads like school grade {found:.1f}, above {most:g}" if found is not None and found > most else None

    return check


def _schema(schema: dict[str, Any], where: str) -> _Look:
    checks = validator(schema)

    def look(piece: _Piece) -> str | None:
        value = piece.value
        if value is _NO_VALUE:
            try:
                value = json.loads(piece.text)
            except (ValueError, RecursionError):
                return f"{_cut(piece.text)} is no JSON"
        try:
            error = best_match(checks.iter_errors(value))
        except SlowPattern as slow:
            raise InputError("slow_pattern", str(slow), f"tunesmith.yaml: {where}", SIMPLER) from None
        except Unresolvable as unknown:
            what = f"the rule's schema refers to what is not in it ({unknown})"
            raise InputError("bad_schema", what, f"tunesmith.yaml: {where}", "put it below $defs") from unknown
        except RecursionError:
            return "it is nested too deeply"
        return f"{error.json_path}: {error.message[: 4 * SHOWN]}" if error is not None else None

    return look


def _python(code: str, place: str, where: str) -> _Look:
    """The user's own function: true or None keeps the rule, false breaks it, a text says how."""
    function = function_of(code, place, f"tunesmith.yaml: {where}")

    def look(piece: _Piece) -> str | None:
        try:
            said = function(piece.text, piece.input)
        except Exception as error:
            line = traceback.extract_tb(error.__traceback__)[-1]
            raise InputError(
                "rule_failed",
                f"{place} ended with {type(error).__name__}: {error} for the answer {_cut(piece.text)}",
                f"{line.filename}:{line.lineno}",
                "mend the function: it must say something about every answer",
            ) from error
        if said is True or said is None or said == "":
            return None
        if said is not False and not isinstance(said, str):
            what = f"{place} returned {type(said).__name__}"
            raise InputError("rule_failed", what, f"tunesmith.yaml: {where}", "return true, false or what is wrong")
        return said if isinstance(said, str) else f"{place} says no"

    return look


def _cut(text: str) -> str:
    return f'"{text[:SHOWN]}{"…" if len(text) > SHOWN else ""}"'


def _any(texts: tuple[str, ...]) -> str:
    shown = [f'"{text}"' for text in texts[:3]]
    more = f" or {len(texts) - 3} more" if len(texts) > 3 else ""
    return " or ".join(shown) + more
