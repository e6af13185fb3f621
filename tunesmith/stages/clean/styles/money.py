"""Styles `money` and `decimals`: where the sign of a currency stands, and the mark before the cents."""

from __future__ import annotations

import re
from typing import Literal

from tunesmith.stages.clean.styles.style import Forms, Style

_SIGN = r"€|\$|£|EUR|USD|GBP|CHF"
_NUMBER = r"\d{1,3}(?:[.,'’\u00a0]\d{3})+(?:[.,]\d{2})?|\d+(?:[.,]\d{2})?"
_AMOUNT = re.compile(
    rf"(?<![\w.,$€£])(?:(?P<before>{_SIGN})(?P<gap1>[ \u00a0]?)(?P<first>{_NUMBER})(?![\w.,]*\d)(?!\s?(?:{_SIGN}))"
    rf"|(?P<second>{_NUMBER})(?P<gap2>[ \u00a0]?)(?P<after>{_SIGN})(?![\w$€£]))"
)
_DECIMAL = re.compile(r"^(\d{1,3}(?:[.,'’\u00a0]\d{3})*|\d+)([.,])(\d{2})$")
_CURRENCY = {"€": "€", "EUR": "€", "£": "£", "GBP": "£", "$": "$", "USD": "USD", "CHF": "CHF"}
_FORMS = ("{sign}{number}", "{sign} {number}", "{number}{sign}", "{number} {sign}")


def sign_forms(text: str) -> Forms:
    """By currency; a text that has two forms of one currency says nothing."""
    found: dict[str, set[str]] = {}
    for match in _amounts(text):
        sign = match["before"] or match["after"]
        found.setdefault(_CURRENCY[sign], set()).add(_form(match).replace("{sign}", sign).replace("{number}", "5"))
    return {currency: seen.pop() for currency, seen in found.items() if len(seen) == 1}


def rewrite_signs(text: str, wanted: Forms) -> str:
    def better(match: re.Match[str]) -> str:
        form = wanted.get(_CURRENCY[match["before"] or match["after"]])
        number = match["first"] or match["second"]
        return re.sub("5", lambda _: number, form, count=1) if form else match.group()

    return _AMOUNT.sub(better, text) if _has_sign(text) else text


def mark_forms(text: str) -> Forms:
    seen = {mark for match in _amounts(text) if (mark := _mark(match["first"] or match["second"]))}
    return {"": seen.pop()} if len(seen) == 1 else {}


def rewrite_marks(text: str, wanted: Forms) -> str:
    def better(match: re.Match[str]) -> str:
        number = match["first"] or match["second"]
        mark = wanted.get("")
        if mark is None or _mark(number) in (None, mark):
            return match.group()
        swapped = number.translate(str.maketrans(".,", ",."))
        return match.group().replace(number, swapped, 1)

    return _AMOUNT.sub(better, text) if _has_sign(text) else text


def _has_sign(text: str) -> bool:
    return "€" in text or "$" in text or "£" in text or "EUR" in text or "USD" in text or "GBP" in text or "CHF" in text


def _amounts(text: str) -> list[re.Match[str]]:
    return list(_AMOUNT.finditer(text)) if _has_sign(text) else []


def _form(match: re.Match[str]) -> str:
    if match["before"]:
        return _FORMS[1] if match["gap1"] else _FORMS[0]
    return _FORMS[3] if match["gap2"] else _FORMS[2]


def _mark(number: str) -> Literal[".", ","] | None:
    """The mark before the cents. 1.234 says nothing: it may be a thousand."""
    found = _DECIMAL.match(number)
    if found is None or found[2] in found[1]:
        return None
    return "." if found[2] == "." else ","


STYLE = Style("money", sign_forms, rewrite_signs, {})
DECIMALS = Style("decimals", mark_forms, rewrite_marks, {".": "5.00", ",": "5,00"})
