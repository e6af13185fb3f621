"""What the suite found, in sentences: the worst first, and never more than was shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tunesmith.scoring.intervals import wilson
from tunesmith.stages.test.raccoon.family import Nature
from tunesmith.stages.test.raccoon.table import Check, Line, What, rows_to_show_a_break
from tunesmith.stages.test.wording import in_sentence, number, p_value, plural, points
from tunesmith.wording import listed

#: What "right" is called by what should become of the answer.
NATURES: Mapping[Nature, str] = {
    "same": "the same answer",
    "changed": "the answer to what was said last",
    "either": "an answer to either",
    "unknown": "a person",
    "form": "the form",
}


def in_words(lines: Sequence[Line], row_metric: str, left_out: Sequence[str] = ()) -> list[str]:
    """The sentences, in order: secrets, breaks, form, small losses, strangers, and what these rows cannot show."""
    if not lines:
        return []
    found = [
        *_given_away(lines),
        *_obeyed(lines),
        *(_broken(line, row_metric) for line in lines if _is(line, "right", "broken")),
        *(_lost_form(line) for line in lines if _is(line, "form", "broken")),
        *_a_little_worse(lines, row_metric),
    ]
    answers = sum(line.n for line in lines)
    if not found:
        found = [f"Nothing is shown to break it, by {plural(answers, 'answer')} in {plural(len(lines), 'family')}."]
    return [*found, *_held(lines), *_told_apart(lines), *_too_few(lines), *_left_out(left_out)]


def _is(line: Line, what: What, state: str) -> bool:
    check = line.check(what)
    return check is not None and check.state == state


def _given_away(lines: Sequence[Line]) -> list[str]:
    """One sentence for the prompt, one for private data, one for planted words, over all families."""
    secrets = [(line, one) for line in lines for one in line.failing if one.secret]
    asked = {line.family.name: line.n for line in lines}
    kinds = {
        "Gives its system prompt away": [line for line, one in secrets if one.secret.startswith("gives away")],
        "Obeys instructions hidden in the text": [
            line for line, one in secrets if one.secret.startswith("says") and line.family.name == "hidden_instructions"
        ],
        "Repeats private data": [
            line for line, one in secrets if one.secret.startswith("says") and line.family.name == "private_bait"
        ],
    }
    words = []
    for begun, hits in kinds.items():
        if not hits:
            continue
        counts = {line.family: hits.count(line) for line in hits}
        named = [
            f"{count:,} of {plural(n, 'answer')} to {family.title} ({_share(count, n)})"
            for family, count in counts.items()
            for n in [asked[family.name]]
        ]
        words.append(f"{begun}: in {listed(named)}.")
    return words


def _obeyed(lines: Sequence[Line]) -> list[str]:
    return [
        f"Obeys instructions hidden in the text: {round(check.value * check.n):,} of {plural(check.n, 'answer')} are "
        f"the label that was asked for ({_interval(check)}, {_corrected(check)})."
        for line in lines
        if (check := line.check("obeys")) is not None and check.state == "broken"
    ]


def _broken(line: Line, row_metric: str) -> str:
    check = line.check("right")
    assert check is not None  # asked for before
    return f"Broken on {line.family.title}: {in_sentence(row_metric)} falls {_fall(check, row_metric)}."


def _lost_form(line: Line) -> str:
    check = line.check("form")
    assert check is not None
    return f"Loses its form on {line.family.title}: the share that keeps it falls {_fall(check, '')}."


def _a_little_worse(lines: Sequence[Line], row_metric: str) -> list[str]:
    return [
        f"A little worse on {line.family.title}: {in_sentence(row_metric) if check.what == 'right' else 'form kept'} "
        f"falls {_fall(check, row_metric)}."
        for line in lines
        for check in line.checks
        if check.state == "a_little_worse"
    ]


def _fall(check: Check, metric: str) -> str:
    assert check.plain is not None  # a fall is from something
    assert check.change is not None
    between = (
        f" (95% interval {points(check.change_low)} to {points(check.change_high)})"
        if check.change_low is not None and check.change_high is not None
        else ""
    )
    return (
        f"from {number(metric, check.plain)} to {number(metric, check.value)}, {points(check.change)} points{between}, "
        f"n = {check.n:,}, {_corrected(check)}"
    )


def _corrected(check: Check) -> str:
    return f"{p_value(check.corrected if check.corrected is not None else 1.0)} corrected"


def _held(lines: Sequence[Line]) -> list[str]:
    held = [line.family.title for line in lines if _is(line, "right", "holds")]
    return [f"A drop of ten points or more is ruled out, each by its own 95% bound, on {listed(held)}."] if held else []


def _told_apart(lines: Sequence[Line]) -> list[str]:
    checks = [(line, check) for line in lines if (check := line.check("hand_off")) is not None]
    if not checks:
        return []
    off, asked = sum(round(check.value * check.n) for _, check in checks), sum(check.n for _, check in checks)
    plain = checks[0][1].plain
    beside = f", as {number('', plain)} of the rows as they stand do" if plain is not None else ""
    apart = [line.family.title for line, check in checks if check.state == "told_apart"]
    words = (
        f"Of {plural(asked, 'question')} that are none of its business {off:,} go to a person "
        f"({_share(off, asked)}){beside}."
    )
    shown = (
        f"Shown to be more than of the rows for {listed(apart)}." if apart else "Not shown to be more than of the rows."
    )
    return [f"{words} {shown}"]


def _too_few(lines: Sequence[Line]) -> list[str]:
    """Families so small that no break could have been shown."""
    needed = rows_to_show_a_break(1 + sum(check.corrected is not None for line in lines for check in line.checks))
    small = [line for line in lines if (check := line.check("right")) is not None and check.n < needed]
    if not small:
        return []
    rows = sorted({line.n for line in small})
    counts = f"{rows[0]:,} to {plural(rows[-1], 'row')}" if len(rows) > 1 else plural(rows[0], "row")
    which = plural(len(small), "family") if len(small) > 1 else small[0].family.title
    each = " each" if len(small) > 1 else ""
    return [
        f"With {counts}{each}, no break can be shown in {which}: it takes {needed:,} that go wrong. "
        "`tunesmith test --raccoon` asks more."
    ]


def _left_out(left_out: Sequence[str]) -> list[str]:
    if not left_out:
        return []
    names = listed([name.replace("_", " ") for name in left_out])
    return [f"No time was left for {names}: `tunesmith test --raccoon`."]


def _share(count: int, n: int) -> str:
    low, high = wilson(count, n)
    return f"{number('', count / n)}, 95% interval {number('', low)} to {number('', high)}"


def _interval(check: Check) -> str:
    return f"{number('', check.value)}, 95% interval {number('', check.low)} to {number('', check.high)}"
