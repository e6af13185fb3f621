"""How much of the goal the examples cover: kinds of input, answers, lengths, tidiness; and what to collect next."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tunesmith.scoring.intervals import wilson
from tunesmith.similarity.clusters import cluster, typical_words
from tunesmith.similarity.embeddings import Vectors
from tunesmith.similarity.neighbours import Neighbours
from tunesmith.stages.clean import enough
from tunesmith.stages.clean.kept_rows import LABEL, KeptRows
from tunesmith.stages.clean.out_of_fold import OutOfFold

FILE = "coverage.json"
#: A value is rare when it has less than this share of what the middle one has, or too few rows for three parts.
RARE, FEWEST = 0.2, 5
HARDEST = 5
#: Below this share of untidy inputs the page says so: what comes in later is mostly untidier than examples are.
TIDY = 0.02
_SHOUTED = re.compile(r"[!?]{2,}|\.{4,}|\n\s*\n\s*\n| {3,}|\b[^\W\d_a-z]{4,}(?: [^\W\d_a-z]{4,}){2,}")


def coverage(
    rows: KeptRows,
    kept: int,
    choices: Mapping[str, Sequence[str]],
    vectors: Vectors | None,
    neighbours: Neighbours | None,
    found: Mapping[str, OutOfFold],
    by_meaning: Mapping[str, Any],
) -> dict[str, Any]:
    """What coverage.json says. ``rows`` are all of the ``kept`` rows, or a sample."""
    told: dict[str, Any] = {
        "rows": kept,
        "looked_at": len(rows),
        "by_meaning": dict(by_meaning),
        "answers": [_answers(name, rows.targets[name], values) for name, values in choices.items()],
        "lengths": _lengths(rows),
        "tidiness": _tidiness(rows.given),
        "clusters": _clusters(rows, vectors),
        "difficulty": [_difficulty(name, one) for name, one in found.items()],
        "enough": enough.judge(found, neighbours),
    }
    return {**told, "next": collect_next(told)}


def _answers(name: str, values: Sequence[str | None], choices: Sequence[str]) -> dict[str, Any]:
    """How often each value of a label or field is had: the commonest first."""
    counts = Counter(value for value in values if value is not None)
    known = {value: counts.get(value, 0) for value in dict.fromkeys([*choices, *counts])}
    seen = [count for count in known.values() if count]
    least = max(FEWEST, RARE * float(np.median(seen))) if seen else FEWEST
    return {
        "name": name,
        "counts": dict(sorted(known.items(), key=lambda item: (-item[1], item[0]))),
        "missing": sorted(value for value, count in known.items() if not count),
        "rare": sorted(value for value, count in known.items() if 0 < count < least),
    }


def _lengths(rows: KeptRows) -> dict[str, Any]:
    """Words of inputs and answers: quantiles, and the ids of the shortest and the longest."""
    told = {}
    for name, texts in (("input", rows.given), ("answer", rows.answer)):
        words = np.array([len(text.split()) for text in texts])
        if not len(words):
            continue
        low, middle, high = (float(value) for value in np.quantile(words, (0.05, 0.5, 0.95)))
        ends = {"shortest": rows.id[int(words.argmin())], "longest": rows.id[int(words.argmax())]}
        told[name] = {"p5": low, "median": middle, "p95": high, **ends}
    return told


def is_untidy(text: str) -> bool:
    """Whether a text looks dashed off: no capital at the start of a sentence and no stop at the end, or shouted."""
    bare = text.strip()
    letters = [char for char in bare if char.isalpha()]
    cased = any(char.isupper() != char.islower() for char in letters)
    hasty = cased and bare[:1].islower() and bare[-1:] not in ".?!…\"')"
    return hasty or bool(_SHOUTED.search(bare))


def _tidiness(texts: Sequence[str]) -> dict[str, Any]:
    untidy = sum(map(is_untidy, texts))
    low, high = wilson(untidy, len(texts)) if texts else (0.0, 1.0)
    return {"untidy": untidy, "n": len(texts), "low": low, "high": high}


def _clusters(rows: KeptRows, vectors: Vectors | None) -> list[dict[str, Any]]:
    """Kinds of input: the words that name each, its rows, a row from its middle, its commonest answers."""
    groups = cluster(vectors) if vectors is not None else None
    if groups is None:
        return []
    words = typical_words(rows.given, groups.of)
    told = []
    for number, central in enumerate(groups.central):
        members = np.flatnonzero(groups.of == number).tolist()
        common = {
            name: [value for value, _ in Counter(values[at] for at in members if values[at]).most_common(2)]
            for name, values in rows.targets.items()
        }
        share = len(members) / len(rows)
        told.append(
            {
                "words": words[number],
                "rows": len(members),
                "share": share,
                "example": rows.id[central],
                "answers": common,
            }
        )
    return told


def _difficulty(name: str, found: OutOfFold) -> dict[str, Any]:
    """Which values a quick classifier gets right least often on rows that it has not seen."""
    sizes = np.bincount(found.labels, minlength=len(found.names))
    right = np.bincount(found.labels, weights=found.right, minlength=len(found.names))
    order = np.argsort(right / np.maximum(1, sizes), kind="stable")[:HARDEST]
    hardest = []
    for number in order.tolist():
        low, high = wilson(float(right[number]), int(sizes[number]))
        value = float(right[number] / sizes[number])
        hardest.append(
            {"value": found.names[number], "right": value, "n": int(sizes[number]), "low": low, "high": high}
        )
    certain = int(((found.of_given >= 0.5) & found.right).sum())
    return {"name": name, "n": len(found.labels), "easy": certain, "hardest": hardest}


def collect_next(told: Mapping[str, Any]) -> list[str]:
    """What to collect next, in words, the most needed first."""
    advice = []
    for answers in told["answers"]:
        what = f"the field {answers['name']}" if answers["name"] != LABEL else "the label"
        if answers["missing"]:
            advice.append(f"Examples of {_listed(answers['missing'])}: no row has it as {what}.")
        if answers["rare"]:
            counted = [f"{value} ({answers['counts'][value]})" for value in answers["rare"]]
            advice.append(f"More examples of {_listed(counted)}: few rows have it as {what}.")
    for hard in told["difficulty"]:
        overall = next((one["value"] for one in [told["enough"].get("all", {})] if one), None)
        below = [one["value"] for one in hard["hardest"] if overall is not None and one["high"] < overall]
        if below:
            advice.append(f"More examples of {_listed(below)}: mixed up with others more often than the rest.")
    if told["enough"]["more"] == "would_help":
        advice.append("More rows of every kind: the measured curve still rises.")
    tidiness = told["tidiness"]
    if tidiness["n"] and tidiness["high"] < TIDY:
        advice.append("Inputs as people dash them off, if such will come in: nearly all of these are tidy.")
    return advice


def _listed(values: Sequence[str], shown: int = 5) -> str:
    more = f" and {len(values) - shown} more" if len(values) > shown else ""
    return ", ".join(values[:shown]) + more
