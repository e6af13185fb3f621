"""`tunesmith show split`: the sizes of the parts, and what keeps test rows out of training."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from tunesmith.cli.screen import Screen
from tunesmith.products import PARTS, LeftOut, Splits

WHAT_FOR = {
    "train": "to learn from",
    "validation": "to choose the best step on",
    "test": "to measure on; locked, what trains cannot read it",
}
NEAREST = 3
LEFT_OUT = 10


def show(split: Splits, screen: Screen) -> None:
    """Show how many rows are in each part, how they were kept apart, the leak certificate, and the lock."""
    sizes = {part: len(split.ids(part)) for part in PARTS}
    total = sum(sizes.values()) or 1
    screen.table(
        ["part", "rows", "share", ""],
        [[part, f"{size:,}", f"{size / total:.1%}", WHAT_FOR[part]] for part, size in sizes.items()],
        right=(1, 2),
    )
    screen.say()
    for line in [*fraction_note(split.facts, total), *leak_note(split.facts)]:
        screen.say(line, wrap=True)
    certificate = split.certificate()
    if certificate is not None:
        screen.say()
        for line in certificate_note(certificate):
            screen.say(line, wrap=True)
    _show_left_out(split, screen)
    screen.say()
    screen.pairs([("lock (sha256)", split.test_sha256)])


def fraction_note(facts: Mapping[str, Any], total: int) -> list[str]:
    """What was asked of each part that has another size, and why; and rows that earlier rounds tested."""
    lines = [
        f"{name}: asked {told['wanted'] / total:.1%}, got {told['rows'] / total:.1%}, since {told['why']}."
        for name, told in facts.get("not_as_asked", {}).items()
    ]
    if facts.get("by") == "time":
        lines.append("By time: the test part is the latest, validation before it.")
    if facts.get("tested_before"):
        lines.append(f"{facts['tested_before']:,} rows were tested in an earlier round and stay in the test part.")
    return lines


def leak_note(facts: Mapping[str, Any]) -> list[str]:
    """What keeps the parts apart, in sentences."""
    if facts["largest_group"] > 1:
        return [
            f"The rows make {facts['groups']:,} groups that must not be torn apart (the largest has "
            f"{facts['largest_group']:,} rows), and each group stands in one part."
        ]
    return ["No two inputs are equal or nearly equal, so no part holds a copy of a row of another."]


def certificate_note(certificate: Mapping[str, Any]) -> list[str]:
    """The leak certificate in sentences: the limit, the nearest pairs, and what a random split would have leaked."""
    how = "every pair was compared" if certificate["every_pair_compared"] else "compared by MinHash, 0.3% may be missed"
    lines = [
        f"Leak certificate: no row of one part is {certificate['limit']:.0%} like a row of another ({how}). "
        "`train` and `test` require it."
    ]
    if certificate["group"]:
        lines.append(f"No {certificate['group']} is in two parts.")
    for pair in certificate["highest"][:NEAREST]:
        sides = " and ".join(
            f"{id} ({where}, {part})" for id, where, part in zip(pair["ids"], pair["where"], pair["parts"], strict=True)
        )
        lines.append(f"  nearest: {pair['similarity']:.1%}  {sides}")
    chance = certificate["random_split"]
    lines.append(
        f"A plain random split would have put near copies of {chance['test']:,.0f} of {chance['test_rows']:,} test "
        f"rows and of {chance['validation']:,.0f} of {chance['validation_rows']:,} validation rows into training "
        f"(mean of {chance['draws']} draws)."
    )
    if certificate["group"]:
        lines.append(
            f"Of {chance['test_by_group']:,.0f} test rows it would have trained on the same {certificate['group']}."
        )
    return lines


def _show_left_out(split: Splits, screen: Screen) -> None:
    count = int(split.facts.get("left_out", 0))
    if not count:
        return
    screen.say()
    screen.say(
        f"Left out: {count:,} rows that are too like a row of a part that you gave. They are not deleted: without "
        "that row, or with a higher split.near, they are back.",
        wrap=True,
    )
    for row in islice(split.left_out(), LEFT_OUT):
        screen.say(left_out_line(row))
    if count > LEFT_OUT:
        screen.say(f"  … and {count - LEFT_OUT:,} more in {split.path / 'left_out.parquet'}")


def left_out_line(row: LeftOut) -> str:
    return f"  {row.where} ({row.id}) is {row.similarity:.1%} like {row.like_where}: {row.reason}"
