"""The report's section on earlier rounds: on the rows that all share, and this one beside each of them.

As HTML it is in report_rounds.html.jinja.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunesmith.artifact import read_json
from tunesmith.errors import InputError
from tunesmith.scoring.intervals import score
from tunesmith.scoring.paired import Difference
from tunesmith.scoring.same_rows import Tested, common_rows, later_less_earlier, mean_of, paired, read_tested
from tunesmith.scoring.several import holm
from tunesmith.stages.test.wording import interval, number, p_value, plural, points, title

Table = Callable[[Sequence[str], list[tuple[str, ...]]], str]
HEADS = ("Round", "What changed", "Score on the same rows", "This round less it, points", "p")
NOW = "this round"


@dataclass(frozen=True)
class RoundsSoFar:
    """``rows``: a line a round, the cells of ``HEADS``; ``words`` say on which rows and how they were compared."""

    rows: Sequence[tuple[str, ...]]
    words: str


def rounds_so_far(
    earlier: Sequence[Mapping[str, Any]], predictions: Path, metric: str, resamples: int
) -> RoundsSoFar | None:
    """This test beside those of earlier rounds; None where there is none that can be compared.

    ``earlier``: number, ``changed`` words and the ``folder`` of each round's test.
    """
    if not earlier:
        return None
    own = read_tested(predictions, metric, resamples)
    tested: dict[str, Tested] = {}
    changed: dict[str, str] = {}
    for one in earlier:
        name = str(one["round"])
        before = _read(Path(one["folder"]))
        if before is not None and before.metric == metric and paired(before.rows, own.rows):
            tested[name], changed[name] = before, "; ".join(one["changed"])
    if not tested:
        return None
    common = common_rows({**tested, NOW: own}, NOW)
    found = {
        name: later_less_earlier(own, (NOW, f"round {name}"), paired(before.rows, own.rows))
        for name, before in tested.items()
    }
    corrected = dict(zip(found, holm([one.p for one in found.values()]), strict=True))
    lines = []
    for name in (*tested, NOW):
        rows = common.get(name)
        value = score(metric, mean_of(rows), resamples=resamples) if rows else None
        shown = f"{number(metric, value.value)} ({interval(value)})" if value else "–"
        beside = found.get(name)
        told, p = (_in_words(beside), p_value(corrected[name])) if beside else ("", "")
        lines.append((name, changed.get(name, ""), shown, told, p))
    shared = plural(len(common[NOW]), "test row") if common else "no test row"
    words = (
        f"{title(metric)}. All of these rounds share {shared}. Differences are on the rows that this round shares with "
        f"the other, in pairs, with p-values after Holm's correction for {plural(len(found), 'comparison')}."
    )
    return RoundsSoFar(lines, words)


def _in_words(one: Difference) -> str:
    return f"{points(one.value)} ({points(one.low)} to {points(one.high)}, n = {one.n:,})"


def _read(folder: Path) -> Tested | None:
    """A test of an earlier round; None where it is gone meanwhile."""
    try:
        facts = read_json(folder / "test.json")["facts"]
        return read_tested(folder / "predictions.parquet", str(facts["row_metric"]), int(facts["resamples"]))
    except (InputError, KeyError, TypeError):
        return None


def as_markdown(found: RoundsSoFar, inline: Callable[[str], str], table: Table) -> str:
    """The section; ``inline`` escapes a text, ``table`` writes a table of escaped cells."""
    rows = [tuple(map(inline, row)) for row in found.rows]
    return "\n\n".join(["## Rounds", inline(found.words), table(HEADS, rows)])
