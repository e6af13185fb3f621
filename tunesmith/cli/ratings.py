"""What reviewers said of two candidates' answers, and how far they agree."""

from __future__ import annotations

from tunesmith.cli.screen import Screen
from tunesmith.scoring.preferences import People
from tunesmith.stages.test.people import agreement_in_words, in_words, place_in_words, reviewer_rows


def show(found: People, screen: Screen) -> None:
    """Show the sum over rows, then each reviewer, then how far two of them agree."""
    screen.say(in_words(found.overall), wrap=True)
    screen.say()
    left, right = found.overall.left, found.overall.right
    head = ["reviewer", "rows", f"{left} better", f"{right} better", "same", "neither good", f"preferred {left}"]
    screen.table(head, reviewer_rows(found), right=(1, 2, 3, 4, 5))
    screen.say()
    for line in agreement_in_words(found):
        screen.say(line, wrap=True)
    if said := place_in_words(found):
        screen.say(said, wrap=True)
