"""`tunesmith show test`: the verdict, the scores with their intervals, and the difference to the base."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tunesmith.cli.screen import Screen
from tunesmith.cli.words import near_path
from tunesmith.example import Score
from tunesmith.products import Report
from tunesmith.scoring.paired import Difference
from tunesmith.stages.test.wording import interval, number, p_value, points, title

STYLES = {"ship": "bold green", "do_not_ship": "bold red", "not_enough_evidence": "bold yellow"}
SHOWN = {"better": "better", "worse": "worse", "not_shown": "not shown to differ"}


def show(report: Report, screen: Screen) -> None:
    """Show the verdict, the scores of each candidate and what the paired tests say."""
    headline(screen, report.verdict)
    screen.say()
    names = list(report.scores)
    metrics = list(dict.fromkeys(score.metric for scores in report.scores.values() for score in scores))
    found = {(name, score.metric): score for name, scores in report.scores.items() for score in scores}
    rows = []
    for metric in metrics:
        scores = [found.get((name, metric)) for name in names]
        n = next(score.n for score in scores if score is not None)
        rows.append([title(metric), f"{n:,}", *(_with_interval(score) for score in scores)])
    screen.table(["metric", "n", *names], rows, right=(1,))
    if report.differences:
        screen.say()
        screen.table(
            ["difference in points", "", "95% interval", "", ""],
            [_difference(one) for one in report.differences],
            right=(1,),
        )
    if report.facts.get("in_use"):
        screen.say()
        screen.say(str(report.facts["in_use"]["words"]), wrap=True)
    if report.facts.get("hand_off"):
        screen.say()
        screen.say(str(report.facts["hand_off"]["words"]), wrap=True)
    if calibrated := report.facts.get("calibration"):
        screen.say()
        screen.say(str(calibrated["words"]), wrap=True)
        for name, one in (calibrated.get("fields") or {}).items():
            screen.say(f"{name}: {one['words']}", wrap=True)
    if said := (report.facts.get("slices") or {}).get("words"):
        screen.say()
        screen.say(str(said), wrap=True)
    beside = report.facts.get("opinions") or {}
    for line in [line for who in ("people", "judge") if beside.get(who) for line in ("", *beside[who]["words"])]:
        screen.say(str(line), wrap=True)
    raccoon(report, screen)
    screen.say()
    screen.say(f"report  {near_path(report.html)}")


def raccoon(report: Report, screen: Screen) -> None:
    """Show what the raccoon suite found, and what became of unknown questions."""
    found = (report.facts.get("raccoon") or {}).get("words", [])
    unknown = (report.facts.get("unknown") or {}).get("words")
    for place, sentence in enumerate(filter(None, [*found, unknown])):
        if not place:
            screen.say()
            screen.say("raccoon suite")
        screen.say(f"- {sentence}", wrap=True)


def headline(screen: Screen, verdict: Mapping[str, Any]) -> None:
    """The goal's verdict and the comparison with the base, in words."""
    screen.say(str(verdict["words"]), STYLES.get(str(verdict.get("decision")), "bold"), wrap=True)
    comparison = verdict.get("comparison")
    if comparison:
        screen.say(str(comparison["words"]), wrap=True)


def scores_line(report: Report) -> list[str]:
    """One line a metric of the goal (or the comparison's): base or other rival against tuned, with n and intervals."""
    verdict = report.verdict
    metrics = [one["metric"] for one in verdict.get("criteria", [])] or [
        (verdict.get("comparison") or {}).get("metric")
    ]
    lines = []
    for metric in dict.fromkeys(metrics):
        rival = (verdict.get("comparison") or {}).get("against", "base")
        base, tuned = (_find(report.scores.get(name, ()), metric) for name in (rival, "tuned"))
        if base is not None and tuned is not None:
            figures = f"{rival} {_with_interval(base)} → tuned {_with_interval(tuned)}"
            lines.append(f"{title(tuned.metric)}: {figures} on {tuned.n:,} test rows")
    return lines


def _find(scores: Sequence[Score], metric: str | None) -> Score | None:
    return next((score for score in scores if score.metric == metric), None)


def _with_interval(score: Score | None) -> str:
    return f"{number(score.metric, score.value)} ({interval(score)})" if score is not None else "–"


def _difference(one: Mapping[str, Any]) -> list[str]:
    found = Difference(**one)
    name = f"{title(found.metric)}: {found.left} − {found.right}"
    return [
        name,
        points(found.value),
        f"{points(found.low)} to {points(found.high)}",
        p_value(found.p),
        SHOWN[found.shown],
    ]
