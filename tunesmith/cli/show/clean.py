"""`tunesmith show clean`: what was fixed and taken out, by reason, with examples and the way back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import chain

from tunesmith.cli.coverage import show_coverage
from tunesmith.cli.screen import Screen, brief
from tunesmith.cli.words import counts_in_words
from tunesmith.products import CleanSet, LedgerLine, Survey, UnevenFormat

EXAMPLES_A_REASON = 3
STATES = {
    "set_aside": "set aside",
    "merged": "merged",
    "changed": "fixed",
    "flagged": "to look at",
    "kept": "kept by your decision",
}


def show(clean: CleanSet, screen: Screen) -> None:
    """Show the ledger: counts by reason, a few rows of each, and how to restore them."""
    counts: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], list[LedgerLine]] = {}
    for line in clean.ledger():
        key = (line.state, line.code)
        counts[key] += 1
        if counts[key] <= EXAMPLES_A_REASON:
            first.setdefault(key, []).append(line)
    screen.say(counts_in_words(clean.counts))
    if added := clean.ledger_sum():
        screen.say(_sum_in_words(added))
    told, survey = clean.coverage(), clean.survey
    central = [cluster["example"] for cluster in told["clusters"]] if told else []
    texts = _texts(clean, [line for lines in first.values() for line in lines], central)
    if not counts:
        screen.say("Nothing was fixed or taken out.")
    for state in STATES:
        for (its_state, code), count in counts.most_common():
            if its_state == state:
                _show_reason(screen, state, code, count, first[its_state, code], texts)
    _show_uneven(screen, survey)
    if told:
        show_coverage(told, texts, screen)
    _show_way_back(screen, counts)


def _sum_in_words(told: Mapping[str, int]) -> str:
    changed = f" ({told['changed']:,} of them changed)" if told["changed"] else ""
    return (
        f"The ledger adds up: {told['in']:,} in = {told['kept']:,} kept{changed} + {told['merged']:,} merged + "
        f"{told['set_aside']:,} set aside."
    )


def _show_uneven(screen: Screen, survey: Survey) -> None:
    """One finding for all that the answers write in several ways, with the rule that would make it one."""
    if not survey.uneven:
        return
    screen.say()
    of = f" of {survey.rows:,}, evenly spread" if survey.looked_at < survey.rows else ""
    screen.heading(f"to look at: uneven format of the answers [uneven], in {survey.looked_at:,} rows{of}")
    for one in survey.uneven:
        forms = ", ".join(f"{form} {times:,}" for form, times in one.forms.items())
        screen.say(f"  {one.code}: {one.where}: {forms}")
        for form, text in one.firsts.items():
            screen.say(f"      {form}: {text}", "dim")
        screen.say(f"      {_rule(one)}", "dim")
    codes = list(dict.fromkeys(one.code for one in survey.uneven if one.wanted))
    if codes:
        fix = screen.command(f"clean --fix {' '.join(codes)}")
        screen.say(f"To write all of them in one way: {fix}")


def _rule(one: UnevenFormat) -> str:
    if one.wanted is None:
        return "proposed: nothing; no rule is safe here"
    return f"proposed: {one.wanted}; {one.exceptions:,} {'changes' if one.exceptions == 1 else 'change'}"


def _texts(clean: CleanSet, lines: list[LedgerLine], ids: list[str]) -> dict[str, str]:
    """What the rows of these lines and ids say. A merged row is gone; the one that it went into says the same."""
    wanted = {id for line in lines for id in (line.id, line.into) if id} | set(ids)
    if not wanted:
        return {}
    aside = (example for example in clean.set_aside() if example.id in wanted)
    return {example.id: brief(example.input) for example in chain(aside, clean.examples(wanted))}


def _show_reason(
    screen: Screen, state: str, code: str, count: int, lines: list[LedgerLine], texts: dict[str, str]
) -> None:
    screen.say()
    fate = "masked" if state == "changed" and code.startswith("private_") else STATES[state]
    screen.heading(f"{count:,} {fate}: {code.replace('_', ' ')} [{code}]")
    for line in lines:
        screen.say(f"  {line.id}  {texts.get(line.id) or texts.get(line.into or '', '')}")
        screen.say(f"      {line.evidence}", "dim")
    if count > len(lines):
        screen.say(f"  … and {count - len(lines):,} more", "dim")


def _show_way_back(screen: Screen, counts: Counter[tuple[str, str]]) -> None:
    codes = [code for (state, code), _ in counts.most_common() if state in ("set_aside", "merged")]
    if codes:
        screen.say()
        restore = screen.command("clean --restore ID…")
        screen.say(f"To keep rows that were taken out: {restore}, or by reason: --restore {codes[0]}")
    screen.say(f"To decide row by row: {screen.command('clean --review')}")
