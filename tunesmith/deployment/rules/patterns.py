"""Regular expressions that cannot stop a server: RE2 takes time in proportion to the text, whatever is written."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from tunesmith.deployment.rules.settings import LONGEST_PATTERN
from tunesmith.deployment.rules.spans import Place, first_open, joined
from tunesmith.errors import MissingExtra

#: Bytes that one pattern may take.
MEMORY = 32 * 2**20
#: A pattern that matches longer texts, or of any length, is looked for in whole answers.
LONGEST_MATCH = 200  # characters


def fault_of(pattern: str) -> str | None:
    """Say what is wrong with a pattern, None where it can be used (or RE2 is not installed: then nobody can tell)."""
    if len(pattern) > LONGEST_PATTERN:
        return f"has {len(pattern):,} characters, and may have {LONGEST_PATTERN:,}"
    if find_spec("re2") is None:
        return None
    import re2

    try:
        if compiled(pattern).search("") is not None:
            return "is found in the empty text"
    except re2.error as error:
        words = error.args[0] if error.args else ""
        return f"is no regular expression of RE2 ({words.decode() if isinstance(words, bytes) else words})"
    return None


def compiled(pattern: str) -> Any:
    """The pattern by RE2. Raises MissingExtra."""
    if find_spec("re2") is None:
        raise MissingExtra("re2", "serve")
    import re2

    options = re2.Options()
    options.max_mem = MEMORY
    options.log_errors = False
    return re2.compile(pattern, options)


def widest(pattern: str) -> int | None:
    """The characters of the longest match, None where it has no bound, or that cannot be told."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # [[:alpha:]] is something else for Python
            most = int(re._parser.parse(pattern).getwidth()[1])  # type: ignore[attr-defined]
    except (re.error, AttributeError, OverflowError, RecursionError):
        return None  # what RE2 alone knows
    return most if most <= LONGEST_MATCH else None


class Patterns:
    """Find what matches any of the patterns, as they are written: case counts, unless they begin with (?i)."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = [compiled(pattern) for pattern in patterns]
        widths = [widest(pattern) for pattern in patterns]
        self._widest = None if None in widths else max(width for width in widths if width is not None)
        #: Characters before a text that must be seen with it: \\b looks at one.
        self.reach = 1

    def spans(self, text: str, start: int = 0) -> list[Place]:
        """Where the patterns match from ``start`` on, those that overlap as one."""
        return joined(found.span() for pattern in self._patterns for found in pattern.finditer(text, start))

    def open_from(self, text: str, start: int = 0) -> int:
        """From where on it is not settled what is found, while the text goes on."""
        if self._widest is None:
            return start
        at = len(text) - self._widest - 1  # one more, for what looks at the next character
        return max(start, first_open(self.spans(text, start), at))
