"""Splitting: no leak, the asked fractions, every label everywhere, and what the user gave stays given."""

from __future__ import annotations

import json
import random
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest
from clean_project import LABELS, TEXT, TICKET, parted, row
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tunesmith import test_lock as lock
from tunesmith.errors import Cancelled, InputError
from tunesmith.example import Example
from tunesmith.example_parquet import read_rows
from tunesmith.products import PARTS, CleanSet, Dataset, GoalSheet
from tunesmith.similarity.near_duplicates import groups
from tunesmith.stages.context import Context
from tunesmith.stages.split import run as split
from tunesmith.stages.split.settings import SplitSettings


def far(number: int) -> str:
    """An input that is near no other one."""
    return " ".join(random.Random(f"{number}").choices("abcdefghijklmnopqrstuvwxyz" * 2, k=40)).replace(" ", "")


def spread(answers: list[str]) -> list[Example]:
    """One row for each answer, all inputs far from each other."""
    return [row(far(i), answer, i) for i, answer in enumerate(answers)]


def near(text: str, number: int) -> str:
    return f"{text} {number}"


def test_the_parts_hold_every_row_once_in_the_asked_fractions(tmp_path: Path) -> None:
    examples = spread(["yes"] * 200)
    made = parted(tmp_path, examples)
    assert made.counts == {"train": 160, "validation": 20, "test": 20, "left_out": 0}
    assert sorted(made.part_of()) == sorted(example.id for example in examples)
    assert made.facts["fractions"] == {
        "asked": {"train": 0.8, "validation": 0.1, "test": 0.1},
        "got": {"train": 0.8, "validation": 0.1, "test": 0.1},
    }
    assert made.told("note") == made.told("warning") == []


def test_rows_that_format_set_aside_are_in_no_part(tmp_path: Path) -> None:
    examples = spread(["yes"] * 50)
    made = parted(tmp_path, examples, without=examples[10:20])
    assert set(made.part_of()) == {example.id for example in examples} - {example.id for example in examples[10:20]}


