"""`tunesmith show improve`: the items of the proposal, each with its evidence and what it should bring."""

from __future__ import annotations

from collections.abc import Mapping

from tunesmith.cli.screen import Screen, brief
from tunesmith.errors import InputError
from tunesmith.products import Gain, Proposal, ProposedItem

SHOWN = 50
HEADINGS = {
    "relabel": "answers that look wrong",
    "remove": "rows to leave out",
    "add": "examples to add",
    "label": "rows to label",
    "collect": "cases that are missing",
    "settings": "settings",
}


def show(proposal: Proposal, screen: Screen, states: Mapping[str, str] | None = None) -> None:
    """Show the items by kind; ``states`` says what was decided on each."""
    if not proposal.items:
        screen.say("There is nothing to propose: no answer looks wrong, no case is missing, and training ended well.")
        return
    known = states or {}
    screen.say(
        f"{len(proposal.items):,} items, from {proposal.facts['rows_looked_at']:,} rows of training and validation and "
        f"the errors on {proposal.facts['test_rows']:,} test rows. Nothing is changed until you accept it.",
        wrap=True,
    )
    for kind, heading in HEADINGS.items():
        items = [item for item in proposal.items if item.kind == kind]
        if items:
            screen.say()
            screen.heading(heading)
        for item in items:
            _show_item(screen, item, known.get(item.id, "open"))
    screen.say()
    if any(item.accepted_by_itself for item in proposal.items):
        accept, rows = screen.command("improve --accept ITEM …"), screen.command("improve --rows ITEM")
        screen.say(f"{accept}   do these (all without an ITEM); --reject ITEM leaves them out")
        screen.say(f"{rows:{len(accept)}}   the rows of an item")


def _show_item(screen: Screen, item: ProposedItem, state: str) -> None:
    done = "" if state == "open" else f"  [{state}]"
    screen.say(f"{item.id}{done}", "bold" if state == "open" else "dim")
    screen.indented(item.what, 2)
    for line in item.evidence:
        screen.indented(line, 4, "dim")
    screen.indented(f"gain: {gain_in_words(item)}", 4)


def gain_in_words(item: ProposedItem) -> str:
    """What the item should bring, with its interval, and how that was estimated."""
    return f"{points(item.gain)}, {item.how}" if item.gain else item.how or "not known"


def points(gain: Gain) -> str:
    if gain.at_most:
        return f"at most {100 * gain.value:.1f} points ({100 * gain.low:.1f} to {100 * gain.high:.1f})"
    return f"{100 * gain.value:+.1f} points ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"


def show_rows(proposal: Proposal, item: str, screen: Screen) -> None:
    """Show the rows of one item. Raises InputError ``no_such_item``."""
    if item not in {one.id for one in proposal.items}:
        known = ", ".join(one.id for one in proposal.items) or "none"
        raise InputError("no_such_item", f"the last proposal has no item {item!r}", "--rows", f"items: {known}")
    count = 0
    for row in proposal.rows(item):
        count += 1
        if count > SHOWN:
            continue
        screen.say(f"{row.id}  {row.where}", "dim")
        screen.indented(brief(row.input, 200), 2)
        change = " → ".join(brief(text, 80) for text in (row.answer, row.proposed) if text)
        if change:
            screen.indented(f"→ {change}", 2)
        screen.indented(row.why, 4, "dim")
    if not count:
        screen.say("This item is about no single rows.")
    elif count > SHOWN:
        screen.say(f"… and {count - SHOWN:,} more in {proposal.path / 'rows.parquet'}")
