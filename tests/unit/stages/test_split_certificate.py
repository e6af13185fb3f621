"""The leak certificate: what it proves, what it lists, and that nothing is trained or tested without its own."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from clean_project import TEXT, Parted, parted, row

from tunesmith.errors import InputError, TunesmithError
from tunesmith.example import Example
from tunesmith.leak_certificate import check_certificate
from tunesmith.products import PARTS
from tunesmith.similarity.any_order import AnyOrderSets
from tunesmith.stages.context import Context
from tunesmith.stages.split import run as split
from tunesmith.stages.train.run import run as train
from tunesmith.stages.train.settings import TrainSettings

WORDS = [f"{one}{two}" for one in ("car", "lim", "pos", "ref", "sol") for two in ("an", "bert", "cit", "dor", "eb")]


def sentences(number: int, seed: int = 0) -> list[Example]:
    """Rows of which many share words, and some are near copies."""
    rng = random.Random(seed)
    texts: list[str] = []
    for _ in range(number):
        words = rng.choice(texts).split() if texts and rng.random() < 0.3 else rng.choices(WORDS, k=10)
        words[rng.randrange(10)] = rng.choice(WORDS)
        texts.append(" ".join(words))
    return [row(text, "yes", at) for at, text in enumerate(texts)]


def similarity(one: str, other: str) -> float:
    """The Jaccard similarity of 5-letter pieces, of the texts as they stand or with sorted words."""
    found = []
    for first, second in ((one, other), tuple(" ".join(sorted(text.split())) for text in (one, other))):
        left, right = ({text[i : i + 5] for i in range(len(text) - 4)} for text in (first, second))
        found.append(len(left & right) / len(left | right))
    return max(found)


def test_the_pairs_it_lists_are_the_most_similar_ones_across_the_parts(tmp_path: Path) -> None:
    examples = sentences(300)
    made = parted(tmp_path, examples)
    text = {example.id: example.input for example in examples}
    assert made.certificate["every_pair_compared"]
    for one, other in (("train", "test"), ("train", "validation"), ("validation", "test")):
        every = sorted((similarity(text[i], text[j]) for i in made.ids(one) for j in made.ids(other)), reverse=True)  # type: ignore[arg-type]
        listed = [pair for pair in made.certificate["highest"] if pair["parts"] == [one, other]]
        assert [pair["similarity"] for pair in listed] == pytest.approx(every[:10], abs=1e-4)
        assert every[0] < made.certificate["limit"] == 0.7
        for pair in listed:
            assert pair["ids"][0] in made.ids(one)  # type: ignore[arg-type]
            assert pair["ids"][1] in made.ids(other)  # type: ignore[arg-type]


def test_a_random_split_of_the_same_rows_leaks_as_many_as_it_says(tmp_path: Path) -> None:
    examples = sentences(400)
    told = parted(tmp_path, examples).certificate["random_split"]
    assert (told["test_rows"], told["validation_rows"], told["draws"]) == (40, 40, 5)
    counted = []
    for seed in range(12):
        shuffled = random.Random(f"other {seed}").sample(examples, 400)
        trained = shuffled[80:]
        counted.append(
            sum(any(similarity(one.input, other.input) >= 0.7 for other in trained) for one in shuffled[:40])
        )
    assert told["test"] == pytest.approx(np.mean(counted), abs=5)
    assert told["test"] > 5


def test_a_copy_with_its_words_in_another_order_is_a_near_copy(tmp_path: Path) -> None:
    examples = [
        row("".join(random.Random(at).choices("abcdefghij", k=30)) + " card lost", "yes", at) for at in range(60)
    ]
    swapped = [row(" ".join(reversed(example.input.split())), "yes", 100 + at) for at, example in enumerate(examples)]
    made = parted(tmp_path, [*examples, *swapped])
    part_of = made.part_of()
    for one, other in zip(examples, swapped, strict=True):
        assert part_of[one.id] == part_of[other.id]


def test_pairs_that_grouping_missed_are_found_and_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = sentences(200)
    honest = parted(tmp_path, examples)
    monkeypatch.setattr(AnyOrderSets, "groups", lambda sets, near: (np.arange(len(sets.prints)),) * 2)
    blind = parted(tmp_path, examples)
    text = {example.id: example.input for example in examples}
    for one, other in (("train", "test"), ("train", "validation"), ("validation", "test")):
        assert all(similarity(text[i], text[j]) < 0.7 for i in blind.ids(one) for j in blind.ids(other))  # type: ignore[arg-type]
    assert blind.certificate["leaks"] == honest.certificate["leaks"] == dict.fromkeys(honest.certificate["leaks"], 0)


def test_a_split_that_stays_leaky_is_a_fault_and_not_a_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AnyOrderSets, "groups", lambda sets, near: (np.arange(len(sets.prints)),) * 2)
    monkeypatch.setattr(split, "joined_pairs", lambda group, left, right: group)
    with pytest.raises(TunesmithError) as failure:
        parted(tmp_path, sentences(200))
    assert failure.value.code == "leaks_between_parts"


def refused(made: Parted) -> str:
    with pytest.raises(InputError) as failure:
        check_certificate(made.splits(), made.clean, PARTS)
    return failure.value.code


def test_it_holds_for_its_own_split_and_data_alone(tmp_path: Path) -> None:
    made, other = parted(tmp_path, sentences(100)), parted(tmp_path, sentences(100), seed=1)
    assert check_certificate(made.splits(), made.clean, PARTS)["limit"] == 0.7
    own = (made.folder / "certificate.json").read_bytes()
    shutil.copy(other.folder / "certificate.json", made.folder / "certificate.json")
    assert refused(made) == "certificate_of_other_data"
    (made.folder / "certificate.json").write_bytes(own)
    moved = pq.read_table(made.folder / "train.parquet").slice(1)
    pq.write_table(moved, made.folder / "train.parquet")
    assert refused(made) == "certificate_of_other_data"


def test_it_does_not_hold_when_the_content_of_a_row_changed(tmp_path: Path) -> None:
    made, changed = parted(tmp_path, sentences(100)), parted(tmp_path, sentences(100, seed=1))
    with pytest.raises(InputError, match="other rows than the train and validation and test part"):
        check_certificate(made.splits(), changed.clean, PARTS)


def test_training_refuses_a_split_without_its_certificate(tmp_path: Path) -> None:
    made = parted(tmp_path, sentences(100))
    context = Context("train", tmp_path, tmp_path / "train", tmp_path)
    inputs = {"goal": TEXT, "base": None, "format": None, "clean": made.clean, "split": made.splits(holder="train")}
    told = json.loads((made.folder / "certificate.json").read_text(encoding="utf-8"))
    for written, code in (
        ({**told, "locks": {**told["locks"], "validation": "0"}}, "certificate_of_other_data"),
        ({**told, "leaks": {"train_test": 2}}, "leaks_between_parts"),
        (None, "no_leak_certificate"),
    ):
        path = made.folder / "certificate.json"
        path.unlink() if written is None else path.write_text(json.dumps(written), encoding="utf-8")
        with pytest.raises(InputError) as failure:
            train(inputs, TrainSettings.model_validate({}), context)
        assert failure.value.code == code


def test_a_file_of_ones_own_is_held_against_training_and_its_copies_come_back_without_it(tmp_path: Path) -> None:
    examples = sentences(200)
    copies = [row(f"{example.input}!", "yes", 900 + at, part="test") for at, example in enumerate(examples[:20])]
    own = [row(f"quite another thing {at**3}", "yes", 950 + at, part="test") for at in range(10)]
    made = parted(tmp_path, [*examples, *copies, *own])
    assert {example.id for example in examples[:20]} <= set(made.left_out)
    assert set(made.ids("test")) == {example.id for example in [*copies, *own]}
    lines = list(made.splits().left_out())
    assert {line.like for line in lines} <= {example.id for example in copies}
    assert lines[0].where.startswith("rows.csv:")
    assert "rows are left out" in made.told("note")[0]
    assert set(parted(tmp_path, examples).part_of()) == {example.id for example in examples}
