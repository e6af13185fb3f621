"""The training examples that were hardest at the end: wrong answers are often among them."""

from __future__ import annotations

from dataclasses import dataclass

from tunesmith.products import CleanSet, TunedModel

SHOWN = 8
CHARACTERS = 160


@dataclass(frozen=True)
class HardExample:
    """``loss`` is the mean over its trained tokens (or its label's) the last time it was trained."""

    where: str
    id: str
    input: str
    answer: str
    loss: float


def hardest_examples(tuned: TunedModel, clean: CleanSet) -> list[HardExample]:
    """The hardest first."""
    lines = tuned.hardest(SHOWN)
    examples = {example.id: example for example in clean.examples({line.id for line in lines})}
    return [
        HardExample(
            examples[line.id].source.where,
            line.id,
            _start(examples[line.id].input),
            "" if examples[line.id].is_document else _start(examples[line.id].answer or ""),
            line.loss or 0.0,
        )
        for line in lines
        if line.id in examples
    ]


def _start(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= CHARACTERS else line[: CHARACTERS - 1] + "…"
