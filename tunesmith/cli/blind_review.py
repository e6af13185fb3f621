"""`tunesmith review`: two candidates' answers side by side without their names; one key says which is better."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from tunesmith.cli.arguments import add_verb, open_project

if TYPE_CHECKING:
    from tunesmith.blind_review import BlindReview
    from tunesmith.cli.keys import Keys
    from tunesmith.cli.screen import Screen
    from tunesmith.project import Project
    from tunesmith.ratings import Choice
    from tunesmith.scoring.preferences import People

CHOICES: dict[str, Choice] = {"a": "A", "b": "B", "s": "same", "n": "neither"}
WORDS = {"A": "A is better", "B": "B is better", "same": "the same", "neither": "neither is good"}
MENU = (
    "[a] A is better   [b] B is better   [s]ame   [n]either is good   [c]omment   [w]rite a better answer   "
    "s[k]ip   [z] back   [q]uit"
)


def add_parser(verbs: Any) -> None:
    parser = add_verb(
        verbs, "review", run, "say which of two candidates' answers to test rows is better, without knowing whose it is"
    )
    parser.add_argument("--as", dest="reviewer", metavar="NAME", help="who reviews (default: the login's name)")
    parser.add_argument(
        "--candidates",
        metavar="ONE,OTHER",
        help="the two candidates of the last test to compare (default: tuned, and what it is to beat)",
    )
    parser.add_argument("--rows", metavar="N", type=_count, help="no more rows than this; the same for all reviewers")
    parser.add_argument("--reference", action="store_true", help="show the reference answer as well")
    parser.add_argument("--results", action="store_true", help="what all reviewers said, and how far they agree")


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of rows, 1 or more")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    from tunesmith.cli.screen import Screen

    screen = Screen()
    pair = _names(arguments.candidates) if arguments.candidates else None
    if arguments.results:
        return _results(arguments, screen, pair)
    from tunesmith.cli.keys import keys_at_once, require_terminal

    require_terminal("review", "; `tunesmith review --results` shows what was said so far")
    project = open_project(arguments)
    review = project.rating(reviewer=arguments.reviewer, candidates=pair, rows=arguments.rows)
    began = review.left
    _introduce(screen, review)
    try:
        with keys_at_once(sys.stdin.fileno()) as keys:
            _walk(screen, review, keys, reference=arguments.reference)
    except KeyboardInterrupt:
        screen.say()
        _conclude(screen, began, review)
        return 130
    _conclude(screen, began, review)
    return 0


def _names(text: str) -> list[str]:
    """The names between the commas; one may hold a comma itself: "tuned, schema enforced,base"."""
    from tunesmith.stages.test.answers import ENFORCED

    mark = "\0"
    return [name.strip().replace(mark, ENFORCED) for name in text.replace(ENFORCED, mark).split(",")]


def _results(arguments: argparse.Namespace, screen: Screen, pair: list[str] | None) -> int:
    from tunesmith.blind_review import results
    from tunesmith.cli.ratings import show

    project = open_project(arguments)
    found = results(project, candidates=pair)
    if found is None:
        screen.say("Nobody has compared these answers yet; `tunesmith review` begins.")
        return 0
    show(found, screen)
    for line in _judge(project, found):
        screen.say(line, wrap=True)
    return 0


def _judge(project: Project, found: People) -> list[str]:
    """What the last test's judge said of the same two, held against what people say now."""
    from tunesmith.scoring.preferences import by_row
    from tunesmith.stages.test.judge import told

    test = project.product("test")
    judge = (test.facts.get("opinions") or {}).get("judge")
    pair = (found.overall.left, found.overall.right)
    if judge is None or pair != ("tuned", judge["rival"]):
        return []
    texts = {row["id"]: {name: row[name]["answer"] for name in pair} for row in test.predictions()}
    said = by_row(project.ratings().of_answers(texts, pair), pair[0])
    words: list[str] = told(judge, said, resamples=test.facts["resamples"], seed=test.facts["seed"])["words"]
    return ["", *words]


def _introduce(screen: Screen, review: BlindReview) -> None:
    rated = len(review.cases) - review.left
    screen.say(
        f"{review.reviewer}: {review.left:,} of {len(review.cases):,} rows to compare"
        + (f", {rated:,} done before" if rated else "")
        + (f"; {review.alike:,} more are left out, since both answers are the same" if review.alike else "")
        + "."
    )


def _walk(screen: Screen, review: BlindReview, keys: Keys, *, reference: bool) -> None:
    while review.case is not None:
        _show(screen, review, reference=reference)
        while (key := keys.read()) not in {*CHOICES, *"cwkzq"}:
            pass  # a key that means nothing here
        if key == "q":
            return
        if key in CHOICES:
            review.choose(CHOICES[key])
        elif key == "k":
            review.skip()
        elif key == "z":
            if not review.back():
                screen.say("This is the first one.", "dim")
        elif key == "c":
            with keys.paused():
                _comment(screen, review)
        else:
            _write(screen, review, keys)


def _show(screen: Screen, review: BlindReview, *, reference: bool) -> None:
    case, state = review.case, review.state
    if case is None:
        return
    screen.say()
    screen.say(f"{case.id}   {review.left:,} left", "dim")
    screen.excerpt(case.input or "(empty)", 2)
    for name, text in zip("AB", case.answers, strict=True):
        screen.heading(f"  {name}")
        screen.excerpt(text or "(an empty answer)", 5)
    if reference:
        screen.say("  reference", "dim")
        screen.excerpt(case.reference or "(empty)", 5)
    if state.comment:
        screen.say(f"  your comment: {state.comment}", "dim")
    if state.correction is not None:
        screen.say("  your answer:", "dim")
        screen.excerpt(state.correction, 5, "dim")
    screen.say(MENU, "dim")


def _comment(screen: Screen, review: BlindReview) -> None:
    from tunesmith.cli.typed import typed

    text = typed(screen, "Your comment", review.state.comment)
    if text is not None:
        review.comment(text)


def _write(screen: Screen, review: BlindReview, keys: Keys) -> None:
    """Take a better answer, which begins as A, as B or as nothing."""
    from tunesmith.cli.typed import typed

    case, state = review.case, review.state
    if case is None:
        return
    old = state.correction
    if old is None:
        screen.say("Begin with the answer of [a] A or [b] B, or with [n]othing?", "bold")
        if (key := keys.read()) not in ("a", "b", "n"):
            return
        old = {"a": case.answers[0], "b": case.answers[1]}.get(key, "")
    with keys.paused():
        new = typed(screen, "The better answer", old)
    if new is None or not new.strip():
        if state.correction is not None and new is not None:
            review.correct(None)
        screen.say("No better answer is kept.", "dim")
        return
    answer, against = review.checked(new)
    if against:
        screen.say(f"This answer cannot be kept: {against}", "red")
        return
    if answer != new:
        screen.say("Masked and mended it is:", "dim")
        screen.indented(answer)
    review.correct(answer)


def _conclude(screen: Screen, began: int, review: BlindReview) -> None:
    """Tell how far the reviewer came; whose the answers are is told when nothing is left."""
    from tunesmith.cli.ratings import show

    screen.say()
    screen.say(f"{began - review.left:,} rated, {review.left:,} left.")
    if not review.ended:
        screen.say("`tunesmith review` goes on from here; `tunesmith review --results` tells whose answers they are.")
        return
    found = review.results()
    if found is not None:
        screen.say()
        show(found, screen)
