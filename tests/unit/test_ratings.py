"""ratings.jsonl: later words go before earlier ones, what was cut off costs no other, no rating outlives its row."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith import ratings
from tunesmith.artifact import hash_of
from tunesmith.errors import InputError
from tunesmith.ratings import Rating, corrections, read
from tunesmith.scoring.preferences import LEFT, NEITHER, RIGHT, SAME, by_row, people, preference

PAIR = ("tuned", "base")
SAID = {"tuned": "fine", "base": "bad"}
HASHES = (hash_of("fine"), hash_of("bad"))


def rating(id: str, choice: str | None, reviewer: str = "ana", shown: tuple[str, str] = PAIR) -> Rating:
    hashes = tuple(hash_of(SAID[name]) for name in shown)
    return Rating(id, reviewer, "test", shown, hashes, choice)  # type: ignore[arg-type]


@dataclass
class Folder:
    root: Path


def test_the_last_word_on_two_answers_counts_whichever_was_shown_first(tmp_path: Path) -> None:
    path = tmp_path / ratings.FILE
    lines = [rating("r1", "A"), rating("r1", "A", shown=("base", "tuned")), rating("r2", "A"), rating("r2", None)]
    ratings.append(path, map(ratings.rating_line, lines), source=tmp_path)
    [one] = read(path).rated
    assert (one.id, one.preferred) == ("r1", "base")


def test_a_rating_holds_for_the_two_answers_that_were_rated_and_for_no_others(tmp_path: Path) -> None:
    path = tmp_path / ratings.FILE
    ratings.append(path, [ratings.rating_line(rating("r1", "A"))], source=tmp_path)
    found = read(path)
    assert len(found.of_answers({"r1": SAID}, ("base", "tuned"))) == 1
    assert found.of_answers({"r1": {**SAID, "tuned": "other"}}, PAIR) == []
    assert found.of_answers({"r2": SAID}, PAIR) == []


def test_a_comment_without_a_choice_is_kept_and_is_no_rating(tmp_path: Path) -> None:
    path = tmp_path / ratings.FILE
    said = replace(rating("r1", None), comment="both are rude")
    ratings.append(path, [ratings.comment_line(said)], source=tmp_path)
    found = read(path)
    assert found.of_answers({"r1": SAID}, PAIR) == []
    [one] = found.of_answers({"r1": SAID}, PAIR, only_commented=True)
    assert (one.choice, one.comment) == (None, "both are rude")


def test_corrections_are_proposed_examples_and_one_of_a_test_row_may_not_be_trained_on(tmp_path: Path) -> None:
    path = tmp_path / ratings.FILE
    lines = [
        ratings.correction_line("r1", "ana", "test", "how?", "so"),
        ratings.correction_line("r1", "ana", "test", "how?", "like so"),
        ratings.correction_line("r2", "ana", "validation", "why?", "thus"),
        ratings.correction_line("r3", "ana", "test", "who?", "me"),
        ratings.correction_line("r3", "ana", "test", "who?", None),
    ]
    ratings.append(path, lines, source=tmp_path)
    found = corrections(Folder(tmp_path))
    assert [(one.id, one.input, one.answer, one.reviewer) for one in found] == [
        ("r1", "how?", "like so", "ana"),
        ("r2", "why?", "thus", "ana"),
    ]
    assert [one.part for one in found] == ["test", "validation"]
    assert all(one.at for one in found)


def test_what_is_forgotten_is_gone_and_the_rest_stays_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / ratings.FILE
    ratings.append(path, [ratings.rating_line(rating("r1", "A"))], source=tmp_path)
    before = path.read_bytes()
    more = [ratings.rating_line(rating("r2", "A")), ratings.correction_line("r2", "ben", "test", "q", "a")]
    ratings.append(path, more, source=tmp_path)
    assert [line.id for line in ratings.said(path)] == ["r1", "r2", "r2"]
    ratings.remove(path, ["r2"])
    assert path.read_bytes() == before


def test_nothing_is_kept_of_a_row_whose_answers_were_removed_meanwhile(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="test_gone"):
        ratings.append(tmp_path / ratings.FILE, [ratings.rating_line(rating("r1", "A"))], source=tmp_path / "gone")
    assert not (tmp_path / ratings.FILE).exists()


@given(cut=st.integers(1, 150))
def test_a_line_that_was_cut_off_costs_no_other(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    path = tmp_path_factory.mktemp("cut") / ratings.FILE
    ratings.append(path, [ratings.rating_line(rating("r1", "A"))], source=path.parent)
    before, torn = read(path), path.read_bytes()[: cut % (len(path.read_bytes()) - 1) + 1]
    path.write_bytes(path.read_bytes() + torn.rstrip(b"\n"))
    assert read(path) == before
    ratings.append(path, [ratings.rating_line(rating("r2", "B"))], source=path.parent)
    assert [one.id for one in read(path).rated] == ["r1", "r2"]


@pytest.mark.parametrize(
    "line",
    ["[]", "{}", '{"id": "a", "reviewer": "b", "at": "", "part": "train", "shown": ["x", "y"]}', "nothing"],
)
def test_a_line_that_is_no_rating_is_told(tmp_path: Path, line: str) -> None:
    (tmp_path / ratings.FILE).write_text(line + "\n")
    with pytest.raises(InputError, match=r"ratings\.jsonl:1: .*broken_rating"):
        read(tmp_path / ratings.FILE)


def test_a_row_that_several_looked_at_counts_once() -> None:
    votes = {"r1": "AAB", "r2": "AB", "r3": ("neither", "neither", "A", "B", "neither"), "r4": ("same", "B")}
    rated = [rating(id, choice, str(number)) for id, said in votes.items() for number, choice in enumerate(said)]
    assert by_row(rated, "tuned") == {"r1": LEFT, "r2": SAME, "r3": NEITHER, "r4": RIGHT}


def test_the_sign_test_and_the_interval_leave_out_rows_without_a_preference() -> None:
    found = preference([LEFT] * 15 + [RIGHT] * 5 + [SAME] * 7 + [NEITHER] * 3, *PAIR)
    assert (found.rows, found.share.n, found.share.value) == (30, 20, 0.75)  # type: ignore[union-attr]
    assert found.p == pytest.approx(0.0414, abs=1e-4)  # the binomial table: 2 · P(X >= 15) of 20
    assert found.shown == "better"
    assert preference([SAME] * 3, *PAIR).share is None


def test_agreement_is_told_of_each_two_and_of_all() -> None:
    rated = [rating(str(row), "AB"[row % 2], name) for row in range(10) for name in ("ana", "ben")]
    rated += [rating(str(row), "A", "cleo") for row in range(5)]
    found = people(rated, *PAIR, resamples=1000)
    assert found is not None
    assert [(pair.first, pair.second, pair.rows) for pair in found.agreement] == [
        ("ana", "ben", 10), ("ana", "cleo", 5), ("ben", "cleo", 5)
    ]  # fmt: skip
    assert found.agreement[0].kappa is not None
    assert found.agreement[0].kappa.value == 1.0
    assert found.alpha is not None
    assert found.first_shown is not None
    assert found.first_shown.n == 25
