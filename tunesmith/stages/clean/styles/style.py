"""What a habit of writing is: its forms in a text, and how a text is rewritten in one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

#: What the form is chosen for: "" where there is one choice a field, such as the currency where there are more.
Group = str
Forms = Mapping[Group, str]


@dataclass(frozen=True)
class Style:
    """``forms`` gives the forms that a text has; ``rewrite`` the text in the wanted ones.

    ``words`` tell the forms to a person. ``only`` is the one form that may be wanted, where the others are slips.
    ``unless_share``: with so large a share of a form the exceptions are no habit but faults, which other steps find.
    """

    code: str
    forms: Callable[[str], Forms]
    rewrite: Callable[[str, Forms], str]
    words: Mapping[str, str]
    only: str | None = None
    unless_share: Mapping[str, float] | None = None
