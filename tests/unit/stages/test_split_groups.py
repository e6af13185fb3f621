"""Splitting by customer, document and time, over rounds: every row once, no group torn, tested rows stay tested."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from clean_project import LABELS, Parted, parted, row
from collect_project import CollectProject
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tunesmith.errors import InputError
from tunesmith.example import Example, Message, Source, make_example
from tunesmith.products import PARTS
from tunesmith.similarity.near_duplicates import groups
from tunesmith.stages.split.settings import SplitSettings

DAY = 86_400_000_000


def far(number: int) -> str:
    """An input that is near no other one."""
    return "".join(random.Random(number).choices("abcdefghijklmnopqrstuvwxyz", k=40))


def of_customers(sizes: list[int]) -> list[Example]:
    """One row of its own text after the other, so many of each customer."""
    owners = [f"c{number}" for number, size in enumerate(sizes) for _ in range(size)]
    return [row(far(at), "yes", at, group=owner) for at, owner in enumerate(owners)]


def over_days(days: list[int], **more: Any) -> list[Example]:
    return [row(far(at), "yes", at, time=day * DAY, **more) for at, day in enumerate(days)]


def parts_of(made: Parted, examples: list[Example], key: str) -> dict[Any, set[str]]:
    """The parts that rows with each value of a field stand in."""
    part_of, found = made.part_of(), {}
    for example in examples:
        if example.id in part_of:
            found.setdefault(getattr(example, key), set()).add(part_of[example.id])
    return found


def test_the_rows_of_one_customer_are_in_one_part(tmp_path: Path) -> None:
    examples = of_customers([1 + i % 7 for i in range(80)])
    made = parted(tmp_path, examples, group="customer_id")
    assert all(len(parts) == 1 for parts in parts_of(made, examples, "group").values())
    assert made.facts["groups"] == 80
    assert made.certificate["groups_straddling"] == 0
    assert made.certificate["random_split"]["test_by_group"] > 20  # of 32 rows nearly all
    assert made.counts["train"] + made.counts["validation"] + made.counts["test"] == len(examples)


def test_customers_that_wrote_nearly_the_same_are_kept_together(tmp_path: Path) -> None:
    examples = of_customers([3] * 40)
    bridge = [row(f"{examples[0].input} a", "yes", 900, group="c5"), row(f"{examples[0].input} b", "yes", 901)]
    made = parted(tmp_path, [*examples, *bridge], group="customer_id")
    part_of = made.part_of()
    together = [example for example in [*examples, *bridge] if example.group in ("c0", "c5", None)]
    assert len(together) == 8
    assert len({part_of[example.id] for example in together}) == 1
    assert made.told("note")[-1] == "1 rows have no customer_id; each of them stands for itself"


def test_sizes_are_exact_when_groups_can_be_moved_or_swapped(tmp_path: Path) -> None:
    examples = of_customers([2] * 30 + [3] * 30 + [5] * 10)
    made = parted(tmp_path, examples, group="customer_id", train=0.7, validation=0.15, test=0.15)
    assert made.counts == {"train": 140, "validation": 30, "test": 30, "left_out": 0}
    assert made.told("note") == []
    assert made.facts["not_as_asked"] == {}


def test_what_was_asked_and_got_and_why_is_said_when_groups_do_not_allow_it(tmp_path: Path) -> None:
    examples = of_customers([41] * 5)
    made = parted(tmp_path, examples, group="customer_id", train=0.7, validation=0.15, test=0.15)
    assert made.counts["test"] == 41
    assert (
        "the test part has 41 rows (20.0%), 31 (15.1%) were asked: the largest group has 41 rows, and groups stay "
        "together" in made.told("note")
    )


def test_by_time_test_is_the_latest_and_validation_before_it(tmp_path: Path) -> None:
    days = list(range(100))
    random.Random(1).shuffle(days)
    examples = over_days(days)
    made = parted(tmp_path, examples, by="time", time="created_at")
    day_of = dict(zip((example.id for example in examples), days, strict=True))
    found = {part: sorted(day_of[id] for id in made.ids(part)) for part in PARTS}
    assert found == {"train": list(range(80)), "validation": list(range(80, 90)), "test": list(range(90, 100))}


def test_equal_times_stay_together(tmp_path: Path) -> None:
    examples = over_days([at // 7 for at in range(140)])
    made = parted(tmp_path, examples, by="time", time="created_at")
    assert all(len(parts) == 1 for parts in parts_of(made, examples, "time").values())
    assert made.counts == {"train": 112, "validation": 14, "test": 14, "left_out": 0}
    assert parted(tmp_path, over_days([at // 40 for at in range(120)]), by="time", time="t").counts["test"] == 40


def test_by_time_nothing_is_trained_that_is_later_than_a_whole_group_of_the_test_part(tmp_path: Path) -> None:
    examples = [row(far(at), "yes", at, time=at * DAY, group=f"c{at % 30}") for at in range(100)]
    made = parted(tmp_path, examples, by="time", time="created_at", group="customer")
    part_of = made.part_of()
    assert all(len(parts) == 1 for parts in parts_of(made, examples, "group").values())
    latest = {part: {} for part in PARTS}
    for example in examples:
        assert example.time is not None
        times = latest[part_of[example.id]]  # type: ignore[index]
        times[example.group] = max(times.get(example.group, 0), example.time)
    assert max(latest["train"].values()) < min(latest["validation"].values())
    assert max(latest["validation"].values()) < min(latest["test"].values())


def test_labels_that_come_only_later_are_told(tmp_path: Path) -> None:
    examples = [row(far(at), "top_up" if at > 95 else "refund", at, time=at) for at in range(100)]
    made = parted(tmp_path, examples, LABELS, by="time", time="created_at")
    assert made.told("warning") == ["labels that the training part does not have yet, since they come later: top_up"]


def test_passages_of_a_file_stay_together_when_there_are_enough_files(tmp_path: Path) -> None:
    def passages(files: int, each: int) -> list[Example]:
        made = []
        for number in range(files * each):
            uri = f"doc{number // each}.txt"
            text = [Message.of("assistant", far(number))]
            made.append(make_example(text, Source(uri, number), group=uri))
        return made

    many, one = passages(40, 4), passages(1, 100)
    made = parted(tmp_path, many)
    assert all(len(parts) == 1 for parts in parts_of(made, many, "group").values())
    torn = parted(tmp_path, one)
    assert torn.counts == {"train": 80, "validation": 10, "test": 10, "left_out": 0}
    assert "the largest file has 100 of 100 passages" in torn.told("note")[0]


def test_rows_that_were_tested_stay_in_the_test_part_when_the_data_grows(tmp_path: Path) -> None:
    first = parted(tmp_path, of_customers([1] * 100))
    grown = [row(far(at), "yes", at + 7) for at in range(300)]  # the lines have moved, so that no id is the same
    second = parted(tmp_path, grown, after=first)
    text_of = {example.id: example.input for example in [*of_customers([1] * 100), *grown]}
    before, now = ({text_of[id] for id in made.ids("test")} for made in (first, second))
    assert before < now
    assert second.counts == {"train": 240, "validation": 30, "test": 30, "left_out": 0}
    assert second.facts["tested_before"] == 10
    third = parted(tmp_path, grown[:150], after=second)
    assert now & {example.input for example in grown[:150]} <= {text_of[id] for id in third.ids("test")}
    fourth = parted(tmp_path, grown, after=third)  # rows that were gone for a round were tested all the same
    assert now <= {text_of[id] for id in fourth.ids("test")}


def test_a_new_row_near_a_tested_one_does_not_go_to_training(tmp_path: Path) -> None:
    examples = of_customers([1] * 100)
    first = parted(tmp_path, examples)
    tested = [example for example in examples if example.id in set(first.ids("test"))]
    copies = [row(f"{example.input}!!x", "yes", 500 + at) for at, example in enumerate(tested)]
    trained = [row(f"{example.input} y", "yes", 600 + at, part="train") for at, example in enumerate(tested[:3])]
    second = parted(tmp_path, [*examples, *copies, *trained], after=first)
    part_of = second.part_of()
    assert {part_of.get(example.id) for example in tested} == {"test"}
    assert {part_of.get(example.id) for example in copies} <= {"test", None}
    assert {second.left_out[example.id] for example in trained} == {"too_like_a_test_row"}


def test_when_the_tested_rows_are_more_than_was_asked_it_is_said(tmp_path: Path) -> None:
    examples = of_customers([1] * 200)
    first = parted(tmp_path, examples, train=0.5, validation=0.1, test=0.4)
    second = parted(tmp_path, examples, after=first)
    assert set(second.ids("test")) == set(first.ids("test"))
    assert second.told("note")[-1].endswith("80 rows that earlier rounds tested stay in the test part")


@pytest.mark.parametrize("wrong", [{"by": "time"}, {"time": "created_at"}])
def test_time_and_its_column_are_asked_for_together(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="by: time"):
        SplitSettings.model_validate(wrong)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Example], list[Example], dict[str, Any], int]:
    """Rows with near copies, customers, times and given parts; more rows of later rounds; settings; a seed."""
    rows = []
    for at in range(draw(st.integers(15, 50))):
        text = f"{far(draw(st.integers(0, 30)))} {draw(st.integers(0, 2))}"
        customer = draw(st.none() | st.integers(0, 12).map(str))
        part = draw(st.sampled_from([None] * 9 + ["train", "validation", "test"]))
        time = draw(st.integers(0, 20)) * DAY
        rows.append(row(text, draw(st.sampled_from(["refund", "card lost"])), at, group=customer, time=time, part=part))
    test, validation = draw(st.sampled_from([(0.1, 0.1), (0.3, 0.2), (0.05, 0.4)]))
    chosen = {"test": test, "validation": validation, "train": 1 - test - validation}
    named = draw(st.sampled_from([{}, {"group": "customer"}, {"by": "time", "time": "t"}]))
    cut = draw(st.integers(10, len(rows)))
    return rows[:cut], rows[cut:], {**chosen, **named}, draw(st.integers(0, 3))


@given(histories())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_row_is_in_one_part_or_left_out_and_no_group_is_torn(tmp_path: Path, drawn: Any) -> None:
    rows, more, chosen, seed = drawn
    try:
        first = parted(tmp_path, rows, seed=seed, **chosen)
        second = parted(tmp_path, [*rows, *more], seed=seed, after=first, **chosen)
    except InputError as refused:
        assume(refused.code != "too_few_to_split")
        raise
    again = parted(tmp_path, [*rows, *more], seed=seed, after=first, **chosen)
    assert {part: again.ids(part) for part in PARTS} == {part: second.ids(part) for part in PARTS}
    for made, held in ((first, rows), (second, [*rows, *more])):
        times_seen = Counter([*made.part_of(), *made.left_out])
        assert times_seen == Counter(example.id for example in held)
        near = dict(zip((example.id for example in held), groups((e.input for e in held), 0.7).tolist(), strict=True))
        parts: dict[Any, set[str]] = {}
        for id, part in made.part_of().items():
            parts.setdefault(near[id], set()).add(part)
        if "group" in chosen:
            parts |= {f"customer {key}": held for key, held in parts_of(made, held, "group").items() if key is not None}
        assert all(len(found) == 1 for found in parts.values())
    assert set(first.ids("test")) <= set(second.ids("test"))


def test_collect_keeps_the_named_columns_with_each_row(tmp_path: Path) -> None:
    project = CollectProject(tmp_path)
    lines = [f"q{i},a{i},Ann Lee {i % 3},2026-03-{i + 1:02d}T10:00:00+02:00" for i in range(12)]
    project.put("t.csv", "\n".join(["question,answer,customer,at", *lines]))
    made = project.collect("t.csv", kept_columns={"group": "customer", "time": "at"})
    assert len({example.group for example in made.examples}) == 3
    assert made.examples[0].time == int(datetime(2026, 3, 1, 8, tzinfo=UTC).timestamp()) * 1_000_000
    assert b"Ann Lee" not in (project.out / "examples.parquet").read_bytes()  # a hash says who is the same
    assert not any("not used" in text for text in made.texts("note"))


@pytest.mark.parametrize(
    ("cell", "second"),
    [
        ("2026-03-01", 1772323200),
        ("20260301", 1772323200),
        ("2026-03-01 00:00:00Z", 1772323200),
        ("2026-03-01T02:00:00+02:00", 1772323200),
        ("1772323200", 1772323200),
        ("1772323200.0", 1772323200),
        ("1772323200000", 1772323200),
    ],
)
def test_dates_times_and_seconds_are_read(tmp_path: Path, cell: str, second: int) -> None:
    project = CollectProject(tmp_path)
    project.put("t.csv", "\n".join(["question,answer,at", *(f"q{i},a{i},{cell}" for i in range(12))]))
    made = project.collect("t.csv", kept_columns={"time": "at"})
    assert {example.time for example in made.examples} == {second * 1_000_000}


def test_bad_and_missing_times_are_told_all_at_once_with_their_lines(tmp_path: Path) -> None:
    project = CollectProject(tmp_path)
    cells = ["2026-03-01"] * 12
    cells[2], cells[5], cells[7], cells[9] = "", "01/02/2026", "yesterday", "9e99"
    project.put("t.csv", "\n".join(["question,answer,at", *(f"q{i},a{i},{cell}" for i, cell in enumerate(cells))]))
    faults = project.faults("t.csv", kept_columns={"time": "at"})
    assert [(fault.code, fault.where) for fault in faults] == [("bad_time", f"t.csv:{line}") for line in (4, 7, 9, 11)]
    assert "is empty" in faults[0].what
    assert "'01/02/2026'" in faults[1].what


def test_a_named_column_that_a_file_lacks_is_told_but_not_of_a_file_whose_part_is_given(tmp_path: Path) -> None:
    project = CollectProject(tmp_path)
    project.put("t.csv", "\n".join(["question,answer", *(f"q{i},a{i}" for i in range(12))]))
    [fault] = project.faults("t.csv", kept_columns={"group": "customer"})
    assert (fault.code, "'customer'" in fault.what) == ("missing_column", True)
    made = project.collect({"path": "t.csv", "part": "test"}, kept_columns={"group": "customer"})
    assert {example.group for example in made.examples} == {None}
