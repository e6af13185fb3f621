"""Which cases are missing: told by the last test's errors. Its rows tell which, and are never proposed as examples."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tunesmith.products import CleanSet, Gain, GoalSheet, ProposedItem, Report
from tunesmith.scoring.intervals import wilson
from tunesmith.stages.improve.item import Made, quoted

#: A pair of labels is told from this many errors on, and at most so many pairs and slices are.
FEWEST, MOST = 2, 5
#: How many examples to collect for each error that is to go: the product's rule of thumb, told as such.
EACH, AT_LEAST = 5, 20
LEVEL = 0.05
HOW = "a ceiling: the score if none of these errors were left, with the interval of their share of {n:,} test rows"


def to_collect(report: Report, clean: CleanSet, goal: GoalSheet) -> list[Made]:
    """Pairs of labels that are taken for each other, the worst slices, and what the data hardly has."""
    predictions = list(report.predictions())
    found = [*_confused(predictions, goal), *_slices(report), *_coverage(clean)]
    return [Made(item) for item in found]


def _confused(predictions: Sequence[Mapping[str, Any]], goal: GoalSheet) -> list[ProposedItem]:
    if goal.output != "label":
        return []
    wrong: Counter[frozenset[str]] = Counter()
    ways: Counter[tuple[str, str]] = Counter()
    for row in predictions:
        answer = row["tuned"]["answer"]
        if row["tuned"]["score"] < 1 and answer in goal.labels:
            wrong[frozenset((row["reference"], answer))] += 1
            ways[row["reference"], answer] += 1
    ranked = sorted(wrong.items(), key=lambda item: (-item[1], sorted(item[0])))
    made = []
    n = len(predictions)
    for pair, count in ranked[:MOST]:
        if count < FEWEST or len(pair) < 2:
            continue
        one, other = sorted(pair, key=lambda label: -ways[label, next(iter(pair - {label}))])
        more = max(AT_LEAST, EACH * count)
        there, back = ways[one, other], ways[other, one]
        said = f"On {count:,} of {n:,} test rows: {there:,} of {quoted(one)} were taken for {quoted(other)}"
        evidence = f"{said}, {back:,} the other way round." if back else f"{said}."
        what = f"Collect {more:,} more examples that tell {quoted(one)} from {quoted(other)}"
        low, high = wilson(count, n)
        gain = Gain(count / n, low, high, at_most=True)
        id = f"collect-{_slug(one)}-{_slug(other)}"
        made.append(ProposedItem(id, "collect", what, (evidence,), gain, HOW.format(n=n)))
    return made


def _slices(report: Report) -> list[ProposedItem]:
    """The slices that are shown to do worse than the other rows; labels are told by their confusions."""
    slices = (report.facts.get("slices") or {}).get("found") or []
    low = [one for one in slices if one["name"] and one["below"] < LEVEL and one["kind"] != "label"]
    made = []
    for one in sorted(low, key=lambda one: one["value"])[:MOST]:
        figures = f"{100 * one['value']:.1f}% (95% interval {100 * one['low']:.1f}% to {100 * one['high']:.1f}%)"
        below = f"lower than on the others (p = {one['below']:.2g})"
        evidence = f"There the score is {figures} on {one['n']:,} test rows, {below}."
        what = f"Collect more examples of {one['kind']} {quoted(one['name'])}"
        how = "not known: errors of a slice may have any cause"
        id = f"collect-{_slug(one['kind'])}-{_slug(one['name'])}"
        made.append(ProposedItem(id, "collect", what, (evidence,), None, how))
    return made


def _coverage(clean: CleanSet) -> list[ProposedItem]:
    """What `clean` says to collect next, of the data as it is."""
    told = clean.coverage() or {}
    gain = None
    how = "not known: no curve was measured"
    enough = told.get("enough") or {}
    if "target" in enough:
        rise = enough["gain"]
        gain = Gain(rise["value"], rise["low"], rise["high"])
        how = (
            "for twice the rows, if the curve goes on as it did: what all rows brought a quick classifier over half "
            f"of them, measured on {rise['n']:,} rows"
        )
    made = []
    for number, words in enumerate(told.get("next") or [], 1):
        by_curve = "curve" in words
        known = (gain, how) if by_curve else (None, "not known: too few rows to measure it")
        item = ProposedItem(
            f"collect-{number}", "collect", f"Collect: {words}", ("By the coverage of the data.",), *known
        )
        made.append(item)
    return made


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:24] or "x"
