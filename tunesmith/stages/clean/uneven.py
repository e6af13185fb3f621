"""Uneven format: what the answers write in several ways, the rule that would make it one, and applying it.

`clean.flag` shows each as one finding with its counts; the codes that `clean.fix` names are applied.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from tunesmith.products import UnevenFormat
from tunesmith.stages.clean.settings import CleanSettings
from tunesmith.stages.clean.shorten import shorten
from tunesmith.stages.clean.styles import bullets, full_stop, money, quotes, spaces
from tunesmith.stages.clean.styles.dates_of_fields import FieldDates
from tunesmith.stages.clean.styles.letter_case import FieldValues
from tunesmith.stages.clean.styles.style import Group, Style
from tunesmith.stages.clean.texts import Key, RowTexts, Text

STYLES = (spaces.STYLE, quotes.STYLE, bullets.STYLE, money.STYLE, money.DECIMALS, full_stop.STYLE)
STYLE_CODES = (*(style.code for style in STYLES), "dates", "letter_case")
#: With fewer texts that have a form at all there is no habit.
FEWEST = 10


class _Seen:
    """How often each form of one style was seen in one field, and the first text with it."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.counts: Counter[str] = Counter()
        self.first: dict[str, str] = {}

    def note(self, form: str, text: str) -> None:
        self.counts[form] += 1
        if form not in self.first and self.style.code != "spaces":  # stray spaces cannot be seen
            self.first[form] = shorten(text.strip())

    @property
    def wanted(self) -> str | None:
        """The form to rewrite in: the commonest, where that is a habit."""
        if self.counts.total() < FEWEST or len(self.counts) < 2:
            return None
        form, times = max(self.counts.items(), key=lambda item: (item[0] != "mixed", item[1], item[0]))
        limit = (self.style.unless_share or {}).get(form)
        if limit is not None and times >= limit * self.counts.total():
            return None
        return form if self.style.only in (None, form) else None


class Uneven:
    """What some rows of the set show, and the rules that follow."""

    def __init__(self, settings: CleanSettings) -> None:
        self._fix = frozenset(settings.fix)
        self._shown = "uneven" in settings.flag
        self._styles = [style for style in STYLES if self._shown or style.code in self._fix]
        self._seen: dict[tuple[str, Key, Group], _Seen] = {}
        self._dates: defaultdict[Key, FieldDates] = defaultdict(FieldDates)
        self._values: defaultdict[Key, FieldValues] = defaultdict(FieldValues)
        self._rules: dict[Key, list[tuple[Style, dict[Group, str]]]] = {}
        self._spellings: dict[Key, dict[str, str]] = {}
        self.settled = False

    def note(self, row: RowTexts) -> None:
        for text in row.answers:
            for style in self._styles:
                for group, form in style.forms(text.text).items():
                    place = (style.code, text.key, group)
                    seen = self._seen.get(place) or self._seen.setdefault(place, _Seen(style))
                    seen.note(form, text.text)
            if text.field:
                self._dates[text.key].note(text.text)
                self._values[text.key].note(text.text)

    def settle(self) -> None:
        """Choose the rules; from here on `mend` applies those that `clean.fix` names."""
        for (code, key, group), seen in self._seen.items():
            if code in self._fix and (wanted := seen.wanted):
                rules = self._rules.setdefault(key, [])
                rule = next((chosen for style, chosen in rules if style.code == code), None)
                if rule is None:
                    rules.append((seen.style, {group: wanted}))
                else:
                    rule[group] = wanted
        if "letter_case" in self._fix:
            self._spellings = {key: found for key, values in self._values.items() if (found := values.spellings())}
        self.settled = True

    def mend(self, text: Text) -> tuple[str, tuple[tuple[str, str], ...]]:
        """The text by the rules, and what was done: codes with words."""
        now, done = text.text, []
        for style, wanted in self._rules.get(text.key, ()):
            better = style.rewrite(now, wanted)
            if better != now:
                done.append((style.code, f"{text.name}: now {_forms(style, wanted)}"))
                now = better
        if "dates" in self._fix and text.key in self._dates:
            better = self._dates[text.key].mend(now)
            if better != now:
                done.append(("dates", f"{text.name}: {shorten(now)} → {shorten(better)}"))
                now = better
        best = self._spellings.get(text.key, {}).get(now.strip())
        if best is not None and best != now:
            done.append(("letter_case", f"{text.name}: {shorten(now)} → {shorten(best)}"))
            now = best
        return now, tuple(done)

    def findings(self) -> list[UnevenFormat]:
        """What is written in several ways and not yet in `clean.fix`, the commonest trouble first."""
        if not self._shown:
            return []
        found = [one for one in self._all() if one.code not in self._fix]
        return sorted(found, key=lambda one: (-one.exceptions, one.code, one.where))

    def _all(self) -> Iterator[UnevenFormat]:
        for (code, key, group), seen in self._seen.items():
            if wanted := seen.wanted:
                counts = {_form(seen.style, form): times for form, times in seen.counts.most_common()}
                firsts = {_form(seen.style, form): text for form, text in seen.first.items()}
                yield UnevenFormat(code, _where(key, group), counts, _form(seen.style, wanted), firsts)
        for key, dates in self._dates.items():
            counts = dates.settled
            if len(counts) > 1 and counts.total() >= FEWEST and dates.is_field_of_dates:
                yield UnevenFormat("dates", _where(key, ""), dict(counts.most_common()), dates.wanted, {})
        for key, values in self._values.items():
            if values.rows >= FEWEST and (spellings := values.spellings()):
                yield _spelled(key, values, spellings)


def _spelled(key: Key, values: FieldValues, spellings: dict[str, str]) -> UnevenFormat:
    exceptions = Counter({f'"{value}" for "{best}"': values.times(value) for value, best in spellings.items()})
    shown = dict(exceptions.most_common(5))
    if (rest := exceptions.total() - sum(shown.values())) > 0:
        shown["others"] = rest
    usual = sum(values.times(best) for best in set(spellings.values()))
    return UnevenFormat("letter_case", _where(key, ""), {"as usual": usual, **shown}, "as usual", {})


def _where(key: Key, group: Group) -> str:
    side, field = key
    return f"{field or f'the {side}'}{f' ({group})' if group else ''}"


def _form(style: Style, form: str) -> str:
    return style.words.get(form, form)


def _forms(style: Style, wanted: dict[Group, str]) -> str:
    return ", ".join(_form(style, form) for form in wanted.values())
