"""Find which fields of JSON answers hold dates, in which forms, and what their slashes mean."""

from __future__ import annotations

from collections import Counter

from tunesmith.stages.clean.styles.dates import DAY_FIRST, MONTH_FIRST, UNCLEAR, form_of, rewrite

#: So many of a field's values are dates where it is a field of dates.
SHARE = 0.9


class FieldDates:
    """The dates of one field."""

    def __init__(self) -> None:
        self.values = 0
        self.forms: Counter[str] = Counter()

    def note(self, text: str) -> str | None:
        """Count one value of the field. Returns its form."""
        self.values += 1
        form = form_of(text)
        if form:
            self.forms[form] += 1
        return form

    @property
    def is_field_of_dates(self) -> bool:
        return self.forms.total() >= SHARE * self.values

    @property
    def slashes(self) -> str | None:
        """What comes first in 03/04/2024: what the dates that can only be read one way say, if they agree."""
        day, month = self.forms[DAY_FIRST], self.forms[MONTH_FIRST]
        return DAY_FIRST if day and not month else MONTH_FIRST if month and not day else None

    @property
    def settled(self) -> Counter[str]:
        """The forms, those with slashes as what they mean."""
        forms = Counter(self.forms)
        if self.slashes and UNCLEAR in forms:
            forms[self.slashes] += forms.pop(UNCLEAR)
        return forms

    @property
    def wanted(self) -> str | None:
        """The commonest form; None where it is one that nobody can read."""
        form = self.settled.most_common(1)[0][0] if self.forms else None
        return None if form == UNCLEAR else form

    def mend(self, text: str) -> str:
        if self.wanted is None or not self.is_field_of_dates:
            return text
        return rewrite(text, self.wanted, self.slashes)
