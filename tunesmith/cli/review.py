"""`tunesmith clean --review`: one row, or one group in conflict, at a time; one key decides, and is durable at once."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from tunesmith.cli.arguments import open_project, screen_for
from tunesmith.cli.keys import Keys, keys_at_once, require_terminal
from tunesmith.cli.run import make
from tunesmith.cli.typed import typed
from tunesmith.decisions import Decision, RuleAction

if TYPE_CHECKING:
    from tunesmith.cli.screen import Screen
    from tunesmith.project import Project
    from tunesmith.review import Review, ShownRow

FATES = {
    "set_aside": "set aside",
    "merged": "merged",
    "flagged": "to look at",
    "kept": "kept",
    "changed": "changed",
}
#: Sides of a conflict that a digit can pick.
SIDES = 9


def review(arguments: argparse.Namespace) -> int:
    """Make `clean` where its rows have changed, and walk through its cases. Returns the exit code."""
    from tunesmith.cli.screen import Screen

    require_terminal("--review", "; without one, `tunesmith clean --restore ID|REASON` decides for many rows at once")
    project = open_project(arguments)
    if arguments.from_scratch or arguments.set or not _is_shown_already(project):
        make(arguments, Screen(stderr=True), to="clean")
    screen = screen_for(arguments)
    with project.reviewing(again=arguments.again) as found:
        began = found.left
        try:
            with keys_at_once(sys.stdin.fileno()) as keys:
                _walk(screen, found, keys)
        except KeyboardInterrupt:
            screen.say()
            _conclude(screen, began, found)
            return 130
        _conclude(screen, began, found)
    return 0


def _is_shown_already(project: Project) -> bool:
    """Whether the latest clean set is up to date, but for decisions, which review follows by itself."""
    [clean] = [stage for stage in project.status() if stage.stage == "clean"]
    changed = set(clean.why.split("; "))
    return clean.state == "made" or (clean.state == "stale" and changed <= {"decisions changed", "rules changed"})


def _walk(screen: Screen, review: Review, keys: Keys) -> None:
    while review.case is not None:
        _show(screen, review)
        known = _known_keys(review)
        while (key := keys.read()) not in known:
            pass  # a key that means nothing here
        if key == "q":
            return
        _act(screen, review, keys, key)


def _known_keys(review: Review) -> set[str]:
    """The keys that mean something for the case."""
    sides = min(len(review.rows()), SIDES)
    picks = "123456789"[:sides] if sides > 1 else ""
    return set(picks + "kdeasbq")


def _act(screen: Screen, review: Review, keys: Keys, key: str) -> None:
    case, rows = review.case, review.rows()
    if case is None:
        return
    if key == "s":
        review.skip()
    elif key == "b":
        if not review.back():
            screen.say("This is the first one.", "dim")
    elif key == "a":
        _always(screen, review, keys, case.reason)
    elif key == "e":
        with keys.paused():
            _edit(screen, review, rows)
    elif key in "kd":
        action: RuleAction = "keep" if key == "k" else "drop"
        review.decide({row.example.id: Decision(action, reason=case.reason) for row in rows})
    else:
        picked = rows[int(key) - 1].example.id
        review.decide(
            {
                row.example.id: Decision("keep" if row.example.id == picked else "drop", reason=case.reason)
                for row in rows
            }
        )


def _always(screen: Screen, review: Review, keys: Keys, reason: str) -> None:
    """Ask what shall hold for every row of the reason from now on; any other key changes nothing."""
    left = review.left_by_reason()[reason]
    screen.say(f"From now on, for every row with the reason {reason} ({left:,} left here): [k]eep or [d]rop?", "bold")
    answers: dict[str, RuleAction] = {"k": "keep", "d": "drop"}
    if (action := answers.get(keys.read())) is not None:
        review.always(action)


def _edit(screen: Screen, review: Review, rows: list[ShownRow]) -> None:
    """Take a new answer for the row. In a conflict it is the answer of the first row, and the others are dropped."""
    from tunesmith.stages.clean.empty import is_blank

    first, reason = rows[0].example, review.case.reason if review.case else ""
    old = first.answer or ""
    new = typed(screen, "The new answer", old)
    if new is None or new == old or is_blank(new):
        screen.say("The answer is as it was; nothing is decided.", "dim")
        return
    answer, against = review.edited(first, new)
    if against:
        screen.say(f"This answer cannot be kept: {against}", "red")
        return
    if answer != new:
        screen.say("Masked and mended it is:", "dim")
        screen.indented(answer)
    others = {row.example.id: Decision("drop", reason=reason) for row in rows[1:]}
    review.decide({first.id: Decision("edit", answer, reason), **others})


def _show(screen: Screen, review: Review) -> None:
    case = review.case
    if case is None:
        return
    rows = review.rows()
    of_reason = review.left_by_reason()[case.reason]
    screen.say()
    screen.heading(f"{FATES[case.state]}: {case.reason.replace('_', ' ')} [{case.reason}]")
    screen.say(f"{review.left:,} left, {of_reason:,} of them for this reason", "dim")
    if len(rows) > 1:
        _show_sides(screen, rows)
    else:
        _show_row(screen, rows[0], case.state)
    screen.say(_menu(rows, case.state), "dim")


def _show_sides(screen: Screen, rows: list[ShownRow]) -> None:
    """The same input once, and its answers side by side."""
    screen.excerpt(rows[0].example.input, 2)
    for number, row in enumerate(rows, 1):
        pick = f"{number}" if number <= SIDES else " "
        screen.say(f" {pick} → {row.example.source.where}  {row.example.id}", "dim")
        screen.excerpt(row.example.answer or "(empty)", 5)


def _show_row(screen: Screen, row: ShownRow, state: str) -> None:
    example = row.example
    screen.say(f"{example.source.where}  {example.id}", "dim")
    if not example.is_document:
        screen.excerpt(example.input or "(empty)", 2)
    before = _answer_in(row.before)
    if before is not None and before != example.answer:
        screen.say("  before:", "dim")
        screen.excerpt(before, 5)
    screen.say("  →", "dim")
    screen.excerpt(example.answer or "(empty)", 5)
    screen.say(f"  why: {row.evidence}")
    if row.into is not None:
        screen.say(f"  merged into {row.into.source.where}  {row.into.id}:", "dim")
        screen.excerpt(f"{row.into.input}\n→ {row.into.answer or '(empty)'}", 5)


def _answer_in(messages: str | None) -> str | None:
    """The answer in messages as they came in, when they may be shown."""
    if messages is None:
        return None
    last = json.loads(messages)[-1]
    return last["content"] if last["role"] == "assistant" and isinstance(last["content"], str) else None


def _menu(rows: list[ShownRow], state: str) -> str:
    if len(rows) > 1:
        picks = f"1-{min(len(rows), SIDES)} keep this one, drop the others   [k]eep all   [d]rop all"
    elif state in ("changed", "flagged", "kept"):
        picks = "[k]eep as it is   [d]rop"
    else:
        picks = "[k]eep   [d]rop (leave it out)"
    return f"{picks}   [e]dit the answer   [a]lways …   [s]kip   [b]ack   [q]uit"


def _conclude(screen: Screen, began: int, review: Review) -> None:
    """Tell how far the user came, and what is next."""
    screen.say()
    if not began:
        again = screen.command("clean --review --again")
        screen.say(f"Nothing is left to review; `{again}` shows what is decided too.")
        return
    screen.say(f"{began - review.left:,} decided, {review.left:,} left.")
    if review.left:
        on, undo = screen.command("clean --review"), screen.command("clean --undo ID|REASON")
        screen.say(f"`{on}` goes on from here; `{undo}` withdraws.")
    screen.say(f"Next: {screen.command('run')} makes again what follows from your decisions.")
