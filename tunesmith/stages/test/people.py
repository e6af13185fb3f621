"""What people said of the answers, in words: the report and the terminal tell the same."""

from __future__ import annotations

from collections.abc import Sequence

from tunesmith.example import Score
from tunesmith.scoring.preferences import People, Preference
from tunesmith.stages.test.wording import p_value, plural


def in_words(one: Preference, who: str = "People") -> str:
    """How one candidate did against the other, over all rows."""
    neither = f", and on {one.neither:,} neither was good" if one.neither else ""
    told = (
        f"{who} compared {one.left} and {one.right} on {plural(one.rows, 'row')}, without knowing whose answer "
        f"was whose: {one.left} was better on {one.wins:,}, {one.right} on {one.losses:,}; {one.same:,} were the "
        f"same{neither}."
    )
    if one.share is None:
        return f"{told} On no row was one better."
    found = {
        "better": f"So {one.left} is preferred",
        "worse": f"So {one.right} is preferred",
        "not_shown": "So neither is shown to be preferred",
    }[one.shown]
    return (
        f"{told} {found}: where one was better, it was {one.left} in {_figures(one.share)}, sign test {p_value(one.p)}."
    )


def share_in_words(one: Preference) -> str:
    """The share of rows with a preference on which it was the first candidate."""
    return f"{_figures(one.share)}, {p_value(one.p)}" if one.share else "–"


def _figures(share: Score) -> str:
    return f"{share.value:.1%} (95% interval {share.low:.1%} to {share.high:.1%}, n = {share.n:,})"


def agreement_in_words(found: People) -> list[str]:
    """How far reviewers agree, two by two and all together."""
    if not found.agreement:
        return ["One reviewer: nobody can say how far another would agree. `tunesmith review --as NAME` adds one."]
    lines = [
        f"{pair.first} and {pair.second}: {_kappa(pair.kappa, pair.rows)}" for pair in found.agreement if pair.rows
    ]
    if not lines:
        return ["The reviewers have no row in common, so that their agreement cannot be told."]
    if len(found.by_reviewer) > 2 and found.alpha is not None:
        lines.append(f"All reviewers: Krippendorff's alpha {interval(found.alpha)}")
    elif found.alpha is not None:
        lines.append(f"Krippendorff's alpha: {interval(found.alpha)}")
    return lines


def _kappa(kappa: Score | None, rows: int) -> str:
    if kappa is None:
        shared = f"{plural(rows, 'row')} in common"
        return f"{shared}: too few, or all of one kind, so that chance alone would agree as much"
    return f"Cohen's kappa {interval(kappa)}"


def interval(score: Score) -> str:
    """An agreement with its interval."""
    return f"{_signed(score.value)} (95% interval {_signed(score.low)} to {_signed(score.high)}, n = {score.n:,})"


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def place_in_words(found: People) -> str:
    """A warning where the answer that was shown first was preferred more often, or less, than half the time."""
    first = found.first_shown
    if first is None or first.low <= 0.5 <= first.high:
        return ""
    return f"Beware: of the preferences, {_figures(first)} were for the answer shown as A. The place had a part in it."


def reviewer_rows(found: People) -> Sequence[tuple[str, ...]]:
    """A table's rows: the reviewer, how many rows, the four counts, and the share."""
    return [
        (
            name,
            *(f"{count:,}" for count in (one.rows, one.wins, one.losses, one.same, one.neither)),
            share_in_words(one),
        )
        for name, one in found.by_reviewer.items()
    ]
