"""Step `copied`: answers that are the question again, or hold nearly all of it."""

from __future__ import annotations

from collections import Counter

from tunesmith.similarity.normal_form import bare
from tunesmith.stages.clean.shorten import shorten
from tunesmith.stages.clean.texts import Key, RowTexts

#: Shorter questions come up in good answers.
FEWEST_WORDS = 6
#: So much of the question's runs of three words makes a copy.
SHARE = 0.9
#: Where so many answers hold their question, that is the task: correcting, quoting, extracting.
USUAL = 0.1
FEWEST = 20
MOST_CHARACTERS = 20_000


class CopiedLook:
    """Whether an answer copies the question, where answers of its kind do not."""

    code = "copied"

    def __init__(self) -> None:
        self._texts: Counter[Key] = Counter()
        self._copies: Counter[Key] = Counter()

    def note(self, row: RowTexts) -> None:
        for text in row.answers:
            self._texts[text.key] += 1
            if row.inputs and share_copied(row.inputs[-1].text, text.text) is not None:
                self._copies[text.key] += 1

    def settle(self) -> None:
        """The counts are the rule."""

    def evidence(self, row: RowTexts) -> str | None:
        if not row.inputs:
            return None
        question = row.inputs[-1].text
        for text in row.answers:
            share = share_copied(question, text.text)
            if share is not None and not self._is_task(text.key):
                what = "is the input again" if share == 1 and len(text.text) < 1.2 * len(question) else "repeats"
                if what == "repeats":
                    what = f"repeats {share:.0%} of the input"
                return f"{text.name} {what}: {shorten(text.text, 80)}"
        return None

    def _is_task(self, key: Key) -> bool:
        return self._texts[key] >= FEWEST and self._copies[key] > USUAL * self._texts[key]


def share_copied(question: str, answer: str) -> float | None:
    """How much of the question, in runs of three words, the answer holds; None where it is no copy."""
    if len(answer) < 0.8 * len(question) or max(len(question), len(answer)) > MOST_CHARACTERS:
        return None
    asked = question.lower().split()
    if len(asked) < FEWEST_WORDS:
        return None
    said = frozenset(answer.lower().split())
    # Punctuation may part equal words, so this asks for less than the runs below do.
    if sum(word in said for word in asked) < 0.6 * len(asked):
        return None
    wanted, there = _runs(question), _runs(answer)
    share = len(wanted & there) / len(wanted) if wanted else 0.0
    return share if share >= SHARE else None


def _runs(text: str) -> set[tuple[str, ...]]:
    words = bare(text).split()
    return set(zip(words, words[1:], words[2:], strict=False))
