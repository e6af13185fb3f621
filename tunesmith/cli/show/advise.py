"""`tunesmith show advise`: the advice, the table of what was measured, the reasons, and when it would change."""

from __future__ import annotations

from tunesmith.cli.screen import Screen
from tunesmith.cli.words import near_path
from tunesmith.products import Advice
from tunesmith.stages.advise.page import HEADS, rows
from tunesmith.stages.advise.wording import metric_name


def show(advice: Advice, screen: Screen) -> None:
    """Show what was measured and what follows from it."""
    told = advice.advice
    screen.say(str(told["words"]), "bold yellow" if told["answer"] == "cannot_tell" else "bold green", wrap=True)
    screen.say()
    facts = advice.facts
    screen.say(
        f"{metric_name(facts['metric'])} on {facts['rows']} validation rows; the test part was not touched", "dim"
    )
    if advice.arms:
        screen.table(list(HEADS), rows(advice.arms, facts["metric"]), right=(4, 5))
    for name, why in advice.left_out.items():
        screen.say(f"{name} was not measured: {why}", "dim")
    screen.say()
    screen.pairs([(arm["name"], arm["words"]) for arm in advice.arms])
    for heading, lines in (("Why", told["reasons"]), ("When it would change", told["changes"])):
        screen.say()
        screen.heading(heading)
        for line in lines:
            screen.say(f"- {line}", wrap=True)
    screen.say()
    screen.say(f"page    {near_path(advice.markdown)}")
    if told["arm"]:
        ask, use = screen.command('ask "…"'), screen.command("advise --use ARM")
        screen.say(f"next    {ask}      uses it; `{use}` chooses another")
