"""Step `truncated`: answers that stop in the middle."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from functools import partial

from tunesmith.stages.clean.texts import Key, RowTexts

#: Nearly all answers end like this; then one that does not is unfinished.
USUAL = 0.9
FEWEST = 50
#: Shorter answers are values and headings.
FEWEST_WORDS = 5
#: So many answers of exactly one length, and so many times what the lengths beside it have, were cut there.
CUT_TOGETHER = 5
CUT_ABOVE_NEIGHBOURS = 10
FEWEST_BESIDE = 0.4
CUT_SHORTEST = 100

#: How many characters of an end are looked at.
END = 100

_FENCE = re.compile(r"^\s{0,3}(```+|~~~+)", re.MULTILINE)
_CLOSERS = "\"'”’»›)]}*_`>　 "
_FINAL = frozenset(".!?…。！？｡؟।॥։።")
_SYMBOL_END = re.compile(r"(?:https?://\S+|www\.\S+|\S+@\S+\.\w+|[\d.,]+\s?[%€$£¥°]?|[^\w\s,;:(\[{<-])$")
_LIST_LINE = re.compile(r"^\s*(?:[-*•–+]|\d{1,3}[.)]|#{1,6}|\|)\s*\S")
_HANGING = re.compile(
    r"(?:[,;(\[{\-–—]|\b(?:and|or|but|the|an?|of|to|with|for|from|in|on|at|by|as|that|which|because|if|your|our|is|are|"
    r"und|oder|aber|der|die|das|ein|eine|mit|für|von|zu|et|ou|mais|le|la|les|des|du|de|avec|pour|y|el|los|con|para))$",
    re.IGNORECASE,
)


class TruncatedLook:
    """Whether an answer stops in the middle, by its own marks or beside the others."""

    code = "truncated"

    def __init__(self) -> None:
        self._prose: Counter[Key] = Counter()
        self._finished: Counter[Key] = Counter()
        self._lengths: defaultdict[Key, Counter[int]] = defaultdict(Counter)
        self._cut_ends: defaultdict[Key, defaultdict[int, set[str]]] = defaultdict(partial(defaultdict, set))
        self._cuts: dict[Key, dict[int, int]] = {}

    def note(self, row: RowTexts) -> None:
        for text in row.answers:
            ends = is_finished(text.text)
            if is_prose(text.text):
                self._prose[text.key] += 1
                self._finished[text.key] += ends
            self._lengths[text.key][len(text.text)] += 1
            if not ends:
                self._cut_ends[text.key][len(text.text)].add(text.text[-20:])

    def settle(self) -> None:
        """Find the lengths at which answers were cut together."""
        for key, by_length in self._cut_ends.items():
            self._cuts[key] = {
                length: len(ends)  # of one wording that comes again and again, the ends are equal
                for length, ends in by_length.items()
                if length >= CUT_SHORTEST and len(ends) >= CUT_TOGETHER and self._stands_out(key, length, len(ends))
            }
        self._lengths.clear()
        self._cut_ends.clear()

    def _stands_out(self, key: Key, length: int, times: int) -> bool:
        lengths = self._lengths[key]
        beside = [lengths[other] for other in range(length - 10, length + 11) if other != length]
        return times > CUT_ABOVE_NEIGHBOURS * max(FEWEST_BESIDE, sum(beside) / len(beside))

    def evidence(self, row: RowTexts) -> str | None:
        for text in row.answers:
            reason = self._reason(text.key, text.text)
            if reason:
                return f'{text.name} ends with "… {_tail(text.text)}": {reason}'
        return None

    def _reason(self, key: Key, text: str) -> str | None:
        if broken := unclosed(text):
            return broken
        if is_finished(text):
            return None
        if times := self._cuts.get(key, {}).get(len(text)):
            return f"as {times:,} unfinished ones it has exactly {len(text):,} characters"
        if not is_prose(text) or _ends_otherwise(text):
            return None
        usual = self.share_finished(key)
        if usual is not None and usual >= USUAL:
            return f"{usual:.1%} of the answers end with a full stop or its like"
        if usual is not None and usual >= 0.5 and hangs(text):
            return "a sentence does not end so"
        return None

    def share_finished(self, key: Key) -> float | None:
        """The share of prose answers that end with final punctuation; None where there are too few to say."""
        prose = self._prose[key]
        return self._finished[key] / prose if prose >= FEWEST else None


def is_prose(text: str) -> bool:
    return text.count(" ") + 1 >= FEWEST_WORDS or (len(text) >= 20 and not text.isascii())


def is_finished(text: str) -> bool:
    """Whether the last mark of the text, quotes and brackets aside, ends a sentence."""
    bare = text.rstrip().rstrip(_CLOSERS)
    return not bare or bare[-1] in _FINAL


def hangs(text: str) -> bool:
    """Whether the text stops where no sentence does: after a comma, an article, an "and"."""
    return _HANGING.search(text.rstrip()[-END:]) is not None


def unclosed(text: str) -> str | None:
    """What was opened and never closed: a code block, or JSON that stops."""
    if ("```" in text or "~~~" in text) and len(_FENCE.findall(text)) % 2:
        return "a code block is not closed"
    if text[:1] in "{[" and text.strip()[:1] in "{[":
        return _unclosed_json(text.strip())
    return None


def _unclosed_json(text: str) -> str | None:
    if not re.match(r'^(?:\{\s*"|\[\s*[\[{"\d])', text):
        return None
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        at_end = error.pos >= len(text) - 1 or error.msg.startswith("Unterminated string")
        return "the JSON is not closed" if at_end else None
    except (RecursionError, ValueError):
        return None
    return None


def _ends_otherwise(text: str) -> bool:
    """Links, numbers, signs, lists, headings, tables and names below a letter end without a full stop."""
    lines = text.rstrip().splitlines()
    last = lines[-1].strip() if lines else ""
    if _SYMBOL_END.search(last[-END:]) or _LIST_LINE.match(last):
        return True
    return len(lines) > 1 and len(last.split()) <= FEWEST_WORDS and not hangs(last)


def _tail(text: str, characters: int = 40) -> str:
    bare = " ".join(text[-4 * characters :].split())
    return bare[-characters:].partition(" ")[2] or bare[-characters:]
