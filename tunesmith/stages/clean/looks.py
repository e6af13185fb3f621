"""The steps that look for what a person should see; `clean.flag` shows what they find, `clean.drop` takes it out."""

from __future__ import annotations

from typing import Protocol

from tunesmith.stages.clean.boilerplate import BoilerplateLook
from tunesmith.stages.clean.copied import CopiedLook
from tunesmith.stages.clean.language import LanguageLook
from tunesmith.stages.clean.markup import MarkupLook
from tunesmith.stages.clean.settings import CleanSettings
from tunesmith.stages.clean.texts import RowTexts
from tunesmith.stages.clean.truncated import TruncatedLook


class Look(Protocol):
    """One step: it notes some rows of the set, settles what is usual there, then judges each row."""

    code: str

    def note(self, row: RowTexts) -> None: ...

    def settle(self) -> None: ...

    def evidence(self, row: RowTexts) -> str | None:
        """What speaks against the row, or None."""


class Looks:
    """The steps that the settings name."""

    def __init__(self, settings: CleanSettings) -> None:
        self.markup, self.truncated = MarkupLook(), TruncatedLook()
        every: list[Look] = [self.markup, BoilerplateLook(), self.truncated, CopiedLook(), LanguageLook()]
        self._drop = [look for look in every if look.code in settings.drop]
        self._flag = [look for look in every if look.code in settings.flag and look.code not in settings.drop]
        fixes = [self.markup] if "markup" in settings.fix else []
        stops = [self.truncated] if "full_stop" in settings.fix or "uneven" in settings.flag else []
        wanted = [*self._drop, *self._flag, *fixes, *stops]
        self._noting = [look for look in every if look in wanted]

    def note(self, row: RowTexts) -> None:
        for look in self._noting:
            look.note(row)

    def settle(self) -> None:
        for look in self._noting:
            look.settle()

    def fault(self, row: RowTexts) -> tuple[str, str] | None:
        """The first find for which the row is taken out: its code and the evidence."""
        return next(((look.code, told) for look in self._drop if (told := look.evidence(row))), None)

    def flags(self, row: RowTexts) -> list[tuple[str, str]]:
        """All finds that are to be looked at."""
        return [(look.code, told) for look in self._flag if (told := look.evidence(row))]
