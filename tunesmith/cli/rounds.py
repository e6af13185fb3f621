"""`tunesmith rounds`: every round on the same test rows, what changed, and what it brought."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tunesmith.cli.arguments import add_verb, open_project

if TYPE_CHECKING:
    from tunesmith.cli.screen import Screen
    from tunesmith.rounds.compare import ChangedRow, Comparison, ShownRound

SHOWN_ROWS = 20
WORDS = {"better": "better", "worse": "worse", "not_shown": "not shown to differ"}


def add_parser(verbs: Any) -> None:
    parser = add_verb(verbs, "rounds", run, "show all rounds on the same test rows: what changed, and what it brought")
    action = parser.add_mutually_exclusive_group()
    action.add_argument(
        "--compare", metavar="N", nargs=2, type=int, help="the rows that changed from one round to another"
    )
    action.add_argument("--use", metavar="N", type=int, help="make this round the version in use")
    action.add_argument(
        "--reject", action="store_true", help="go back to the round in use, or to the one before the last"
    )


def run(arguments: argparse.Namespace) -> int:
    from tunesmith.cli.screen import Screen
    from tunesmith.cli.words import near_path

    screen = Screen()
    project = open_project(arguments)
    if arguments.compare:
        _show_comparison(screen, project.compare_rounds(*arguments.compare))
    elif arguments.use is not None:
        backup = project.use_round(arguments.use)
        screen.say(f"Round {arguments.use} is in use: its settings, decisions and artifacts are the project's.")
        screen.say(f"What was there before: {near_path(backup)}")
    elif arguments.reject:
        rejected, number, backup = project.reject_round()
        screen.say(f"Round {rejected} is rejected; the project is as it was in round {number}.")
        screen.say(f"What was there before: {near_path(backup)}; `tunesmith rounds --use {rejected}` takes it back.")
    else:
        _show_rounds(screen, project.rounds())
    return 0


def _show_rounds(screen: Screen, shown: Sequence[ShownRound]) -> None:
    from tunesmith.stages.test.wording import interval, number, p_value, points, title

    if not shown:
        screen.say("There is no round yet: each `tunesmith run` that ends with a new test report makes one.")
        return
    measured = [one for one in shown if one.score is not None]
    metric = measured[-1].metric if measured else ""
    rows = []
    for one in shown:
        score = f"{number(metric, one.score.value)} ({interval(one.score)})" if one.score else "–"
        n = f"{one.score.n:,}" if one.score else "–"
        brought, p, words = "", "", ""
        if one.against is not None and one.p is not None:
            found = one.against
            brought = f"{points(found.value)} ({points(found.low)} to {points(found.high)})"
            p, words = (
                p_value(one.p),
                f"{WORDS[one.shown]} than round {one.round.after}" if one.shown != "not_shown" else WORDS[one.shown],
            )
        rows.append([str(one.round.round), _state(one), n, score, brought, p, words])
    screen.table(
        ["round", "", "n", title(metric) if metric else "score", "points beside the one before", "", ""],
        rows,
        right=(0, 2),
    )
    screen.say()
    for one in shown:
        screen.say(
            f"{one.round.round}  {one.round.when[:16].replace('T', ' ')}  {'; '.join(one.round.changed)}", wrap=True
        )
        if one.note:
            screen.indented(one.note, 3, "dim")
    screen.say()
    for line in _said(measured):
        screen.say(line, wrap=True)


def _state(one: ShownRound) -> str:
    told = [word for word, on in (("in use", one.in_use), ("here", one.at), ("rejected", one.rejected)) if on]
    return ", ".join(told)


def _said(measured: Sequence[ShownRound]) -> list[str]:
    """On which rows the scores are, and how they were compared."""
    if not measured:
        return []
    if measured[-1].same_rows and measured[-1].score is not None:
        n = measured[-1].score.n
        grown = [one for one in measured if one.own_rows != n]
        more = " Rounds whose test part was larger: " if grown else ""
        counted = ", ".join(f"{one.round.round} ({one.own_rows:,} rows)" for one in grown)
        ending = "." if grown else ""
        lines = [f"Scores are on the {n:,} test rows that all of these rounds have tested.{more}{counted}{ending}"]
    else:
        lines = [
            "These rounds have no test row in common (or not the same metric): each score is on the round's own rows."
        ]
    tests = sum(one.against is not None for one in measured)
    if tests:
        lines.append(
            f"Differences are paired by test row, with p-values after Holm's correction for {tests} "
            f"comparison{'s' * (tests != 1)}."
        )
    return lines


def _show_comparison(screen: Screen, found: Comparison) -> None:
    from tunesmith.stages.test.wording import p_value, points, title

    one = found.difference
    screen.say(
        f"{title(one.metric)}, round {found.right} less round {found.left}: {points(one.value)} points "
        f"({points(one.low)} to {points(one.high)}, {p_value(one.p)}) on {one.n:,} rows that both tested.",
        wrap=True,
    )
    if found.left_alone or found.right_alone:
        screen.say(
            f"Not compared: {found.left_alone:,} rows that only round {found.left} tested and {found.right_alone:,} of "
            f"round {found.right} alone, or whose reference has changed.",
            wrap=True,
        )
    for heading, rows in (("better", found.better), ("worse", found.worse)):
        screen.say()
        screen.heading(f"{heading}: {len(rows):,} row{'s' * (len(rows) != 1)}")
        for row in rows[:SHOWN_ROWS]:
            _show_row(screen, row, found)
        if len(rows) > SHOWN_ROWS:
            screen.say(f"… and {len(rows) - SHOWN_ROWS:,} more", "dim")


def _show_row(screen: Screen, row: ChangedRow, found: Comparison) -> None:
    from tunesmith.cli.screen import brief

    screen.say(brief(row.input, 200))
    screen.say(f"  reference  {brief(row.reference, 160)}", "dim")
    screen.say(f"  round {found.left:<4} {brief(row.before, 160)}  ({row.score_before:.2f})")
    screen.say(f"  round {found.right:<4} {brief(row.after, 160)}  ({row.score_after:.2f})")
