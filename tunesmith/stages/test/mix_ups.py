"""Which labels the tuned model takes for which others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tunesmith.scoring.labels import plain

SHOWN = 8


@dataclass(frozen=True)
class MixUp:
    reference: str
    answer: str
    count: int


def mix_ups(references: Sequence[str], answers: Sequence[str]) -> list[MixUp]:
    """The most frequent wrong pairs, at least twice each, most frequent first."""
    wrong = Counter(
        (reference, answer)
        for reference, answer in zip(references, answers, strict=True)
        if plain(reference) != plain(answer)
    )
    ranked = sorted(wrong.items(), key=lambda item: (-item[1], item[0]))
    return [MixUp(reference, answer, count) for (reference, answer), count in ranked if count > 1][:SHOWN]