def test_equal_and_nearly_equal_inputs_are_in_one_part(tmp_path: Path) -> None:
    examples = [row(near(far(i // 4), i % 4), "yes", i) for i in range(200)]
    made = parted(tmp_path, examples)
    part_of = made.part_of()
    for first in range(0, 200, 4):
        assert len({part_of[example.id] for example in examples[first : first + 4]}) == 1
    assert (made.facts["groups"], made.facts["largest_group"]) == (50, 4)


def test_it_is_told_how_many_rows_a_random_split_would_have_leaked(tmp_path: Path) -> None:
    pairs = [row(near(far(i // 2), i % 2), "yes", i) for i in range(1000)]
    leaked = parted(tmp_path, pairs).facts["random_would_leak"]
    assert 65 <= leaked <= 95  # each of 100 test rows has its twin in training with a chance of 80%
    assert parted(tmp_path, spread(["yes"] * 100)).facts["random_would_leak"] == 0


def test_each_label_has_its_shares_in_each_part(tmp_path: Path) -> None:
    examples = spread(["refund"] * 500 + ["card lost"] * 100 + ["top_up"] * 20)
    made = parted(tmp_path, examples, LABELS)
    answers = {example.id: example.answer for example in examples}
    counted = {part: Counter(answers[id] for id in made.ids(part)) for part in PARTS}
    assert counted["test"] == counted["validation"] == {"refund": 50, "card lost": 10, "top_up": 2}


def test_json_rows_are_shared_out_by_the_first_enum_of_the_schema(tmp_path: Path) -> None:
    answers = ["billing"] * 90 + ["late delivery"] * 10
    examples = spread([json.dumps({"category": answer, "reply": f"r{i}"}) for i, answer in enumerate(answers)])
    made = parted(tmp_path, examples, TICKET)
    late = {example.id for example in examples[90:]}
    assert [len(late & set(made.ids(part))) for part in PARTS] == [8, 1, 1]


def test_many_small_labels_do_not_pull_the_fractions_to_one_side(tmp_path: Path) -> None:
    """Ten rows of 5 want half a row in validation and half in test, each time."""
    examples = spread([f"label {i % 40}" for i in range(200)])
    made = parted(tmp_path, examples, GoalSheet("text", "label", ""), train=0.6, validation=0.2, test=0.2)
    assert made.counts == {"train": 120, "validation": 40, "test": 40, "left_out": 0}


@pytest.mark.parametrize("seed", range(5))
def test_a_label_with_three_groups_is_in_all_parts(tmp_path: Path, seed: int) -> None:
    examples = spread(["refund"] * 200 + ["card lost"] * 3 + ["top_up"] * 4)
    made = parted(tmp_path, examples, LABELS, seed=seed)
    answers = {example.id: example.answer for example in examples}
    for part in PARTS:
        assert {answers[id] for id in made.ids(part)} == {"refund", "card lost", "top_up"}


@pytest.mark.parametrize("seed", range(5))
def test_a_label_with_fewer_groups_goes_to_training_first(tmp_path: Path, seed: int) -> None:
    examples = spread(["refund"] * 100 + ["card lost"] * 2 + ["top_up"])
    made = parted(tmp_path, examples, LABELS, seed=seed)
    trained = set(made.ids("train"))
    assert trained & {example.id for example in examples[100:102]}
    assert examples[102].id in trained
    assert len(made.told("warning")) == 1
    assert "top_up" in made.told("warning")[0]
    assert "card lost" not in made.told("warning")[0]


def test_fractions_that_groups_made_differ_are_noted(tmp_path: Path) -> None:
    examples = spread(["yes"] * 10) + [row(near(far(99), i), "yes", 100 + i) for i in range(90)]
    made = parted(tmp_path, examples)
    assert made.counts["train"] >= 90
    assert any("validation" in note for note in made.told("note"))


@pytest.mark.parametrize(
    "examples",
    [spread(["yes"] * 2), [row(near(far(1), i), "yes", i) for i in range(30)], []],
    ids=["two rows", "one group", "no row"],
)
def test_too_few_groups_for_three_parts_are_refused(tmp_path: Path, examples: list[Example]) -> None:
    with pytest.raises(InputError) as failure:
        parted(tmp_path, examples)
    assert failure.value.code == "too_few_to_split"
    assert failure.value.exit_code == 2


def test_three_groups_are_enough(tmp_path: Path) -> None:
    assert parted(tmp_path, spread(["yes"] * 3)).counts == {"train": 1, "validation": 1, "test": 1, "left_out": 0}


def test_with_a_given_test_part_the_rest_is_training_and_validation(tmp_path: Path) -> None:
    tested = [row(far(1000 + i), "yes", 1000 + i, part="test") for i in range(50)]
    examples = spread(["yes"] * 180) + tested
    made = parted(tmp_path, examples)
    assert set(made.ids("test")) == {example.id for example in tested}
    assert made.counts == {"train": 160, "validation": 20, "test": 50, "left_out": 0}
    assert made.told("note") == []


def test_with_a_given_validation_part_the_rest_is_training_and_test(tmp_path: Path) -> None:
    given_rows = [row(far(1000 + i), "yes", 1000 + i, part="validation") for i in range(7)]
    made = parted(tmp_path, spread(["yes"] * 90) + given_rows)
    assert made.counts == {"train": 80, "validation": 7, "test": 10, "left_out": 0}


def test_with_test_and_validation_given_the_rest_is_training(tmp_path: Path) -> None:
    given_rows = [row(far(1000 + i), "yes", 1000 + i, part=("validation", "test")[i % 2]) for i in range(20)]  # type: ignore[arg-type]
    made = parted(tmp_path, spread(["yes"] * 30) + given_rows)
    assert made.counts == {"train": 30, "validation": 10, "test": 10, "left_out": 0}


def test_given_training_rows_count_as_training(tmp_path: Path) -> None:
    given_rows = [row(far(1000 + i), "yes", 1000 + i, part="train") for i in range(70)]
    made = parted(tmp_path, spread(["yes"] * 30) + given_rows)
    assert made.counts == {"train": 80, "validation": 10, "test": 10, "left_out": 0}
    assert {example.id for example in given_rows} <= set(made.ids("train"))


def test_rows_near_a_given_training_row_train_too(tmp_path: Path) -> None:
    anchor = row(far(1000), "yes", 1000, part="train")
    likes = [row(near(far(1000), i), "yes", 2000 + i) for i in range(10)]
    made = parted(tmp_path, [*spread(["yes"] * 60), anchor, *likes])
    assert {anchor.id, *(example.id for example in likes)} <= set(made.ids("train"))


def test_rows_near_a_given_test_row_are_left_out_with_their_reason(tmp_path: Path) -> None:
    tested = row(far(1000), "yes", 1000, part="test")
    unassigned = row(near(far(1000), 1), "yes", 1001)
    trained = row(near(far(1000), 2), "yes", 1002, part="train")
    validated = row(near(far(1000), 3), "yes", 1003, part="validation")
    also_tested = row(near(far(1000), 4), "yes", 1004, part="test")
    other_validated = row(far(5), "yes", 1005, part="validation")
    near_validated = row(near(far(5), 6), "yes", 1006)
    examples = [row(far(i), "yes", i) for i in range(10, 40)]
    given_rows = [tested, unassigned, trained, validated, also_tested, other_validated, near_validated]
    made = parted(tmp_path, [*examples, *given_rows])
    assert set(made.ids("test")) == {tested.id, also_tested.id}
    assert made.ids("validation") == [other_validated.id]
    assert set(made.ids("train")) == {example.id for example in examples}
    found = list(read_rows(made.folder / "left_out.parquet"))
    assert [{key: line[key] for key in ("id", "reason", "like")} for line in found] == [
        {"id": unassigned.id, "reason": "too_like_a_test_row", "like": tested.id},
        {"id": trained.id, "reason": "too_like_a_test_row", "like": tested.id},
        {"id": validated.id, "reason": "too_like_a_test_row", "like": tested.id},
        {"id": near_validated.id, "reason": "too_like_a_validation_row", "like": other_validated.id},
    ]
    assert made.counts["left_out"] == made.facts["left_out"] == 4
    assert (found[0]["where"], found[0]["like_where"]) == ("rows.csv:1001", "rows.csv:1000")
    assert 0.7 <= found[0]["similarity"] < 1


def test_labels_of_a_given_test_part_that_training_never_sees_are_refused_all_at_once(tmp_path: Path) -> None:
    examples = spread(["refund"] * 30)
    given_rows = [
        row(far(1000 + i), label, 1000 + i, part="test")
        for i, label in enumerate(["refund", "card lost", "top_up", "top_up"])
    ]
    with pytest.raises(InputError) as failure:
        parted(tmp_path, examples + given_rows, LABELS)
    assert failure.value.code == "label_only_in_test"
    assert "2 of the test part's labels" in failure.value.what
    assert "'card lost' (rows.csv:1001)" in failure.value.what
    assert "'top_up' (rows.csv:1002)" in failure.value.what


def test_the_lock_is_the_hash_over_ids_and_contents_in_any_order(tmp_path: Path) -> None:
    examples = spread(["yes"] * 40)
    made = parted(tmp_path, examples)
    tested = [example for example in examples if example.id in set(made.ids("test"))]
    lines = sorted(f"{example.id} {example.content_id}\n" for example in tested)
    assert made.facts["test_sha256"] == sha256("".join(lines).encode()).hexdigest()
    assert lock.test_lock(reversed(tested)) == made.facts["test_sha256"]
    assert lock.test_lock([tested[0].with_answer("no"), *tested[1:]]) != made.facts["test_sha256"]
    assert lock.test_lock(tested[1:]) != made.facts["test_sha256"]


def test_another_seed_makes_another_split_and_the_same_seed_the_same(tmp_path: Path) -> None:
    examples = spread(["yes"] * 100)
    one, again, other = (parted(tmp_path, examples, seed=seed) for seed in (1, 1, 2))
    names = sorted(path.name for path in one.folder.iterdir())
    parts = [f"{part}.parquet" for part in sorted(PARTS)]
    assert names == sorted(["certificate.json", "left_out.parquet", "split.json", "tested.parquet", *parts])
    for name in names:
        assert (one.folder / name).read_bytes() == (again.folder / name).read_bytes()
    assert set(one.ids("test")) != set(other.ids("test"))
    assert one.ids("train") != [example.id for example in examples if example.id in set(one.ids("train"))]  # shuffled


def test_a_stop_is_heard_while_splitting(tmp_path: Path) -> None:
    parted(tmp_path, spread(["yes"] * 20))
    clean, encoded = next(tmp_path.glob("clean-*")), next(tmp_path.glob("format-*"))
    inputs = {"clean": CleanSet(clean, {}), "format": Dataset(encoded, {}, {}), "goal": TEXT}
    with pytest.raises(Cancelled):
        split.run(
            inputs,
            SplitSettings.model_validate({}),
            Context("split", tmp_path, tmp_path, tmp_path, stopping=lambda: True),
        )


@st.composite
def messy_sets(draw: st.DrawFn) -> list[Example]:
    """Rows whose inputs repeat and nearly repeat, some with a given part, labels of every frequency."""
    examples = []
    for at in range(draw(st.integers(12, 60))):
        text = near(far(draw(st.integers(0, 25))), draw(st.integers(0, 2)))
        label = draw(st.sampled_from(["refund", "refund", "refund", "card lost", "top_up"]))
        part = draw(st.sampled_from([None] * 8 + ["train", "validation", "test"]))
        examples.append(row(text, label, at, part=part))  # type: ignore[arg-type]
    return examples


@given(messy_sets(), st.integers(0, 3))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_group_ever_straddles_and_no_row_is_lost(tmp_path: Path, examples: list[Example], seed: int) -> None:
    try:
        made = parted(tmp_path, examples, LABELS, seed=seed)
    except InputError as refused:
        assume(refused.code not in ("too_few_to_split", "label_only_in_test"))
        raise
    part_of = made.part_of()
    left = {line["id"]: line for line in read_rows(made.folder / "left_out.parquet")}
    assert sorted([*part_of, *left]) == sorted(example.id for example in examples)
    found = groups((example.input for example in examples), 0.7)
    group_of = {example.id: int(number) for example, number in zip(examples, found, strict=True)}
    parts: dict[int, set[str]] = {}
    for id, part in part_of.items():
        parts.setdefault(group_of[id], set()).add(part)
    assert all(len(held) == 1 for held in parts.values())
    for example in examples:
        if example.part == "test" or (example.part and example.id in part_of):
            assert part_of[example.id] == example.part
    for id, line in left.items():
        assert group_of[line["like"]] == group_of[id]
        assert line["reason"] == f"too_like_a_{part_of.get(line['like'])}_row"
    got = made.facts["fractions"]["got"]
    assert sum(got.values()) == pytest.approx(1)


@given(st.lists(st.integers(1, 4), min_size=60, max_size=150), st.integers(0, 3))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_fractions_are_within_one_group_of_what_was_asked(tmp_path: Path, sizes: list[int], seed: int) -> None:
    examples = [row(near(far(g), i), "yes", 10 * g + i) for g, size in enumerate(sizes) for i in range(size)]
    made = parted(tmp_path, examples, seed=seed)
    for part, asked in made.facts["fractions"]["asked"].items():
        assert abs(made.counts[part] - asked * len(examples)) <= 4
