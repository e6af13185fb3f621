"""Try the forms from the largest to the smallest, and keep the smallest that still meets the bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tunesmith.errors import TunesmithError
from tunesmith.export.forms import Form
from tunesmith.export.run import Exported


@dataclass(frozen=True)
class Tried:
    """One form and what its certificate says; ``kept`` is the folder of one that is let out."""

    form: Form
    certificate: Mapping[str, Any]
    kept: Exported | None

    @property
    def bytes(self) -> int:
        return int(self.certificate["bytes"])


def smallest(tried: Sequence[Tried]) -> Tried | None:
    """The smallest of those that are let out; of equal ones the faster."""
    let_out = [one for one in tried if one.kept is not None]
    return min(let_out, key=lambda one: (one.bytes, one.certificate["seconds"]), default=None)


def shrink(
    forms: Sequence[Form],
    make: Callable[[Form], Exported],
    refused: Callable[[Form], Mapping[str, Any]],
) -> list[Tried]:
    """Export each form. ``refused`` gives the certificate of one that was refused."""
    tried = []
    for form in forms:
        try:
            made = make(form)
            tried.append(Tried(form, made.certificate, made))
        except TunesmithError as error:
            if error.code != "export_refused":
                raise
            tried.append(Tried(form, refused(form), None))
    return tried
