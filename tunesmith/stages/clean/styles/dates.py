"""Style `dates`: fields of JSON that hold a date, in one form. Where day and month cannot be told, nothing changes."""

from __future__ import annotations

import re
from datetime import date

_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_ORDERED: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("2024-03-31", re.compile(r"(?P<y>\d{4})-(?P<m>\d{2})-(?P<d>\d{2})")),
    ("2024/03/31", re.compile(r"(?P<y>\d{4})/(?P<m>\d{2})/(?P<d>\d{2})")),
    ("31.03.2024", re.compile(r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})")),
    ("31 March 2024", re.compile(rf"(?P<d>\d{{1,2}}) (?P<name>{'|'.join(_MONTHS)}) (?P<y>\d{{4}})", re.I)),
    ("March 31, 2024", re.compile(rf"(?P<name>{'|'.join(_MONTHS)}) (?P<d>\d{{1,2}}), (?P<y>\d{{4}})", re.I)),
)
_SLASHED = re.compile(r"(?P<a>\d{1,2})/(?P<b>\d{1,2})/(?P<y>\d{4})")
DAY_FIRST, MONTH_FIRST, UNCLEAR = "31/03/2024", "03/31/2024", "03/04/2024, day or month first"


def form_of(text: str) -> str | None:
    """The form of a text that is a date and nothing else."""
    bare = text.strip()
    if not 8 <= len(bare) <= 18 or not any(character.isdigit() for character in bare[-4:]):
        return None
    for form, pattern in _ORDERED:
        if (match := pattern.fullmatch(bare)) and _date(match):
            return form
    if match := _SLASHED.fullmatch(bare):
        first, second = int(match["a"]), int(match["b"])
        if first > 12 >= second:
            return DAY_FIRST
        return MONTH_FIRST if second > 12 >= first else UNCLEAR
    return None


def rewrite(text: str, wanted: str, slashes: str | None) -> str:
    """The date in the wanted form; ``slashes`` is what 03/04/2024 means in this field, None where nobody can tell."""
    form = form_of(text)
    if form is None or form == wanted or (form == UNCLEAR and (slashes is None or slashes == wanted)):
        return text
    found = _read(text.strip(), form, slashes)
    return _written(found, wanted) if found else text


def _read(text: str, form: str, slashes: str | None) -> date | None:
    if match := _SLASHED.fullmatch(text):
        order = slashes if form == UNCLEAR else form
        day, month = (match["a"], match["b"]) if order == DAY_FIRST else (match["b"], match["a"])
        return _made(int(match["y"]), int(month), int(day))
    matches = (pattern.fullmatch(text) for known, pattern in _ORDERED if known == form)
    return next((_date(match) for match in matches if match), None)


def _date(match: re.Match[str]) -> date | None:
    groups = match.groupdict()
    month = _MONTHS.index(groups["name"].lower()) + 1 if "name" in groups else int(groups["m"])
    return _made(int(groups["y"]), month, int(groups["d"]))


def _made(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _written(found: date, form: str) -> str:
    name = _MONTHS[found.month - 1].capitalize()
    return {
        "2024-03-31": f"{found.year:04}-{found.month:02}-{found.day:02}",
        "2024/03/31": f"{found.year:04}/{found.month:02}/{found.day:02}",
        "31.03.2024": f"{found.day:02}.{found.month:02}.{found.year:04}",
        "31 March 2024": f"{found.day} {name} {found.year:04}",
        "March 31, 2024": f"{name} {found.day}, {found.year:04}",
        DAY_FIRST: f"{found.day:02}/{found.month:02}/{found.year:04}",
        MONTH_FIRST: f"{found.month:02}/{found.day:02}/{found.year:04}",
    }[form]
