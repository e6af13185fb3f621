"""The answer that needs no model: the commonest of the training rows, the same whatever is asked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tunesmith.learners.protocol import Prediction
from tunesmith.products import CleanSet, Splits
from tunesmith.scoring.json_answers import parse


def commonest_answer(clean: CleanSet, split: Splits, output: str, rows: int) -> list[Prediction]:
    """The commonest answer of the training rows, once for each of ``rows``; of equally common ones the first.

    Of JSON objects it is made of the commonest value of each field that at least half of them have. Answers are counted
    by their hash, so that a million long ones need no memory.
    """
    ids = frozenset(split.ids("train"))

    def answers() -> Iterator[str]:
        return (example.answer or "" for example in clean.examples(ids) if not example.is_document)

    if output == "json":
        return [Prediction(_commonest_fields(answers, len(ids)), 0.0, 0, 0.0)] * rows
    counts = Counter(map(hash, answers()))
    best, count = counts.most_common(1)[0]
    text = next(answer for answer in answers() if hash(answer) == best)
    return [Prediction(text, count / counts.total(), 0, 0.0)] * rows


def _commonest_fields(answers: Any, total: int) -> str:
    counts: dict[str, Counter[int]] = {}
    for name, value in _fields(answers()):
        counts.setdefault(name, Counter())[_key(value)] += 1
    best = {name: values.most_common(1)[0][0] for name, values in counts.items() if values.total() >= total / 2}
    chosen: dict[str, Any] = {}
    for name, value in _fields(answers()):
        if name not in chosen and best.get(name) == _key(value):
            chosen[name] = value
    return json.dumps({name: chosen[name] for name in best}, ensure_ascii=False)


def _fields(answers: Iterator[str]) -> Iterator[tuple[str, Any]]:
    for answer in answers:
        value = parse(answer)
        if isinstance(value, dict):
            yield from value.items()


def _key(value: Any) -> int:
    return hash(json.dumps(value, sort_keys=True, default=str))
