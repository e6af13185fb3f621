"""What was taken out or mended on the way to the test, and why, with a few rows of each kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from tunesmith.example_parquet import read_rows
from tunesmith.privacy.mask import masked_text
from tunesmith.privacy.span import ALL_KINDS
from tunesmith.products import CleanSet, Collection, Dataset, Splits

EXAMPLES_SHOWN = 3
RAW_SHOWN = 4000  # characters of a row that was never read

_STATES = {"set_aside": "set aside", "merged": "merged into another row", "changed": "mended, and kept"}
_CODES = {
    "empty": "an empty side",
    "too_long": "too long",
    "duplicate": "the same row again",
    "conflict": "the same input with different answers",
    "off_goal": "an answer that the goal does not allow",
    "label_spelling": "spelling of labels",
    "json_layout": "layout of JSON",
    "no_target": "nothing to learn from",
    "no_end_token": "no end of the answer",
    **{f"private_{kind}": f"private data: {kind.replace('_', ' ')}" for kind in ALL_KINDS},
    "dropped": "taken out by your decision",
    "edited": "the answer that you gave",
    "document": "a text without a question",
    "structure": "not a conversation that ends with an answer",
    "too_like_a_train_row": "nearly equal to a row that you put in the training part",
    "too_like_a_validation_row": "nearly equal to a row that you put in the validation part",
    "too_like_a_test_row": "nearly equal to a row that you put in the test part",
}


@dataclass(frozen=True)
class Group:
    """Rows that met the same fate for the same reason; ``examples`` are (text, evidence)."""

    stage: str
    fate: str
    code: str
    why: str
    count: int
    examples: tuple[tuple[str, str], ...]


@dataclass
class _Seen:
    count: int = 0
    shown: list[tuple[str, str]] = field(default_factory=list)  # (example id or text, evidence)


def groups(collection: Collection, clean: CleanSet, dataset: Dataset, split: Splits) -> list[Group]:
    """All that did not go through untouched, by stage and reason; the most frequent first in each stage."""
    collected = (
        ("set_aside", row.code, row.raw, f"{row.uri}:{row.row}: {row.evidence}") for row in collection.set_aside()
    )
    cleaned = ((line.state, line.code, line.id, line.evidence) for line in clean.ledger() if line.state in _STATES)
    refused = ((line.state, line.code, line.id, line.evidence) for line in dataset.set_aside())
    left_out = split.path / "left_out.parquet"
    unsplit = (("set_aside", row["reason"], row["id"], f"like {row['like']}") for row in read_rows(left_out))
    return [
        *map(_masked, _grouped("collect", collected)),
        *_with_inputs(list(_grouped("clean", cleaned)), clean),
        *_with_inputs(list(_grouped("format", refused)), clean),
        *_with_inputs(list(_grouped("split", unsplit)) if left_out.exists() else [], clean),
    ]


def _grouped(stage: str, lines: Iterable[tuple[str, str, str, str]]) -> Iterator[Group]:
    seen: dict[tuple[str, str], _Seen] = {}
    for state, code, what, evidence in lines:
        one = seen.setdefault((state, code), _Seen())
        one.count += 1
        if len(one.shown) < EXAMPLES_SHOWN:
            one.shown.append((what, evidence))
    for (state, code), one in sorted(seen.items(), key=lambda item: (-item[1].count, item[0])):
        why = _CODES.get(code, code.replace("_", " "))
        yield Group(stage, _STATES.get(state, state), code, why, one.count, tuple(one.shown))


def _masked(group: Group) -> Group:
    """The group without private values: its rows never came to `clean`, which masks the others."""
    shown = ((masked_text(text[:RAW_SHOWN]), masked_text(evidence)) for text, evidence in group.examples)
    return replace(group, examples=tuple(shown))


def _with_inputs(found: list[Group], clean: CleanSet) -> list[Group]:
    """Put what the rows say in the place of their ids, where the rows are still to be found."""
    wanted = {id for group in found for id, _ in group.examples}
    texts = {example.id: example.input for example in clean.set_aside() if example.id in wanted} if wanted else {}
    missing = wanted - texts.keys()
    if missing:
        texts |= {example.id: example.input for example in clean.examples(missing)}
    return [
        Group(
            group.stage,
            group.fate,
            group.code,
            group.why,
            group.count,
            tuple((texts.get(id, ""), evidence) for id, evidence in group.examples),
        )
        for group in found
    ]
